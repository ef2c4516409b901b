"""Area resampling of whole images and of many boxes at once, from one summed-area table an image.

A pixel's three channels share one int64 entry, 21 bits each, so a table costs 8 bytes a pixel and
one look-up serves all three. Only differences of entries are used, and these are exact however
often the running sums wrap, as long as the sum over one bin fits its 21 bits; taller bins are
summed in strips. Bins are those of adaptive average pooling: output i of n covers the pixels
floor(i * N / n) up to ceil((i + 1) * N / n) of N, so neighbours may share a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from fakefacecli.records import Pixels

if TYPE_CHECKING:
    import torch

FIELD_BITS = 21
FIELD = (1 << FIELD_BITS) - 1
# the sum over a bin of this many pixels, all of them 255, still fits a field
BIN_PIXELS = FIELD // 255


@dataclass(frozen=True, slots=True)
class Tables:
    """The summed-area tables of some images in one flat int64 tensor, `sums`.

    Image k's entry (y, x) lies at `starts[k] + y * strides[k] + x` and sums the pixels above and
    to the left of it, so a table is one larger than its image; `sizes` are (height, width).
    """

    sums: torch.Tensor
    starts: torch.Tensor
    strides: torch.Tensor
    sizes: tuple[tuple[int, int], ...]

    def view(self, first: int, count: int) -> torch.Tensor:
        """The tables (count, height + 1, stride) of `count` neighbours of equal size."""
        height, width = self.sizes[first]
        stride = _stride(width)
        entries = (height + 1) * stride
        return self.sums.as_strided(
            (count, height + 1, stride), (entries, stride, 1), int(self.starts[first])
        )


def tabulate(images: Sequence[Pixels], device: torch.device) -> Tables:
    """Sum up `images`, each (H, W, 3) uint8."""
    import numpy as np
    import torch

    sizes = tuple((image.shape[0], image.shape[1]) for image in images)
    strides = [_stride(width) for _, width in sizes]
    entries = [(size[0] + 1) * stride for size, stride in zip(sizes, strides, strict=True)]
    *starts, end = accumulate(entries, initial=0)
    sums = torch.empty(end, dtype=torch.int64, device=device)
    tables = Tables(sums, torch.tensor(starts), torch.tensor(strides), sizes)
    for number, image in enumerate(images):
        # torch warns of arrays it may not write to and refuses negative strides
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(device)
        width = sizes[number][1]
        table = tables.view(number, 1)[0]
        table[0] = 0
        table[:, 0] = 0
        packed = table[1:, 1 : width + 1]
        packed.copy_(pixels[..., 0])
        packed.add_(pixels[..., 1], alpha=1 << FIELD_BITS)
        packed.add_(pixels[..., 2], alpha=1 << 2 * FIELD_BITS)
        torch.cumsum(packed, 1, out=packed)
        torch.cumsum(packed, 0, out=packed)
    return Tables(sums, tables.starts.to(device), tables.strides.to(device), sizes)


def _stride(width: int) -> int:
    """Entries from row to row: running down a column at a power of two thrashes the cache."""
    stride = -(-(width + 1) // 8) * 8
    return stride if stride % 64 else stride + 8


@dataclass(frozen=True, slots=True)
class Level:
    """Images of one size (`height`, `width`), seen at the smaller size (`rows`, `columns`)."""

    tables: torch.Tensor
    height: int
    width: int
    rows: int
    columns: int

    def pool(self, first: int, last: int, canvas: tuple[int, int]) -> torch.Tensor:
        """Rows `first` to `last` of the level: (n, *canvas, 3) float32 in 0..255.

        They lie in the canvas's upper left corner; the rest of it is zero.
        """
        import torch

        device = self.tables.device
        tops, bottoms = (
            edges[first:last] for edges in _bins(self.height, self.rows, device=device)
        )
        lefts, rights = _bins(self.width, self.columns, device=device)
        shape = (len(self.tables), last - first, self.columns)
        means = torch.empty((shape[0], *canvas, 3), device=device)
        means[:, shape[1] :] = 0
        means[:, : shape[1], shape[2] :] = 0
        inside = means[:, : shape[1], : shape[2]]
        high = bottoms - tops
        shares = high.float().reciprocal()[:, None] * (rights - lefts).float().reciprocal()
        largest = (-(-self.height // self.rows) + 1) * (-(-self.width // self.columns) + 1)
        strips = -(-largest // BIN_PIXELS)
        for strip in range(strips):
            above, below = tops + high * strip // strips, tops + high * (strip + 1) // strips
            tall = self.tables.index_select(1, below).sub_(self.tables.index_select(1, above))
            sums = tall.gather(2, rights.expand(shape)).sub_(tall.gather(2, lefts.expand(shape)))
            _add_means(inside, sums, shares, first=strip == 0)
        return means


def pool_boxes(
    tables: Tables, owners: torch.Tensor, boxes: torch.Tensor, size: int
) -> torch.Tensor:
    """Resample `boxes` (k, 4) to (k, 3, size, size) float32 in 0..255.

    `boxes` are left, top, right, bottom in whole pixels, inside their images and not empty;
    `owners` (k,) says which image each belongs to.
    """
    import torch

    left, top, right, bottom = boxes.unbind(1)
    lefts, rights = _bins(right - left, size, device=boxes.device)
    tops, bottoms = _bins(bottom - top, size, device=boxes.device)
    high, wide = bottoms - tops, rights - lefts
    shares = high.float().reciprocal()[:, :, None] * wide.float().reciprocal()[:, None, :]
    stride, start = tables.strides[owners], tables.starts[owners]
    columns = torch.cat((lefts, rights), 1) + (left + start)[:, None]
    means = shares.new_empty((len(boxes), size, size, 3))
    strips = -(-int((high.amax() * wide.amax()).item()) // BIN_PIXELS) if len(boxes) else 0
    for strip in range(strips):
        above, below = tops + high * strip // strips, tops + high * (strip + 1) // strips
        rows = (torch.cat((above, below), 1) + top[:, None]) * stride[:, None]
        where = rows[:, :, None] + columns[:, None, :]
        corners = tables.sums.index_select(0, where.view(-1)).view(where.shape)
        tall = corners[:, size:] - corners[:, :size]
        _add_means(means, tall[..., size:] - tall[..., :size], shares, first=strip == 0)
    return means.permute(0, 3, 1, 2)


def _bins(
    length: int | torch.Tensor, count: int, *, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and one-past-last pixel of `count` bins over `length` pixels, each (..., count)."""
    import torch

    steps = torch.arange(count + 1, device=device)
    ends = steps * (length if isinstance(length, int) else length[:, None])
    return ends[..., :-1] // count, -(-ends[..., 1:] // count)


def _add_means(
    means: torch.Tensor, sums: torch.Tensor, shares: torch.Tensor, *, first: bool
) -> None:
    """Unpack `sums` (..., rows, columns) and put them, times `shares`, into `means` (..., 3).

    The strips of one bin come one after the other: the first sets, the others add.
    """
    import torch

    fields = sums & FIELD, (sums >> FIELD_BITS) & FIELD, sums >> 2 * FIELD_BITS
    for field, mean in zip(fields, means.unbind(-1), strict=True):
        if first:
            torch.mul(field.float(), shares, out=mean)
        else:
            mean.addcmul_(field.float(), shares)
