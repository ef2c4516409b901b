"""`fakeface evaluate`: how good is a model on labelled images?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.options import DEFAULT_MODEL
from fakefacecli.base.text import printable
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.labelled import (
    Data,
    Device,
    FacesOnly,
    FacesScale,
    MinFace,
    labelled_images,
    open_model,
    told_missed,
)

if TYPE_CHECKING:
    from fakefacecli.labelled.data import LabelledImage

# a model remembers what it was trained on: those faces only when asked for
_BY_DEFAULT = ("", "val", "test", "held_out")


@error_boundary
def evaluate(  # noqa: PLR0913, PLR0917 - one parameter a flag
    data: Data,
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Where page, JSON, scores and pictures go.")
    ],
    model: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="The model.", show_default=DEFAULT_MODEL)
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Two models side by side instead of --model."),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Take only this split. Repeatable (default: all but train).",
            show_default=False,
        ),
    ] = None,
    faces_only: FacesOnly = False,
    faces_scale: FacesScale = None,
    grid: Annotated[
        bool, typer.Option("--grid/--no-grid", help="Judge degraded faces too.")
    ] = True,
    mistakes: Annotated[
        int, typer.Option(min=0, max=500, help="Mistakes of each kind shown with overlays.")
    ] = 12,
    resamples: Annotated[
        int, typer.Option(min=20, max=100_000, help="Bootstrap resamples of an interval.")
    ] = 1000,
    min_face: MinFace = 40,
    device: Device = "auto",
) -> ExitCode:
    """Measure a model on labelled images; write figures with intervals, plots and a page."""
    from fakefacecli.evaluate.output_folder import check_place
    from fakefacecli.evaluate.write import ALONE
    from fakefacecli.labelled.data import SPLITS

    unknown = [name for name in split or () if name not in SPLITS]
    if unknown:
        raise UsageError(f"--split {unknown[0]}: wanted {', '.join(SPLITS)}")
    if compare and model:
        raise UsageError("--compare names both models; leave --model out")
    models = compare or (model or DEFAULT_MODEL,)
    images = labelled_images(data, models, split or _BY_DEFAULT)
    check_place(out)
    faces = (faces_only, faces_scale)
    with stoppable() as stop:
        if compare:
            facts = _compare(images, compare, faces, (min_face, device, stop), resamples, out)
        else:
            from fakefacecli.evaluate.run import Wanted

            wanted = Wanted(grid=grid, mistakes=mistakes, resamples=resamples)
            name = model or DEFAULT_MODEL
            facts = _measure(images, name, faces, (min_face, device, stop), wanted, out)
    if 1 in facts["data"]["clusters"].values():
        complain(ALONE)
    return told_missed(facts["data"]["without_a_face"])


def _measure(
    images: "list[LabelledImage]", model: str, faces: Any, running: Any, wanted: Any, out: str
) -> dict[str, Any]:
    from fakefacecli.evaluate.run import evaluate, score_images
    from fakefacecli.evaluate.write import write_evaluation

    with open_model(model, faces, *running) as subject:
        judged = score_images(images, subject, wanted.grid)
        facts = evaluate(judged, subject, wanted)
        write_evaluation(out, facts, judged, subject, wanted)
    _summary(facts, out)
    return facts


def _compare(
    images: "list[LabelledImage]",
    models: tuple[str, str],
    faces: Any,
    running: Any,
    resamples: int,
    out: str,
) -> dict[str, Any]:
    from fakefacecli.evaluate.compare import compare, write_comparison
    from fakefacecli.evaluate.run import score_images

    judged, subjects = [], []
    for model in models:
        with open_model(model, faces, *running) as subject:
            judged.append(score_images(images, subject, grid=False))
            subjects.append(subject)
    facts, curves = compare(judged, subjects, resamples)
    write_comparison(out, facts, curves)
    _comparison_summary(facts, out)
    return facts


def _summary(facts: dict[str, Any], out: str) -> None:
    from fakefacecli.figures.html import NAMES

    data, model = facts["data"], facts["model"]
    by_image = facts["measures_by_image"]
    rows = [(NAMES[name], _estimate(facts["measures"][name], by_image[name])) for name in NAMES]
    for label in ("real", "fake"):
        share = facts["verdicts"][label]["flagged_share"]
        rows.append((f"{label} faces flagged", _estimate(share)))
    for part, found in facts["verdicts"]["precision_at_prevalence"].items():
        rows.append((f"fakes among flagged at {100 * float(part):g} % fakes", _estimate(found)))
    time = facts["time"]["judging_ms_per_face"]
    rows.append((f"judging on {facts['time']['device']}", f"{time:.1f} ms a face"))
    title = f"{model['name']} ({model['calibration']['state']}): {data['real']} real and "
    _table(f"{title}{data['fake']} fake faces", ["", "95 % interval"], rows, out)


def _comparison_summary(facts: dict[str, Any], out: str) -> None:
    from fakefacecli.figures.html import NAMES

    rows = []
    for name, found in facts["measures"].items():
        sides = [f"{found[s]:.3f}" if found[s] is not None else "-" for s in ("first", "second")]
        rows.append((NAMES[name], *sides, _estimate(found["more"], facts["more_by_image"][name])))
    models = facts["models"]
    title = f"A {models[0]['name']}, B {models[1]['name']}: {facts['data']['compared']} faces"
    _table(title, ["", "A", "B", "B less A, 95 % interval"], rows, out)


def _estimate(found: dict[str, Any], by_image: dict[str, Any] | None = None) -> str:
    if found["value"] is None:
        return "not defined"
    if found["low"] is None:
        if by_image is None or by_image["low"] is None:
            return f"{found['value']:.3f}"
        return f"{found['value']:.3f}  (by image {by_image['low']:.3f} to {by_image['high']:.3f})"
    return f"{found['value']:.3f}  ({found['low']:.3f} to {found['high']:.3f})"


def _table(title: str, head: list[str], rows: Sequence[tuple[str, ...]], out: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    table = Table(*head, title=Text(printable(title)), title_justify="left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(Text(printable(f"page            {out}/index.html")), soft_wrap=True)
