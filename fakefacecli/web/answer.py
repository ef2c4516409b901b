"""What the page shows of an image: HTML with its pictures inside, and the same as JSON.

All text goes through a template that escapes it: names and what files say of themselves are
untrusted.
"""

import base64
import functools
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from PIL import Image

from fakefacecli.base.records import DecodedImage, Pixels
from fakefacecli.base.text import counted, printable
from fakefacecli.figures.html import environment_of
from fakefacecli.overlay.bars import amount_text
from fakefacecli.overlay.lettering import score_text
from fakefacecli.overlay.residuals import HOW_TO_READ_ELA, error_level_picture
from fakefacecli.overlay.view import draw_views
from fakefacecli.reports.page_words import WORDS
from fakefacecli.reports.rows import RowFacts, json_cells, rows_of
from fakefacecli.web.judges import Examined, SeenFace
from fakefacecli.web.options import MOST_FACES

if TYPE_CHECKING:
    from jinja2 import Environment

_WHOLE_PX = 1000  # the longer side of a photograph on the page
_QUALITY = 88
_RUN = "page"  # the run_id of rows that no report keeps


def draw_answer(examined: Iterable[Examined]) -> str:
    """The HTML of one answer: every image with its faces, MOST_FACES of them at most.

    The images are taken one by one, and none is kept: together they could be too large.
    """
    left, images = MOST_FACES, []
    for one in examined:
        images.append(_image(one, left))
        left = max(0, left - len(one.faces))
    return render("answer", images=images, words=WORDS, how_to_read=HOW_TO_READ_ELA)


def draw_message(title: str, text: str) -> str:
    """The HTML of a message instead of an answer; both are made printable and escaped."""
    return render("message", title=printable(title), text=printable(text))


def rows_as_json(examined: Examined, sha256: str, members: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of an image as a JSON report has them, without the run that they have not.

    The file is `name` and not `path`: whatever has a path, Gradio's clients take for a file and
    fetch it.
    """
    facts = RowFacts(_RUN, examined.model, sha256, None, members, redacts=True)
    rows = [json_cells(row) for row in rows_of(examined.report, facts)]
    own = {"run_id", "overlay", "cluster", "schema_version", "path", "path_bytes"}
    return [
        {"name": row["path"]} | {name: cell for name, cell in row.items() if name not in own}
        for row in rows
    ]


def render(page: str, **content: object) -> str:
    """The template PAGE of this folder with `content`, all of it escaped."""
    return _environment().get_template(f"{page}.html.jinja").render(content)


def _image(examined: Examined, most: int) -> dict[str, Any]:
    report, image = examined.report, examined.image
    shown = examined.faces[:most]
    findings = report.findings
    return {
        "name": printable(report.ref.name),
        "report": report,
        "message": printable(report.message),
        "whole": image and _data_url(Image.fromarray(image.pixels)),
        "ela": image and _data_url(Image.fromarray(_error_levels(image))),
        "faces": [_face(examined, face) for face in shown],
        "left_out": len(examined.faces) - len(shown),
        "count": counted(len(findings), "face"),
        "ms": f"{examined.judging_ms:,.0f}",
        "total_ms": f"{report.elapsed_ms:,.0f}",
        "model": examined.model,
        "said": _said(asdict(report.provenance)),
        "evidence": [WORDS["evidence"][word] for word in report.evidence],
        "caveats": [WORDS["warning"][word] for word in report.caveats],
    }


def _face(examined: Examined, face: SeenFace) -> dict[str, Any]:
    verdict, box = face.verdict, face.crop.face.box
    frame = next(f for f in examined.image.all_frames if f.frame == face.crop.frame)  # type: ignore[union-attr]
    bare, hot = draw_views(frame, face.crop, face.heat)
    thresholds, fake = verdict.thresholds, verdict.fake_probability
    return {
        "number": face.crop.number,
        "frame": face.crop.frame,
        "bare": _data_url(bare),
        "hot": _data_url(hot),
        "label": str(verdict.label),
        "verdict": WORDS["verdict"][verdict.label],
        "reason": WORDS["reason"][verdict.reason],
        "fake": score_text(fake, thresholds),
        "real": f"{1 - fake:.3f}",
        "percent": round(100 * fake, 1),
        "thresholds": thresholds,
        "probed": verdict.probed and [f"{value:.3f}" for value in verdict.probed],
        "size": f"{box.longer_side:.0f}",
        "box": [round(edge) for edge in (box.left, box.top, box.right, box.bottom)],
        # of the picture, in percent, for the mark on it; only of the frame that is shown
        "mark": _mark(examined.image, face) if face.crop.frame == 1 else None,
        "parts": [
            {
                "member": part.member,
                "sees": part.sees,
                "weight": f"{part.weight:.2f}",
                "logit": "not asked" if part.logit is None else f"{part.logit:+.2f}",
                "amount": amount_text(part),
            }
            for part in face.contributions
        ],
    }


def _mark(image: DecodedImage | None, face: SeenFace) -> dict[str, float] | None:
    if image is None:
        return None
    box = face.crop.face.box
    left, right = (min(max(x / image.width, 0.0), 1.0) * 100 for x in (box.left, box.right))
    top, bottom = (min(max(y / image.height, 0.0), 1.0) * 100 for y in (box.top, box.bottom))
    return {"left": left, "top": top, "width": right - left, "height": bottom - top}


def _error_levels(image: DecodedImage) -> Pixels:
    # of the picture at its own size: errors of a smaller copy would be others
    return error_level_picture(image.pixels)


def _said(claim: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the file says of itself, in words; what it does not say is left out."""
    words = [("Origin", WORDS["provenance"][claim["kind"]])]
    words += [("In the file", claim["detail"])] if claim["detail"] else []
    for key, title in (("claim", "Says it was"), ("c2pa", "Credentials"), ("trust", "Signer")):
        if claim[key] and claim[key] not in ("none", "not_checked"):
            words.append((title, WORDS[key][claim[key]]))
    words += [("Generator", claim["generator"])] if claim["generator"] else []
    words += [("Signed by", claim["signer"])] if claim["signer"] else []
    return [(title, printable(text)) for title, text in words]


def _data_url(picture: Image.Image) -> str:
    """The picture, `_WHOLE_PX` at most, as a JPEG inside an address."""
    small = picture.copy() if max(picture.size) <= _WHOLE_PX else _reduced(picture)
    data = io.BytesIO()
    small.convert("RGB").save(data, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _reduced(picture: Image.Image) -> Image.Image:
    ratio = _WHOLE_PX / max(picture.size)
    size = max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


@functools.cache
def _environment() -> "Environment":
    return environment_of(__package__)
