"""The page itself: three tabs of Gradio components, and what their buttons do."""

import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from fakefacecli.base.errors import FakeFaceError, UsageError
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.judge import member_names
from fakefacecli.web.about import draw_about
from fakefacecli.web.answer import draw_answer, draw_message, rows_as_json
from fakefacecli.web.batch import Wanted, run_batch
from fakefacecli.web.judges import Judges
from fakefacecli.web.options import MOST_IMAGES, PageOptions
from fakefacecli.web.places import Places

TITLE = "fakeface"
EXAMPLES = ("generated_000.jpg", "generated_002.jpg", "official_000.jpg", "official_003.jpg")
_HEAD = """# fakeface
Finds the faces in pictures and judges which were made by a machine. A verdict is evidence, not \
proof: read *What it means* before you act on one. Files stay on this server and are deleted when \
you close the page."""
_EMPTY = ("Nothing yet.", "Choose a picture and press Judge, or click an example.")
_OF_IMAGES = (
    "Thresholds: empty means the model's own. p_fake at or above HIGH is flagged, below LOW it is "
    "not flagged."
)


def build_page(
    options: PageOptions, judges: Judges, places: Places, stop: Callable[[], None]
) -> Any:
    """The gradio.Blocks, not yet launched."""
    import gradio as gr

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(600, 3600), fill_width=False
    ) as page:
        gr.Markdown(_HEAD, elem_id="head")
        with gr.Tab("Images", id="images"):
            _images_tab(judges, places)
        with gr.Tab("Batch", id="batch"):
            _batch_tab(options, judges, places, stop)
        with gr.Tab("What it means", id="about"):
            gr.HTML(draw_about(list(judges.checkpoints.values())), elem_id="about")

        def ended(request: gr.Request) -> None:
            places.end(request.session_hash)

        page.unload(ended)
    return page


def style() -> str:
    """The page's own style sheet."""
    return (files("fakefacecli.web") / "templates" / "page.css").read_text("utf-8")


def example(number: int) -> str:
    """The path of an example photograph, counted from 0."""
    return str(files("fakefacecli.web") / "examples" / EXAMPLES[number])


def _images_tab(judges: Judges, places: Places) -> None:
    import gradio as gr

    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            chosen = gr.File(
                file_count="multiple",
                label=f"Pictures: drop one or several ({MOST_IMAGES} at most)",
                height=160,
                elem_id="pictures",
            )
            camera = gr.Image(
                sources=["webcam", "clipboard"],
                type="filepath",
                label="Camera, or a pasted picture",
                height=220,
                elem_id="camera",
            )
            # Gradio would open the file here with Pillow, in the server's own process
            camera.preprocess = lambda payload: payload and payload.path
            model, low, high = _choices(judges)
            button = gr.Button("Judge", variant="primary", elem_id="judge")
            clicked = gr.Gallery(
                value=[example(number) for number in range(len(EXAMPLES))],
                label="Examples: click one",
                columns=4,
                height=130,
                object_fit="cover",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_id="examples",
            )
        with gr.Column(scale=3, min_width=300):
            answer = gr.HTML(draw_message(*_EMPTY), elem_id="answer")
            with gr.Accordion("The same as data (JSON)", open=False):
                data = gr.JSON(label="rows", show_label=False, elem_id="rows")

    def judge(
        files: list[str] | None,
        picture: str | None,
        model: str,
        low: float | None,
        high: float | None,
        request: gr.Request,
    ) -> tuple[str, list[dict[str, Any]]]:
        paths = [os.fspath(path) for path in files or ()] + ([picture] if picture else [])
        places.sweep()
        for path in paths:
            places.note(request.session_hash, path)
        return judged(judges, paths, (model, low, high))

    def judge_example(
        model: str, low: float | None, high: float | None, event: gr.SelectData
    ) -> tuple[str, list[dict[str, Any]]]:
        number = event.index if isinstance(event.index, int) else -1
        if not 0 <= number < len(EXAMPLES):
            return draw_message("Nothing was judged.", "There is no such example."), []
        return judged(judges, [example(number)], (model, low, high))

    once: dict[str, Any] = {"concurrency_id": "judging", "concurrency_limit": 1}
    button.click(
        judge, [chosen, camera, model, low, high], [answer, data], api_name="judge", **once
    )
    clicked.select(
        judge_example, [model, low, high], [answer, data], api_visibility="private", **once
    )


def _choices(judges: Judges) -> tuple[Any, Any, Any]:
    """The choice of the model, and the two thresholds."""
    import gradio as gr

    names = list(judges.checkpoints)
    model = gr.Dropdown(names, value=names[0], label="Model")
    with gr.Accordion("Thresholds", open=False), gr.Row():
        low = gr.Number(None, label="LOW", minimum=0, maximum=1, min_width=100)
        high = gr.Number(None, label="HIGH", minimum=0, maximum=1, min_width=100, info=_OF_IMAGES)
    return model, low, high


def _batch_tab(
    options: PageOptions, judges: Judges, places: Places, stop: Callable[[], None]
) -> None:
    import gradio as gr

    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            archive = gr.File(
                label=f"A zip ({options.most_batch:,} pictures at most)",
                file_types=[".zip"],
                height=160,
                elem_id="zip",
            )
            folder = gr.Textbox(
                label="Or a folder of this server",
                info="The operator allowed: "
                + ("; ".join(options.folders) if options.folders else "none"),
                interactive=bool(options.folders),
                elem_id="folder",
            )
            model, low, high = _choices(judges)
            button = gr.Button("Scan", variant="primary", elem_id="scan")
        with gr.Column(scale=2, min_width=300):
            summary = gr.HTML(
                draw_message("Nothing yet.", "Choose a zip or a folder and press Scan."),
                elem_id="summary",
            )
            reports = gr.File(label="Reports: CSV and HTML", interactive=False, elem_id="reports")

    def scan(  # noqa: PLR0913, PLR0917 - one for each input, as Gradio calls it
        archive: str | None,
        folder: str,
        model: str,
        low: float | None,
        high: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio asks for it
    ) -> tuple[str, list[str]]:
        places.sweep()
        if archive:
            places.note(request.session_hash, archive)

        def on_image(done: int, total: int) -> None:
            progress((done, total), desc="Judging", unit="images")

        try:
            judges.checkpoint(model)
            wanted = Wanted(
                archive, (folder or "").strip(), judges.files[model], thresholds_of(low, high)
            )
            done = run_batch(wanted, options, places, request.session_hash, on_image, stop)
        except FakeFaceError as error:
            return draw_message("Nothing was scanned:", str(error)), []
        return done.summary, list(done.reports)

    button.click(
        scan,
        [archive, folder, model, low, high],
        [summary, reports],
        api_name="batch",
        concurrency_id="scanning",
        concurrency_limit=1,
    )


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
        found = [judges.examine(path, model, thresholds) for path in paths]
    except FakeFaceError as error:
        return draw_message("Nothing was judged:", str(error)), []
    members = member_names(checkpoint)
    rows = [row for one in found for row in rows_as_json(one, checkpoint.sha256, members)]
    return draw_answer(found), rows


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
