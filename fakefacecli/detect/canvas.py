"""Where the levels of many photographs lie in a few large canvases: plain numbers, no pixels.

Tiles lie on shelves, as books do: the tallest first, each shelf as high as its first tile. Their
corners have even coordinates, because the first network takes pixels two by two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fakefacecli.detect.networks import CELL, STRIDE, cells

_SHELVES_TRIED = 16  # for each tile; to try all of thousands would take longer than it saves


@dataclass(frozen=True, slots=True)
class LevelSize:
    """One image (its number, `height`, `width`), to be seen at `rows` x `columns` pixels.

    `base` is the number of its first cell, when the cells of all levels are counted through.
    """

    image: int
    scale: float
    height: int
    width: int
    rows: int
    columns: int
    base: int

    @property
    def cells_high(self) -> int:
        """How many rows of cells there are."""
        return cells(self.rows)

    @property
    def cells_wide(self) -> int:
        """How many cells a row has."""
        return cells(self.columns)

    @property
    def end(self) -> int:
        """One past the number of its last cell."""
        return self.base + self.cells_high * self.cells_wide


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows `start` to `stop` of the level with this number; of most levels all rows."""

    level: int
    size: LevelSize
    start: int
    stop: int

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.stop - self.start

    @property
    def cells_high(self) -> int:
        """How many rows of cells lie in it whole."""
        return cells(self.height)


@dataclass(slots=True)
class Shelf:
    """Tiles beside each other, each with its left edge; `top` is the shelf's first row."""

    top: int
    height: int
    used: int = 0
    tiles: list[tuple[int, Tile]] = field(default_factory=list)


@dataclass(slots=True)
class Sheet:
    """One canvas of `height` x `width` pixels, both even."""

    width: int
    height: int = 0
    shelves: list[Shelf] = field(default_factory=list)


def cut_up(levels: Sequence[LevelSize], most_pixels: int) -> Iterator[Tile]:
    """The levels as tiles; one above `most_pixels` in bands, so that each cell lies in one whole.

    Two bands share CELL - STRIDE rows."""
    for number, level in enumerate(levels):
        bands = -(-level.rows * level.columns // most_pixels)
        step = -(-level.cells_high // bands)
        for first in range(0, level.cells_high, step):
            # the last band takes in the odd row below the last whole cell
            start = first * STRIDE
            is_last = first + step >= level.cells_high
            stop = level.rows if is_last else start + (step - 1) * STRIDE + CELL
            yield Tile(number, level, start, stop)


def lay_out(tiles: Sequence[Tile], width: int, most_pixels: int) -> list[Sheet]:
    """Sheets at least `width` wide and of about `most_pixels` at most, which hold all tiles."""
    width = even(max([width, *(tile.size.columns for tile in tiles)]))
    sheets: list[Sheet] = []
    for tile in sorted(tiles, key=lambda tile: -tile.height):
        high, wide = even(tile.height), even(tile.size.columns)
        sheet = sheets[-1] if sheets else None
        shelf = _room(sheet, high, wide) if sheet else None
        if shelf is None:
            if sheet is None or (sheet.height + high) * width > most_pixels:
                sheet = Sheet(width)
                sheets.append(sheet)
            shelf = Shelf(sheet.height, high)
            sheet.shelves.append(shelf)
            sheet.height += high
        shelf.tiles.append((shelf.used, tile))
        shelf.used += wide
    return sheets


def _room(sheet: Sheet, high: int, wide: int) -> Shelf | None:
    """A shelf with room for a tile; the tiles come tallest first, so each shelf is high enough."""
    for shelf in sheet.shelves[-_SHELVES_TRIED:]:
        if shelf.height >= high and shelf.used + wide <= sheet.width:
            return shelf
    return None


def even(pixels: int) -> int:
    """The next even number."""
    return pixels + pixels % 2
