"""The sheet a reviewer opens: two views of the face above a panel of words.

The layout is fixed, so that nothing can run into anything else: all sheets are SHEET_PX, those of
a judge of several networks higher by the bars of what each added, and every text of unknown length
is shortened to the room it has.
"""

import itertools

from PIL import Image, ImageDraw

from fakefacecli.base.records import DecodedImage, FaceCrop, Heatmap, ImageRef
from fakefacecli.base.verdicts import Label, Verdict
from fakefacecli.overlay.bars import draw_bars, height_of
from fakefacecli.overlay.lettering import (
    CAVEAT,
    DIMMED,
    HEAT_NOTES,
    MOSTLY_OUTSIDE,
    NO_HEAT,
    NO_HEAT_NOTES,
    REASONS,
    WORDS,
    heat_means,
    score_text,
    shorten,
    showable,
    typeface,
    zoom_text,
)
from fakefacecli.overlay.view import (
    VIEW_PX,
    Colour,
    Frame,
    draw_views,
    draw_whole,
    heat_bar,
    heat_outside,
    repeats_edge,
)

Style = tuple[int, Colour]  # height in pixels, colour

GAP = 24
LEFT, RIGHT = GAP, 2 * GAP + VIEW_PX  # the two columns
WIDE = 2 * VIEW_PX + GAP
VIEWS_TOP = 104
PANEL_TOP = VIEWS_TOP + VIEW_PX
FOOTER_TOP = PANEL_TOP + 224
SHEET_PX = (WIDE + 2 * GAP, PANEL_TOP + 332)
BARS_GAP = 20  # between the bars and the footer
THUMB_PX = (168, 156)

INK: Colour = (28, 31, 35)
FAINT: Colour = (92, 98, 106)
PAPER: Colour = (255, 255, 255)
RULE: Colour = (205, 209, 214)

SCORE: Style = (28, INK)
HEADING: Style = (21, INK)
BODY: Style = (19, INK)
LABEL: Style = (19, FAINT)
NOTE: Style = (18, FAINT)
TICK: Style = (17, FAINT)
DIGEST: Style = (16, FAINT)

COLOURS: dict[Label, Colour] = {
    Label.FLAGGED: (179, 38, 30),
    Label.INCONCLUSIVE: (242, 176, 30),
    Label.NOT_FLAGGED: (94, 110, 102),
}
_MOST = 0.5  # of the heat
_ON_COLOUR: dict[Label, Colour] = {
    Label.FLAGGED: PAPER,
    Label.INCONCLUSIVE: INK,
    Label.NOT_FLAGGED: PAPER,
}


def draw_overlay(
    image: DecodedImage, crop: FaceCrop, heat: Heatmap, verdict: Verdict, model: str
) -> Image.Image:
    """The sheet of one face, RGB: its face bare (left), in grey under heat (right), why.

    It is SHEET_PX, or as much higher as the bars of the heat's contributions take. `heat` covers
    the crop's window, whatever its own size. Names may be of any characters: what
    the typeface lacks is shown as an escape. Raises ValueError for another photograph's crop.
    """
    if image.ref != crop.ref:
        raise ValueError(f"crop of {crop.ref.name!a} found, wanted one of {image.ref.name!a}")
    bars = heat.contributions
    more = height_of(bars) + BARS_GAP if bars else 0
    sheet = Image.new("RGB", (SHEET_PX[0], SHEET_PX[1] + more), PAPER)
    pen = ImageDraw.Draw(sheet)
    _draw_headline(pen, verdict)
    _draw_scale(pen, verdict)
    bare, hot = draw_views(image, crop, heat)
    sheet.paste(bare, (LEFT, VIEWS_TOP))
    sheet.paste(hot, (RIGHT, VIEWS_TOP))
    _draw_captions(pen, image, crop, heat)
    _draw_facts(pen, image, crop, verdict, model)
    whole = draw_whole(image, crop.face.box, COLOURS[verdict.label], *THUMB_PX)
    sheet.paste(whole, (LEFT + VIEW_PX - whole.width, PANEL_TOP + 48))
    _draw_legend(sheet, pen, heat)
    if bars:
        pen.line((LEFT, FOOTER_TOP, LEFT + WIDE - 1, FOOTER_TOP), fill=RULE, width=1)
        draw_bars(pen, bars, (LEFT, FOOTER_TOP + 12), WIDE)
    _draw_footer(pen, image, crop.ref, FOOTER_TOP + more)
    return sheet


