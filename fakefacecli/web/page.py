"""The page itself: three tabs of Gradio components, and what their buttons do."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fakefacecli.base.text import printable
from fakefacecli.web.about import draw_about
from fakefacecli.web.answer import draw_message
from fakefacecli.web.calls import judging, judging_examples, scanning
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
_OF_THRESHOLDS = (
    "Empty means the model's own. p_fake at or above HIGH is flagged, below LOW it is not flagged."
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


def examples() -> tuple[str, ...]:
    """The paths of the example photographs."""
    return tuple(str(files("fakefacecli.web") / "examples" / name) for name in EXAMPLES)


def _images_tab(judges: Judges, places: Places) -> None:
    import gradio as gr

    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            chosen, camera = _pictures()
            model, low, high = _choices(judges)
            button = gr.Button("Judge", variant="primary", elem_id="judge")
            clicked = gr.Gallery(
                value=list(examples()),
                label="Examples: click one",
                columns=2,
                height="auto",
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
    once: dict[str, Any] = {"concurrency_id": "judging", "concurrency_limit": 1}
    button.click(
        judging(judges, places),
        [chosen, camera, model, low, high],
        [answer, data],
        api_name="judge",
        **once,
    )
    clicked.select(
        judging_examples(judges, examples()),
        [model, low, high],
        [answer, data],
        api_visibility="private",
        **once,
    )


def _pictures() -> tuple[Any, Any]:
    """Where pictures come from: files, and the camera or the clipboard."""
    import gradio as gr

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
    # Gradio would open the file with Pillow here, in the server's own process
    camera.preprocess = lambda payload: payload and payload.path
    return chosen, camera


def _choices(judges: Judges) -> tuple[Any, Any, Any]:
    """The choice of the model, and the two thresholds."""
    import gradio as gr

    names = list(judges.checkpoints)
    model = gr.Dropdown(names, value=names[0], label="Model")
    with gr.Accordion("Thresholds", open=False):
        gr.Markdown(_OF_THRESHOLDS)
        with gr.Row():
            low = gr.Number(None, label="LOW", minimum=0, maximum=1, min_width=100)
            high = gr.Number(None, label="HIGH", minimum=0, maximum=1, min_width=100)
    return model, low, high


def _batch_tab(
    options: PageOptions, judges: Judges, places: Places, stop: Callable[[], None]
) -> None:
    import gradio as gr

    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            archive, folder = _batch_inputs(options)
            model, low, high = _choices(judges)
            button = gr.Button("Scan", variant="primary", elem_id="scan")
        with gr.Column(scale=2, min_width=300):
            summary = gr.HTML(
                draw_message("Nothing yet.", "Choose a zip or a folder and press Scan."),
                elem_id="summary",
            )
            with gr.Row():
                csv = gr.DownloadButton("CSV report", elem_id="csv")
                html = gr.DownloadButton("HTML report", elem_id="html")
    button.click(
        scanning(options, judges, places, stop),
        [archive, folder, model, low, high],
        [summary, csv, html],
        api_name="batch",
        concurrency_id="scanning",
        concurrency_limit=1,
    )


def _batch_inputs(options: PageOptions) -> tuple[Any, Any]:
    import gradio as gr

    archive = gr.File(
        label=f"A zip ({options.most_batch:,} pictures at most)",
        file_types=[".zip"],
        height=160,
        elem_id="zip",
    )
    allowed = "; ".join(map(printable, options.folders)) or "none"
    folder = gr.Textbox(
        label="Or a folder of this server",
        info=f"The operator allowed: {allowed}",
        interactive=bool(options.folders),
        elem_id="folder",
    )
    return archive, folder
