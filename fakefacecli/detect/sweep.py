"""The first network over all levels of all photographs at once, in a fixed number of steps.

A device that is asked for the size of an answer stands still until the next step reaches it. So
`blind` work asks as seldom as it can: lists get room for more than they are expected to hold, what
is repeated until it settles is repeated a fixed number of times, and at the end comes the answer
whether that was enough.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fakefacecli.base.device import to_device
from fakefacecli.detect.boxes import overlaps, suppress_in_groups
from fakefacecli.detect.canvas import LevelSize, Sheet, cut_up, lay_out
from fakefacecli.detect.fill import fill, fill_by_tile
from fakefacecli.detect.later import SAME_FACE_OVERLAP
from fakefacecli.detect.networks import CELL, STRIDE, ProposalNet
from fakefacecli.detect.pyramid import Tables

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

SAME_LEVEL_OVERLAP = 0.5
_SPARE = 1024  # room for cells of a sheet, besides its share


@dataclass(frozen=True, slots=True)
class Blind:
    """How much room and repetition blind work gets: of `one_in` cells one may pass."""

    one_in: int = 16
    rounds: int = 24


@dataclass(frozen=True, slots=True)
class Canvases:
    """How wide a canvas is, of how many pixels at most, and whether it is filled tile by tile."""

    width: int
    most_pixels: int
    by_tile: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells that may hold a face, (k,) each: level, row, column, logit, and shifts (k, 4).

    `there` is false for entries that stand for no cell: blind lists have them.
    """

    level: "torch.Tensor"
    row: "torch.Tensor"
    column: "torch.Tensor"
    logits: "torch.Tensor"
    shifts: "torch.Tensor"
    there: "torch.Tensor"

    @property
    def parts(self) -> "tuple[torch.Tensor, ...]":
        """All columns, in the order of the constructor."""
        return self.level, self.row, self.column, self.logits, self.shifts, self.there

    def at(self, places: "torch.Tensor") -> "Cells":
        """Those at `places`."""
        return Cells(*(part[places] for part in self.parts))


