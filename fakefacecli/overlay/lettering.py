"""Words and lettering of overlays: Pillow's built-in typeface, and what it has no glyph for."""

import functools
import re

from PIL import ImageFont

from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Label, Reason, Thresholds

WORDS = {
    Label.FLAGGED: "FLAGGED",
    Label.INCONCLUSIVE: "INCONCLUSIVE",
    Label.NOT_FLAGGED: "NOT FLAGGED",
}
REASONS = {
    Reason.ABOVE_HIGH: "at or above the high threshold",
    Reason.BETWEEN_THRESHOLDS: "between the thresholds",
    Reason.BELOW_LOW: "below the low threshold",
    Reason.FACE_TOO_SMALL: "the face is too small to judge",
    Reason.FACE_TURNED: "the face is turned too far",
    Reason.FACE_CUT_OFF: "too near the photograph's edge",
    Reason.PROFILE: "the face is seen from the side",
    Reason.UNSTABLE: "small changes change the verdict",
}
HEAT_MEANS = "Heat: where the network found evidence for fake"
NO_HEAT = "No evidence map: no place found that speaks for fake"
NO_HEAT_NOTES = (
    "That is absence of evidence and no more:",
    "it does not show that a camera took this face.",
)
HEAT_NOTES = (
    "Coarse, and scaled for each face: read it as regions of this face,",
    "neither as outlines of an edit nor as a measure between faces.",
)
NOT_ASKED = "not asked"
DIMMED = "Dimmed: heat outside the face"
MOSTLY_OUTSIDE = "Dimmed: outside the face, where most of this heat lies"
CAVEAT = "Evidence, not proof. The score can be wrong either way: weigh it with what else is known."

_SPECIMEN_PX = 20
_NO_CHARACTER = "\uffff"  # never assigned: its picture is the typeface's "missing glyph"
_UNIT = re.compile(r"\\(?:\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})|.", re.DOTALL)
_ELLIPSIS = "..."


@functools.cache
def typeface(px: int) -> ImageFont.FreeTypeFont:
    """The built-in typeface (Aileron, ASCII and a little more), `px` pixels high."""
    face = ImageFont.load_default(size=px)
    if not isinstance(face, ImageFont.FreeTypeFont):  # Pillow's own wheels all have FreeType
        raise RuntimeError("this Pillow has no FreeType; install Pillow from its wheel")
    return face


@functools.lru_cache(maxsize=4096)
def has_glyph(char: str) -> bool:
    """Whether the typeface can show `char` as itself."""
    if char.isascii():
        return char.isprintable()
    face = typeface(_SPECIMEN_PX)
    return bytes(face.getmask(char)) != bytes(face.getmask(_NO_CHARACTER))


def showable(name: str) -> str:
    r"""`text.printable`, and `\uNNNN` for what the typeface lacks too; `text.exact` undoes it."""
    return "".join(char if has_glyph(char) else _escape(char) for char in printable(name))


def shorten(text: str, px: int, width: float) -> str:
    """Cut the middle out of a showable `text` until it is at most `width` pixels long.

    Escapes are kept or dropped whole; the end, where a file's number and suffix stand, is kept
    as long as the beginning.
    """
    length = typeface(px).getlength
    if len(text) <= width and length(text) <= width:
        return text
    units = _UNIT.findall(text)
    least, most = 0, min(len(units) - 1, int(width))  # no unit is narrower than a pixel
    while least < most:  # the most units that fit
        kept = (least + most + 1) // 2
        if length(_without_middle(units, kept)) <= width:
            least = kept
        else:
            most = kept - 1
    return _without_middle(units, least)


def score_text(probability: float, thresholds: Thresholds) -> str:
    """`probability` in as few decimals, three or more, as keep it on its side of the thresholds."""
    low, high = thresholds.low, thresholds.high
    for decimals in range(3, 17):
        text = f"{probability:.{decimals}f}"
        shown = float(text)
        if (shown < low, shown >= high) == (probability < low, probability >= high):
            return text
    return repr(probability)


def heat_means(several: bool) -> str:
    """What heat is, of one network or of `several`."""
    return HEAT_MEANS.replace("network", "networks") if several else HEAT_MEANS


def zoom_text(zoom: float) -> str:
    """How large the photograph is shown, for people."""
    if zoom >= 1.05:
        return f"enlarged {zoom:.1f} times"
    if zoom > 0.95:
        return "at its own size"
    return f"reduced to {100 * zoom:.0f} %" if zoom >= 0.01 else "reduced to less than 1 %"


def _without_middle(units: list[str], kept: int) -> str:
    tail = kept // 2
    return "".join(units[: kept - tail]) + _ELLIPSIS + "".join(units[len(units) - tail :])


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