def _draw_headline(pen: ImageDraw.ImageDraw, verdict: Verdict) -> None:
    """The label on its colour, then the score and the reason for the label."""
    word, middle = WORDS[verdict.label], 52
    across = LEFT + typeface(32).getlength(word) + 36
    badge = (LEFT, middle - 30, across, middle + 30)
    pen.rounded_rectangle(badge, radius=8, fill=COLOURS[verdict.label])
    _write(pen, (LEFT + 18, middle), word, (32, _ON_COLOUR[verdict.label]), "lm")
    score = score_text(verdict.fake_probability, verdict.thresholds)
    room = LEFT + VIEW_PX - across - 20
    score = shorten(f"p_fake {score}", 28, room)
    _write(pen, (across + 20, middle - 14), score, SCORE, "lm")
    _write(pen, (across + 20, middle + 18), shorten(REASONS[verdict.reason], 19, room), BODY, "lm")


def _draw_scale(pen: ImageDraw.ImageDraw, verdict: Verdict) -> None:
    """p_fake from 0 to 1 as a line with both thresholds, above the right view."""
    top, bottom = 44, 58
    thresholds = verdict.thresholds
    low, high = (RIGHT + round(VIEW_PX * t) for t in (thresholds.low, thresholds.high))
    ends = (RIGHT, low, high, RIGHT + VIEW_PX)
    zones = (Label.NOT_FLAGGED, Label.INCONCLUSIVE, Label.FLAGGED)
    for label, (start, end) in zip(zones, itertools.pairwise(ends), strict=True):
        if end > start:
            pen.rectangle((start, top, end - 1, bottom), fill=_tint(COLOURS[label]))
    at = RIGHT + VIEW_PX * verdict.fake_probability
    pen.polygon(((at - 9, top - 16), (at + 9, top - 16), (at, top - 1)), fill=INK)
    pen.line((at, top - 1, at, bottom), fill=INK, width=3)
    texts = f"low {thresholds.low:.6g}", f"high {thresholds.high:.6g}"
    widths = [typeface(17).getlength(text) for text in texts]
    for text, x in zip(texts, _apart(low, high, *widths), strict=True):
        _write(pen, (x, bottom + 6), text, TICK, "la")
    for tick in (low, high):
        pen.line((tick, top - 3, tick, bottom + 4), fill=INK, width=1)


def _apart(low: float, high: float, low_width: float, high_width: float) -> tuple[float, float]:
    """Where two labels start: low's ends at its tick, high's begins there, and both stay apart."""
    room = 14.0
    high_at = min(max(high + 1, RIGHT + low_width + room), RIGHT + VIEW_PX - high_width)
    low_at = min(max(low - low_width - 1, RIGHT), high_at - room - low_width)
    return low_at, high_at