class Sweep:
    """The levels of some photographs, laid out on canvases.

    `blind` is None where nobody minds to be asked for sizes. After `propose`, `failed` says on the
    device whether blind work had too little room or too few rounds: its answer is wrong then.
    """

    def __init__(
        self, tables: Tables, levels: Sequence[LevelSize], canvases: Canvases, blind: Blind | None
    ) -> None:
        import torch

        self.tables, self.levels, self.canvases, self.blind = tables, levels, canvases, blind
        self.device = tables.sums.device
        tiles = list(cut_up(levels, canvases.most_pixels))
        self.sheets = lay_out(tiles, canvases.width, canvases.most_pixels)
        rows = [(level.image, level.base, level.cells_high, level.cells_wide) for level in levels]
        facts = to_device(np.array(rows, np.int64).reshape(-1, 4), self.device)
        self.image, self.base, self.high, self.wide = facts.unbind(1)
        scales = np.array([level.scale for level in levels], np.float32)
        self.scale = to_device(scales, self.device)
        self.failed = torch.zeros((), dtype=torch.bool, device=self.device)

    def propose(self, net: ProposalNet, least: float) -> "tuple[torch.Tensor, torch.Tensor]":
        """Boxes (k, 4) that may hold a face, moved by the network, and their images' numbers."""
        import torch

        if not self.levels:
            nothing = torch.empty((0, 4), device=self.device)
            return nothing, nothing[:, 0].long()
        looks = [self._look(sheet, net, least).parts for sheet in self.sheets]
        found = Cells(*(torch.cat(parts) for parts in zip(*looks, strict=True)))
        # twice: among the proposals of one level, where neighbouring cells see the same face, then
        # among the survivors of all levels. Each image by itself
        found = found.at(self._best_of_neighbours(found).nonzero()[:, 0])
        found = found.at(self._number(found).argsort())
        boxes, owners = self._boxes(found), self.image[found.level]
        best = suppress_in_groups(boxes, found.logits.sigmoid(), owners, SAME_FACE_OVERLAP)
        boxes = boxes[best]
        moved = boxes + found.shifts[best] * (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        return moved, owners[best]

    def _look(self, sheet: Sheet, net: ProposalNet, least: float) -> Cells:
        """The cells of a sheet whose logit is at least `least`."""
        import torch

        fill_it = fill_by_tile if self.canvases.by_tile else fill
        edges = (to_device(edge, self.device) for edge in _odd_edges(sheet))
        features, logits = net.look(fill_it(self.tables, sheet, round_up(sheet.height)), *edges)
        wide, logits = logits.shape[1], logits.flatten()
        passed = logits >= least
        if self.blind:
            room = min(len(passed), len(passed) // self.blind.one_in + _SPARE)
            where = torch.nonzero_static(passed, size=room, fill_value=-1)[:, 0]
            self.failed = self.failed | (passed.sum() > room)
            at, there = where.clamp(min=0), where >= 0
        else:
            at = passed.nonzero()[:, 0]
            there = torch.ones_like(at, dtype=torch.bool)
        level, row, column, whole = self._named(sheet, at, wide)
        shifts = net.shifts(features.flatten(0, 1)[at])
        cells = Cells(level, row, column, logits[at], shifts, there & whole)
        return cells if self.blind else cells.at(cells.there.nonzero()[:, 0])

    def _named(
        self, sheet: Sheet, at: "torch.Tensor", wide: int
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]":
        """Level, row and column of the sheet's cells at `at`; false for those not in one tile."""
        facts, tile_at, shelves = (to_device(part, self.device) for part in _geometry(sheet))
        down, across = at // wide, at % wide
        level, top, left, first, high, columns = facts[tile_at[shelves[down], across]].unbind(1)
        row, column = down - top, across - left
        return level, first + row, column, (row < high) & (column < columns)

    def _number(self, found: Cells) -> "torch.Tensor":
        """The cells' numbers, when those of all levels are counted through."""
        return self.base[found.level] + found.row * self.wide[found.level] + found.column

    def _boxes(self, found: Cells) -> "torch.Tensor":
        """What the cells see, (k, 4), in whole pixels of the photograph."""
        import torch

        corner = torch.stack((found.column, found.row), 1).float() * STRIDE
        # by tensors: by a plain number CUDA multiplies with its inverse, and where a CPU gets a
        # whole number, floor would go to the one below
        scale = self.scale[found.level, None]
        # the + 1 is facenet-pytorch's (MATLAB counts from 1)
        return torch.cat((((corner + 1) / scale).floor(), ((corner + CELL) / scale).floor()), 1)

    def _best_of_neighbours(self, found: Cells) -> "torch.Tensor":
        """Whether to keep each cell: greedy suppression inside each level.

        All boxes of a level are of one size, so that only near neighbours overlap enough."""
        import torch

        others, hides = self._hidden_by(found)
        kept = found.there
        for turn in itertools.count(1):
            settled = found.there & ~(hides & kept[others]).any(1)
            if self.blind and turn >= self.blind.rounds:
                self.failed = self.failed | (settled != kept).any()
                return settled
            if not self.blind and torch.equal(settled, kept):
                return settled
            kept = settled
        raise AssertionError  # count has no end

    def _hidden_by(self, found: Cells) -> "tuple[torch.Tensor, torch.Tensor]":
        """Each cell's neighbours as (k, n) places in the list, and whether each, kept, hides it."""
        import torch

        end = self.levels[-1].end
        number = torch.where(found.there, self._number(found), end)
        place = torch.full((end + 1,), -1, dtype=torch.int32, device=self.device)
        place[number] = torch.arange(len(number), dtype=torch.int32, device=self.device)
        place[end] = -1
        reach = _reach(max(level.scale for level in self.levels))
        steps = [n for n in itertools.product(range(-reach, reach + 1), repeat=2) if n != (0, 0)]
        down, across = to_device(np.array(steps), self.device).unbind(1)
        row, column = found.row[:, None] + down, found.column[:, None] + across
        high, wide = self.high[found.level, None], self.wide[found.level, None]
        inside = (row >= 0) & (row < high) & (column >= 0) & (column < wide)
        theirs = torch.where(inside, number[:, None] + down * wide + across, end).clamp(0, end)
        others = place[theirs]
        known, others = others >= 0, others.clamp(min=0)
        scores, boxes = found.logits.sigmoid(), self._boxes(found)
        # of equals the first
        better = scores[others] > scores[:, None]
        better |= (scores[others] == scores[:, None]) & (theirs < number[:, None])
        alike = overlaps(boxes[:, None], boxes[others]) > SAME_LEVEL_OVERLAP
        return others, known & better & alike


def _reach(scale: float) -> int:
    """How many cells away a box may be that overlaps by more than half.

    By more than half of what both cover: in one direction by over a third of both widths together,
    and these are 11 / scale, give or take a pixel at each edge."""
    return math.ceil((CELL - 1 + 5 * scale) / (3 * STRIDE)) - 1


def _odd_edges(sheet: Sheet) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]":
    """The pools that hold a single row, and those that hold a single column, by number."""
    across = sheet.width // 2 - 1
    low, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for shelf in sheet.shelves:
        for left, tile in shelf.tiles:
            high, wide = tile.height, tile.size.columns
            y, x = shelf.top // 2, left // 2
            if high % 2:
                low.append((y + high // 2 - 1) * across + x + np.arange((wide - 1) // 2))
            if wide % 2:
                right.append((y + np.arange((high - 1) // 2)) * across + x + wide // 2 - 1)
    return np.concatenate(low), np.concatenate(right)


def _geometry(sheet: Sheet) -> "tuple[npt.NDArray[np.int64], ...]":
    """The tiles' facts, a tile's number by (shelf, cell's column), a shelf's by cell's row.

    Facts are level, top, left and first row in cells, rows and columns of cells. The last tile and
    the last shelf stand for where there is none.
    """
    count = sum(len(shelf.tiles) for shelf in sheet.shelves)
    facts = np.zeros((count + 1, 6), np.int64)
    tile_at = np.full((len(sheet.shelves) + 1, sheet.width // 2), count)
    shelves = np.full(round_up(sheet.height) // 2, len(sheet.shelves))
    number = 0
    for row, shelf in enumerate(sheet.shelves):
        top = shelf.top // 2
        shelves[top : top + shelf.height // 2] = row
        for left, tile in shelf.tiles:
            start, wide = left // 2, tile.size.cells_wide
            first = tile.start // STRIDE
            facts[number] = tile.level, top, start, first, tile.cells_high, wide
            tile_at[row, start : start + wide] = number
            number += 1
    return facts, tile_at, shelves


def round_up(pixels: int) -> int:
    """The next even number with four leading bits, for sides of what a network is given.

    oneDNN prepares a convolution anew for each shape, 0.2 to 0.6 ms, and keeps 1024 of them:
    photographs of all sizes should come down to a few hundred shapes."""
    step = max(2, 1 << max(0, pixels.bit_length() - 4))
    return -(-pixels // step) * step
