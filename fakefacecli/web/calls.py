"""What the buttons of the page do; each function is also an endpoint of its HTTP API."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fakefacecli.base.errors import FakeFaceError, UsageError
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.judge import member_names
from fakefacecli.web.answer import draw_answer, draw_message, rows_as_json
from fakefacecli.web.batch import Wanted, run_batch
from fakefacecli.web.judges import Examined, Judges
from fakefacecli.web.options import MOST_IMAGES, PageOptions
from fakefacecli.web.places import Places

Answer = tuple[str, list[dict[str, Any]]]


def judging(judges: Judges, places: Places) -> Callable[..., Answer]:
    """The function behind Judge."""
    import gradio as gr

    def judge(
        files: list[str] | None,
        picture: str | None,
        model: str,
        low: float | None,
        high: float | None,
        request: gr.Request,
    ) -> Answer:
        paths = [os.fspath(path) for path in files or ()] + ([picture] if picture else [])
        places.sweep()
        for path in paths:
            places.note(request.session_hash, path)
        return judged(judges, paths, (model, low, high))

    return judge


def judging_examples(judges: Judges, examples: Sequence[str]) -> Callable[..., Answer]:
    """The function behind a click on one of `examples`, which are paths."""
    import gradio as gr

    def judge_example(
        model: str, low: float | None, high: float | None, event: gr.SelectData
    ) -> Answer:
        number = event.index if isinstance(event.index, int) else -1
        if not 0 <= number < len(examples):
            return draw_message("Nothing was judged.", "There is no such example."), []
        return judged(judges, [examples[number]], (model, low, high))

    return judge_example


def scanning(
    options: PageOptions, judges: Judges, places: Places, stop: Callable[[], None]
) -> Callable[..., tuple[str, str | None, str | None]]:
    """The function behind Scan."""
    import gradio as gr

    def scan(  # noqa: PLR0913, PLR0917 - one for each input, as Gradio calls it
        archive: str | None,
        folder: str,
        model: str,
        low: float | None,
        high: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio asks for it
    ) -> tuple[str, str | None, str | None]:
        places.sweep()
        if archive:
            places.note(request.session_hash, archive)

        def on_image(done: int, total: int) -> None:
            progress((done, total), desc="Judging", unit="images")

        try:
            judges.checkpoint(model)
            thresholds = thresholds_of(low, high)
            wanted = Wanted(archive, (folder or "").strip(), judges.files[model], thresholds)
            done = run_batch(wanted, options, places, request.session_hash, on_image, stop)
        except FakeFaceError as error:
            return draw_message("Nothing was scanned:", str(error)), None, None
        return done.summary, done.csv, done.html

    return scan


def judged(
    judges: Judges, paths: Sequence[str], how: tuple[str, float | None, float | None]
) -> tuple[str, list[dict[str, Any]]]:
    """The answer about images, as HTML and as rows; or a message in place of it."""
    model, low, high = how
    try:
        if not paths:
            raise UsageError("no picture; drop one, paste one, or click an example")
        if len(paths) > MOST_IMAGES:
            raise UsageError(
                f"{len(paths)} pictures; wanted {MOST_IMAGES} or fewer. For more there is Batch"
            )
        checkpoint, thresholds = judges.checkpoint(model), thresholds_of(low, high)
        members = member_names(checkpoint)
        rows: list[dict[str, Any]] = []

        def examined() -> Iterator[Examined]:
            for path in paths:
                one = judges.examine(path, model, thresholds)
                rows.extend(rows_as_json(one, checkpoint.sha256, members))
                yield one

        return draw_answer(examined()), rows
    except FakeFaceError as error:
        return draw_message("Nothing was judged:", str(error)), []


def thresholds_of(low: float | None, high: float | None) -> Thresholds | None:
    """The thresholds of two fields; None where both are empty, UsageError for what is none."""
    if low is None and high is None:
        return None
    try:
        return Thresholds(float(low), float(high))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UsageError(
            "thresholds: give both, with 0 <= LOW <= HIGH <= 1, or leave both empty"
        ) from None
