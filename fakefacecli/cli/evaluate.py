"""`fakeface evaluate`: how good is a model on labelled images?"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.options import DEFAULT_MODEL, Detectors, JudgeOptions, Turns
from fakefacecli.base.text import printable
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.flags import (
    Data,
    Detector,
    Device,
    FacesOnly,
    FacesScale,
    LookTurned,
    MinFace,
    takes,
)
from fakefacecli.cli.labelled import estimate_words, labelled_images, open_model, report_missed

if TYPE_CHECKING:
    from fakefacecli.evaluate.evaluation import Comparison, DataFacts, Evaluation
    from fakefacecli.evaluate.run import Subject
    from fakefacecli.labelled.data import LabelledImage


@dataclass(frozen=True, slots=True)
class EvaluateFlags:
    """What was typed after `fakeface evaluate`."""

    data: Data
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Where page, JSON, scores and pictures go.")
    ]
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="The model; by default the one of scan."),
    ] = None
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Two models side by side instead of --model."),
    ] = None
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Take only this split. Repeatable (default: all but train).",
            show_default=False,
        ),
    ] = None
    faces_only: FacesOnly = False
    faces_scale: FacesScale = None
    grid: Annotated[bool, typer.Option("--grid/--no-grid", help="Judge degraded faces too.")] = True
    mistakes: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=500, help="Mistakes of each kind shown with overlays."
        ),
    ] = 12
    resamples: Annotated[
        int,
        typer.Option(metavar="N", min=20, max=100_000, help="Bootstrap resamples of an interval."),
    ] = 1000
    min_face: MinFace = 40
    detector: Detector = Detectors.BOTH
    turns: LookTurned = Turns.AUTO
    device: Device = "auto"

    @property
    def models(self) -> tuple[str, ...]:
        """The models to measure: one, or two to compare."""
        return self.compare or (self.model or DEFAULT_MODEL,)

    def opened(self, model: str, stop: Callable[[], None]) -> "AbstractContextManager[Subject]":
        """One of the models, ready to judge faces as the flags say."""
        options = JudgeOptions(
            model,
            min_face_px=self.min_face,
            device=self.device,
            detector=self.detector,
            turns=self.turns,
        )
        return open_model(options, (self.faces_only, self.faces_scale), stop)


@error_boundary
@takes(EvaluateFlags)
def evaluate(flags: EvaluateFlags) -> ExitCode:
    """Measure a model on labelled images; write figures with intervals, plots and a page."""
    from fakefacecli.evaluate.output_folder import check_place
    from fakefacecli.evaluate.write import ALONE
    from fakefacecli.labelled.data import KEPT_OUT, SPLITS

    unknown = [name for name in flags.split or () if name not in SPLITS]
    if unknown:
        raise UsageError(f"--split {unknown[0]}: wanted {', '.join(SPLITS)}")
    if flags.compare and flags.model:
        raise UsageError("--compare names both models; leave --model out")
    # a model does better on faces it was trained on than on others: those only on request
    splits = flags.split or ("", "val", *KEPT_OUT)
    images = labelled_images(flags.data, flags.models, splits)
    check_place(flags.out)  # now, rather than after minutes of judging
    with stoppable() as stop:
        measure = _compare if flags.compare else _measure
        facts = measure(images, flags, stop)
    # one group in a class: nothing to resample, so there are no intervals
    if 1 in (facts.clusters.real, facts.clusters.fake):
        complain(ALONE)
    return report_missed(facts.without_a_face)


def _measure(
    images: "list[LabelledImage]", flags: EvaluateFlags, stop: Callable[[], None]
) -> "DataFacts":
    from fakefacecli.evaluate.run import Wanted, evaluate, score_images
    from fakefacecli.evaluate.write import write_evaluation

    wanted = Wanted(grid=flags.grid, mistakes=flags.mistakes, resamples=flags.resamples)
    [model] = flags.models
    with flags.opened(model, stop) as subject:
        judged = score_images(images, subject, wanted.grid)
        found = evaluate(judged, subject, wanted)
        write_evaluation(flags.out, found, judged, subject, wanted)
    _summary(found, flags.out)
    return found.data


def _compare(
    images: "list[LabelledImage]", flags: EvaluateFlags, stop: Callable[[], None]
) -> "DataFacts":
    from fakefacecli.evaluate.compare import compare, write_comparison
    from fakefacecli.evaluate.run import score_images

    judged, subjects = [], []
    _check_scales(flags)
    for model in flags.models:
        with flags.opened(model, stop) as subject:
            # no grid: a comparison is about the faces as they are
            judged.append(score_images(images, subject, grid=False))
            subjects.append(subject)
    found, curves = compare(judged, subjects, flags.resamples)
    write_comparison(flags.out, found, curves)
    _comparison_summary(found, flags.out)
    return found.data


def _check_scales(flags: EvaluateFlags) -> None:
    """Refuse ready crops of no stated scale where the models' own differ: one would be wrong."""
    from fakefacecli.models.bundled import find_model

    if flags.faces_only and flags.faces_scale is None:
        first, second = (find_model(name).card.window.span for name in flags.models)
        if first != second:
            raise UsageError(
                f"--faces-only: the models' own crops are {first:g} and {second:g} times the box; "
                "say with --faces-scale how large these are"
            )


def _summary(found: "Evaluation", out: str) -> None:
    from fakefacecli.figures.html import NAMES

    data, model, time = found.data, found.model, found.time
    rows = [
        (NAMES[name], estimate_words(found.measures[name], found.measures_by_image[name]))
        for name in NAMES
    ]
    for label, counts in (("real", found.verdicts.real), ("fake", found.verdicts.fake)):
        rows.append((f"{label} faces flagged", estimate_words(counts.flagged_share)))
    for part, worth in found.verdicts.precision_at_prevalence.items():
        rows.append(
            (f"fakes among flagged at {100 * float(part):g} % fakes", estimate_words(worth))
        )
    rows.append((f"judging on {time.device}", f"{time.judging_ms_per_face:.1f} ms a face"))
    title = f"{model.name} ({model.calibration.state}): {data.real} real and {data.fake} fake faces"
    _table(title, ["", "95 % interval"], rows, out)


def _comparison_summary(found: "Comparison", out: str) -> None:
    from fakefacecli.figures.html import NAMES

    rows = []
    for name, row in found.measures.items():
        sides = ["-" if side is None else f"{side:.3f}" for side in (row.first, row.second)]
        rows.append((NAMES[name], *sides, estimate_words(row.more, found.more_by_image[name])))
    first, second = found.models
    title = f"A {first.name}, B {second.name}: {found.compared} faces"
    _table(title, ["", "A", "B", "B less A, 95 % interval"], rows, out)


def _table(title: str, head: list[str], rows: Sequence[tuple[str, ...]], out: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # on stderr: the results are in files, and stdout stays empty for scripts
    console = Console(stderr=True, highlight=False)
    table = Table(*head, title=Text(printable(title)), title_justify="left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(Text(printable(f"page            {out}/index.html")), soft_wrap=True)
