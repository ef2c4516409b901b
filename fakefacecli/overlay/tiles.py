"""Sheets of small pictures with two lines of words below each."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from fakefacecli.overlay.lettering import shorten, showable, typeface
from fakefacecli.overlay.sheet import FAINT, INK, PAPER

THUMB_PX = 150
_LINES, _GAP, _HEAD = 42, 10, 40  # px
_COLUMNS = 8
_NUMBER_PX = 44  # room at the right end of the first line
Colour = tuple[int, int, int]
NO_RIM: Colour = (200, 204, 208)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A square picture, or None where there is none, and its words.

    `left` and `right` stand in the first line, `below` in the second.
    """

    picture: Image.Image | None
    left: str
    right: str
    below: str
    rim: Colour = NO_RIM
    ink: Colour = FAINT


def draw_tiles(tiles: Sequence[Tile], title: str = "") -> Image.Image:
    """The sheet, RGB, of 8 columns; `title` stands above. Text may hold anything."""
    columns = _COLUMNS if title else min(_COLUMNS, max(1, len(tiles)))
    rows = max(1, -(-len(tiles) // _COLUMNS))
    wide, high = THUMB_PX + _GAP, THUMB_PX + _LINES + _GAP
    head = _HEAD if title else 0
    size = (columns * wide + _GAP, head + (rows * high if tiles or not title else 0) + _GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        words = shorten(showable(title), 18, size[0] - 2 * _GAP)
        pen.text((_GAP, _GAP), words, fill=INK, font=typeface(18))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, _COLUMNS)
        _draw(sheet, pen, tile, (_GAP + column * wide, head + _GAP + row * high))
    return sheet


def _draw(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, at: tuple[int, int]) -> None:
    left, top = at
    right, bottom = left + THUMB_PX, top + THUMB_PX
    pen.rectangle((left - 4, top - 4, right + 3, bottom + 3), fill=tile.rim)
    if tile.picture is not None:
        sheet.paste(tile.picture, at)
    else:
        middle = ((left + right) // 2, (top + bottom) // 2)
        pen.text(middle, "not there any more", fill=INK, font=typeface(14), anchor="mm")
    words = shorten(showable(tile.left), 14, THUMB_PX - _NUMBER_PX)
    pen.text((left, bottom + 7), words, fill=INK, font=typeface(14))
    pen.text((right, bottom + 7), tile.right, fill=INK, font=typeface(14), anchor="ra")
    below = shorten(showable(tile.below), 14, THUMB_PX)
    pen.text((left, bottom + 24), below, fill=tile.ink, font=typeface(14))
