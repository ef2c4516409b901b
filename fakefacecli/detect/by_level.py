"""The first network level by level, image by image: the way that is faster on a CPU.

There what a step touches should stay in the caches, so that many small steps cost less than few
large ones; sweep.py is the other way.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fakefacecli.detect import networks
from fakefacecli.detect.canvas import LevelSize
from fakefacecli.detect.later import SAME_FACE_OVERLAP
from fakefacecli.detect.pyramid import Level, Tables
from fakefacecli.detect.sweep import SAME_LEVEL_OVERLAP, round_up

if TYPE_CHECKING:
    import torch


class LevelByLevel:
    """Proposes boxes with `net`, whose logit is to be at least `least`.

    A level of more than `band_pixels` goes through it in horizontal bands.
    """

    def __init__(self, net: networks.ProposalNet, least: float, band_pixels: int) -> None:
        self.net, self.least, self.band_pixels = net, least, band_pixels

    def propose(
        self, tables: Tables, levels: Sequence[LevelSize]
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """Boxes (k, 4) that may hold a face, moved by the network, and their images' numbers."""
        import torch
        from torchvision.ops import nms

        device = tables.sums.device
        found = [torch.empty((0, 4), device=device)]
        counts = [0] * len(tables.sizes)
        for first, count in _stacks(tables):
            seen = [
                self._propose_at(level, tables, count) for level in levels if level.image == first
            ]
            for number in range(count):
                # twice: among the proposals of one level, where neighbouring cells see the same
                # face, then among the survivors of all levels. Each image by itself
                kept = []
                for images, boxes, logits, shifts in seen:
                    mine = (images == number).nonzero()[:, 0] if count > 1 else slice(None)
                    rows = torch.cat((boxes[mine], logits[mine, None], shifts[mine]), 1)
                    kept.append(rows[nms(rows[:, :4], rows[:, 4].sigmoid(), SAME_LEVEL_OVERLAP)])
                if kept:
                    rows = torch.cat(kept)
                    rows = rows[nms(rows[:, :4], rows[:, 4].sigmoid(), SAME_FACE_OVERLAP)]
                    sides = (rows[:, 2:4] - rows[:, :2]).repeat(1, 2)
                    found.append(rows[:, :4] + rows[:, 5:] * sides)
                    counts[first + number] = len(rows)
        owners = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        return torch.cat(found), owners.to(device)

    def _propose_at(
        self, size: LevelSize, tables: Tables, count: int
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]":
        """Proposals of one level: their image in the stack, boxes, logits and shifts."""
        import torch

        rows, columns = size.rows, size.columns
        view = tables.view(size.image, count)
        level = Level(view, size.height, size.width, rows, columns)
        # a large level goes through in horizontal bands. Two neighbours share CELL - STRIDE rows,
        # so each cell is seen whole by one of them, and the answers are those of the whole level
        cells = size.cells_high
        bands = -(-rows * columns * count // self.band_pixels)
        step = -(-cells // bands)
        found = []
        for start in range(0, cells, step):
            # the last band takes in the odd row below the last whole cell
            top = start * networks.STRIDE
            bottom = (
                rows
                if start + step >= cells
                else top + (step - 1) * networks.STRIDE + networks.CELL
            )
            pixels = level.pool(top, bottom, (round_up(bottom - top), round_up(columns)))
            where, logits, shifts = self.net.propose(pixels, (bottom - top, columns), self.least)
            where[:, 1] += start
            found.append((where, logits, shifts))
        where, logits, shifts = (torch.cat(parts) for parts in zip(*found, strict=True))
        corner = where[:, 1:].flip(1).to(shifts.dtype) * networks.STRIDE
        # by a plain number CUDA multiplies with its inverse: where a CPU gets a whole number,
        # floor would go to the one below
        scales = torch.full((), size.scale, dtype=shifts.dtype, device=shifts.device)
        # back to pixels of the photograph; the + 1 is facenet-pytorch's (MATLAB counts from 1)
        boxes = torch.cat(
            (((corner + 1) / scales).floor(), ((corner + networks.CELL) / scales).floor()), 1
        )
        return where[:, 0], boxes, logits, shifts


def _stacks(tables: Tables) -> Iterator[tuple[int, int]]:
    """First and number of images to send through the proposal network together.

    On a GPU these are neighbours of one size. A CPU is busy with one image, and its answer
    is then the same to the last bit whatever comes along with it."""
    sizes, on_cpu = tables.sizes, tables.sums.device.type == "cpu"
    first = 0
    while first < len(sizes):
        last = first + 1
        while not on_cpu and last < len(sizes) and sizes[last] == sizes[first]:
            last += 1
        yield first, last - first
        first = last