def _draw_captions(
    pen: ImageDraw.ImageDraw, image: DecodedImage, crop: FaceCrop, heat: Heatmap
) -> None:
    frame = Frame.around(crop)
    bare = f"The photograph, {zoom_text(frame.zoom)}"
    if frame.overhangs(image):
        bare += "; plain grey lies outside it"
    whose = "networks'" if heat.contributions else "network's"
    hot = f"In grey, under the {whose} heat" if heat.values.any() else "In grey"
    hot += "; box: the face"
    if crop.levelled:
        hot += "; slanting: turned level"
    elif repeats_edge(image, crop):
        hot += "; edge repeated"
    _write(pen, (LEFT, PANEL_TOP + 8), bare, NOTE, "la")
    _write(pen, (RIGHT, PANEL_TOP + 8), hot, NOTE, "la")
    outside = heat_outside(crop, heat)
    if outside > _MOST:
        dimmed = f"{MOSTLY_OUTSIDE} ({100 * outside:.0f} %)"
        _write(pen, (RIGHT, PANEL_TOP + 30), dimmed, (18, INK), "la")
    elif outside > 0:
        _write(pen, (RIGHT, PANEL_TOP + 30), DIMMED, NOTE, "la")


def _draw_facts(
    pen: ImageDraw.ImageDraw, image: DecodedImage, crop: FaceCrop, verdict: Verdict, model: str
) -> None:
    """What a report's row says of this face, left below the bare view."""
    thresholds, name_px = verdict.thresholds, 128
    rows = (
        ("face", f"number {crop.number}"),
        ("face size", f"{crop.face.box.longer_side:.0f} px, longer side"),
        ("detection", f"score {crop.face.score:.4f}"),
        ("thresholds", f"low {thresholds.low:.6g}, high {thresholds.high:.6g}"),
        ("photograph", f"{image.width} x {image.height} px"),
        ("model", showable(model)),
    )
    room = VIEW_PX - THUMB_PX[0] - GAP - name_px
    for number, (name, value) in enumerate(rows):
        y = PANEL_TOP + 46 + 27 * number
        _write(pen, (LEFT, y), name, LABEL, "la")
        _write(pen, (LEFT + name_px, y), shorten(value, 19, room), BODY, "la")


def _draw_legend(sheet: Image.Image, pen: ImageDraw.ImageDraw, heat: Heatmap) -> None:
    """What the colours mean, right below the view under heat."""
    top = PANEL_TOP + 62
    if not heat.values.any():
        _write(pen, (RIGHT, top), NO_HEAT, HEADING, "la")
        _draw_notes(pen, top + 38, NO_HEAT_NOTES)
        return
    _write(pen, (RIGHT, top), heat_means(bool(heat.contributions)), HEADING, "la")
    sheet.paste(heat_bar(VIEW_PX, 22), (RIGHT, top + 34))
    _write(pen, (RIGHT, top + 62), "none", BODY, "la")
    _write(pen, (RIGHT + VIEW_PX, top + 62), "strongest", BODY, "ra")
    _draw_notes(pen, top + 100, HEAT_NOTES)


def _draw_notes(pen: ImageDraw.ImageDraw, top: float, notes: tuple[str, ...]) -> None:
    for number, note in enumerate(notes):
        _write(pen, (RIGHT, top + 24 * number), note, NOTE, "la")


def _draw_footer(pen: ImageDraw.ImageDraw, image: DecodedImage, ref: ImageRef, top: int) -> None:
    """Whose face it is, and the caveat, over the whole width."""
    pen.line((LEFT, top, LEFT + WIDE - 1, top), fill=RULE, width=1)
    name = shorten(showable(ref.name), 21, WIDE - 60)
    _write(pen, (LEFT, top + 12), "file", LABEL, "la")
    _write(pen, (LEFT + 60, top + 11), name, HEADING, "la")
    if image.facts.sha256:
        digest = shorten(showable(f"sha256: {image.facts.sha256}"), 16, WIDE)
        _write(pen, (LEFT, top + 44), digest, DIGEST, "la")
    _write(pen, (LEFT, top + 72), CAVEAT, HEADING, "la")


def _write(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, style: Style, anchor: str
) -> None:
    px, colour = style
    pen.text(at, text, fill=colour, font=typeface(px), anchor=anchor)


def _tint(colour: Colour) -> Colour:
    """`colour` on paper at 55 %."""
    red, green, blue = (round(0.55 * ink + 0.45 * 255) for ink in colour)
    return red, green, blue
