"""From photographs' tables to a canvas: every tile resampled, in a number of steps that is fixed.

Each pixel of the canvas looks up its tile's column and row, and is the mean over a bin of the
photograph, as pyramid.Level has it. So a device gets the same few steps for any number of tiles.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakefacecli.base.device import to_device
from fakefacecli.detect.canvas import Sheet, Tile
from fakefacecli.detect.pyramid import BIN_PIXELS, CHANNELS, Level, Tables

if TYPE_CHECKING:
    import torch

_AT_ONCE = 1 << 23  # pixels of a canvas in one step: each takes about 100 bytes meanwhile
Ints = npt.NDArray[np.int64]


@lru_cache(maxsize=2048)
def _bins(length: int, count: int) -> tuple[Ints, Ints]:
    """First and one-past-last pixel of `count` bins over `length` pixels."""
    ends = np.arange(count + 1) * length
    return ends[:-1] // count, -(-ends[1:] // count)


def fill_by_tile(tables: Tables, sheet: Sheet, height: int) -> "torch.Tensor":
    """As `fill`, tile by tile: on a CPU, where steps are cheap and look-ups are not."""
    import torch

    canvas = torch.zeros((1, height, sheet.width, CHANNELS), device=tables.sums.device)
    for shelf in sheet.shelves:
        for left, tile in shelf.tiles:
            size = tile.size
            view = tables.view(size.image, 1)
            level = Level(view, size.height, size.width, size.rows, size.columns)
            right = left + size.columns
            level.pool_into(
                canvas[:, shelf.top : shelf.top + tile.height, left:right], tile.start, tile.stop
            )
    return canvas


def fill(tables: Tables, sheet: Sheet, height: int) -> "torch.Tensor":
    """The canvas (1, height, width, 3) float32 in 0..255; zero where no tile is."""
    import torch

    strips = max(_strips(tile) for shelf in sheet.shelves for _, tile in shelf.tiles)
    canvas = torch.empty((height, sheet.width, CHANNELS), device=tables.sums.device)
    for strip in range(strips):
        plan = _plan(tables, sheet, height, strip, strips)
        step = max(1, _AT_ONCE // sheet.width)
        for first in range(0, height, step):
            part = canvas[first : first + step]
            means = plan.means(tables.sums, first, len(part))
            # a bin's strips come one after the other: the first sets, the others add
            _ = part.copy_(means) if strip == 0 else part.add_(means)
    return canvas[None]


def _strips(tile: Tile) -> int:
    """In how many strips to sum up a bin, so that its sum fits an int32."""
    size = tile.size
    largest = (-(-size.height // size.rows) + 1) * (-(-size.width // size.columns) + 1)
    return -(-largest // BIN_PIXELS)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the pixels of a canvas come from.

    By (shelf, column): `lefts` and `rights`, the bin's columns; `wide` the inverse of its width;
    `row_at`, which leads with the canvas's row to that tile's row in the lists by row. These are
    `above` and `below`, where in the tables the rows begin, and `high`, the inverse of the height.
    `shelves` is each canvas row's shelf. Integers are int32: torch looks up by them as well.
    """

    shelves: "torch.Tensor"
    lefts: "torch.Tensor"
    rights: "torch.Tensor"
    wide: "torch.Tensor"
    row_at: "torch.Tensor"
    above: "torch.Tensor"
    below: "torch.Tensor"
    high: "torch.Tensor"

    def means(self, sums: "torch.Tensor", first: int, count: int) -> "torch.Tensor":
        """Rows `first` to `first + count` of the canvas, (count, width, 3) float32."""
        import torch

        shelf = self.shelves[first : first + count]
        rows = torch.arange(first, first + count, dtype=torch.int32, device=sums.device)
        row = (self.row_at.index_select(0, shelf) + rows[:, None]).flatten()
        left, right = (at.index_select(0, shelf).flatten() for at in (self.lefts, self.rights))
        above, below = self.above.index_select(0, row), self.below.index_select(0, row)
        tall_right = sums.index_select(0, below + right).sub_(sums.index_select(0, above + right))
        tall_left = sums.index_select(0, below + left).sub_(sums.index_select(0, above + left))
        share = self.high.index_select(0, row) * self.wide.index_select(0, shelf).flatten()
        means = tall_right.sub_(tall_left).float().mul_(share[:, None])
        return means.view(count, -1, CHANNELS)


def _plan(tables: Tables, sheet: Sheet, height: int, strip: int, strips: int) -> _Plan:
    """The plan for one strip of the bins, of so many."""
    tallest = max(height - sheet.height, *(shelf.height for shelf in sheet.shelves))
    rows = tallest + sum(shelf.height * len(shelf.tiles) for shelf in sheet.shelves)
    # the first `tallest` rows are of no tile: empty bins, as are those below a tile on its shelf
    above, below, high = np.zeros(rows, np.int32), np.zeros(rows, np.int32), np.zeros(rows, "f4")
    grid = (len(sheet.shelves) + 1, sheet.width)
    lefts, rights, wide = np.zeros(grid, np.int32), np.zeros(grid, np.int32), np.zeros(grid, "f4")
    row_at = np.empty(grid, np.int32)
    row_at[-1] = -sheet.height  # what lies below all shelves
    shelves = np.full(height, len(sheet.shelves), np.int32)
    next_row = tallest
    for number, shelf in enumerate(sheet.shelves):
        shelves[shelf.top : shelf.top + shelf.height] = number
        row_at[number] = -shelf.top
        for left, tile in shelf.tiles:
            across = slice(left, left + tile.size.columns)
            low, far = _bins(tile.size.width, tile.size.columns)
            lefts[number, across], rights[number, across] = low, far
            wide[number, across] = 1 / (far - low).astype("f4")
            row_at[number, across] = next_row - shelf.top
            top, bottom = (
                edge[tile.start : tile.stop] for edge in _bins(tile.size.height, tile.size.rows)
            )
            start, stride = tables.places[tile.size.image]
            down = slice(next_row, next_row + tile.height)
            tall = bottom - top
            above[down] = start + (top + tall * strip // strips) * stride
            below[down] = start + (top + tall * (strip + 1) // strips) * stride
            high[down] = 1 / tall.astype("f4")
            next_row += shelf.height
    arrays = shelves, lefts, rights, wide, row_at, above, below, high
    return _Plan(*(to_device(array, tables.sums.device) for array in arrays))
