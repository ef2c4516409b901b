"""The bars that show what each network of a judge added to its score, for and against "fake"."""

from PIL import ImageDraw

from fakefacecli.base.verdicts import Contribution
from fakefacecli.overlay.lettering import NOT_ASKED, shorten, showable, typeface
from fakefacecli.overlay.view import Colour

ROW_PX = 28
HEAD_PX = 64
# vermilion and blue of Okabe and Ito (https://jfly.uni-koeln.de/color), safe for the colour-blind
FOR_FAKE: Colour = (213, 94, 0)
AGAINST: Colour = (0, 114, 178)

_TITLE = "What each network added to the score"
_MEANS = "weight x raw score; the sum and a constant give p_fake"
_INK: Colour = (28, 31, 35)
_FAINT: Colour = (92, 98, 106)
_AXIS: Colour = (150, 156, 163)
_NAME_PX, _SEES_PX, _NUMBER_PX = 110, 270, 104  # columns, in pixels
_TEXT_PX = 19
_LEAST_FULL = 1.0  # a bar as long as there is room for: small amounts stay short


def height_of(contributions: tuple[Contribution, ...]) -> int:
    """How many pixels the bars take; none without contributions."""
    return HEAD_PX + ROW_PX * len(contributions) if contributions else 0


def draw_bars(
    pen: ImageDraw.ImageDraw,
    contributions: tuple[Contribution, ...],
    at: tuple[int, int],
    width: int,
) -> None:
    """One row for each network: its name, what it sees, a bar from the middle, the number.

    `at` is the left upper corner. All bars have one scale, whose end is the largest amount (1 at
    least).
    """
    left, top = at
    start, end = left + _NAME_PX + _SEES_PX + _NUMBER_PX, left + width - _NUMBER_PX
    middle = (start + end) / 2
    _write(pen, (left, top), _TITLE, 21, _INK, "la")
    _write(pen, (left, top + 30), _MEANS, 18, _FAINT, "la")
    _write(pen, (middle - 12, top + 30), "against fake", _TEXT_PX, AGAINST, "ra")
    _write(pen, (middle + 12, top + 30), "for fake", _TEXT_PX, FOR_FAKE, "la")
    amounts = [abs(part.amount) for part in contributions if part.amount is not None]
    longest = max([_LEAST_FULL, *amounts])
    rows_top = top + HEAD_PX
    for number, part in enumerate(contributions):
        y = rows_top + ROW_PX * number
        name = shorten(showable(part.member), _TEXT_PX, _NAME_PX - 10)
        sees = shorten(showable(part.sees), 18, _SEES_PX - 10)
        _write(pen, (left, y + ROW_PX / 2), name, _TEXT_PX, _INK, "lm")
        _write(pen, (left + _NAME_PX, y + ROW_PX / 2), sees, 18, _FAINT, "lm")
        _draw_bar(pen, part, (middle, y), (end - start) / 2 / longest)
    rows_end = rows_top + ROW_PX * len(contributions)
    pen.line((middle, rows_top, middle, rows_end - 1), fill=_AXIS, width=1)


def amount_text(part: Contribution) -> str:
    """The amount with its sign in two decimals, in whole numbers from 100 on; or "not asked"."""
    amount = part.amount
    if amount is None:
        return NOT_ASKED
    return f"{amount:+.2f}" if abs(amount) < 100 else f"{amount:+.3g}"


def _draw_bar(
    pen: ImageDraw.ImageDraw, part: Contribution, at: tuple[float, float], scale: float
) -> None:
    """A bar of `scale` pixels for an amount of 1, with its number behind its end."""
    middle, top = at
    centre, text = top + ROW_PX / 2, amount_text(part)
    if part.amount is None:
        _write(pen, (middle + 10, centre), text, _TEXT_PX, _FAINT, "lm")
        return
    end = middle + part.amount * scale
    low, high = sorted((round(middle), round(end)))
    if high > low:
        colour = FOR_FAKE if part.amount > 0 else AGAINST
        pen.rectangle((low, top + 4, high, top + ROW_PX - 5), fill=colour)
    near, anchor = (end + 8, "lm") if part.amount >= 0 else (end - 8, "rm")
    _write(pen, (near, centre), text, _TEXT_PX, _INK, anchor)


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    px: int,
    colour: Colour,
    anchor: str,
) -> None:
    pen.text(at, text, fill=colour, font=typeface(px), anchor=anchor)
