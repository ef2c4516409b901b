"""Area resampling of whole images and of many boxes at once, from one summed-area table an image.

Crow: "Summed-area tables for texture mapping", SIGGRAPH 1984. A table holds int32 sums, three
channels side by side. Only differences of entries are used, and these are exact however often the
running sums wrap, as a bin of 8 million pixels still fits. Bins are those of adaptive average
pooling: output i of n covers the pixels floor(i * N / n) up to ceil((i + 1) * N / n) of N, so
neighbours may share a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from fakefacecli.base.device import to_device, uploaded
from fakefacecli.base.records import Pixels

if TYPE_CHECKING:
    import torch

CHANNELS = 3
# the sum over a bin of this many pixels, all of them 255, still fits an int32
BIN_PIXELS = ((1 << 31) - 1) // 255


@dataclass(frozen=True, slots=True)
class Tables:
    """The summed-area tables of some images in one tensor, `sums` (entries, 3) int32.

    Image k's entry (y, x) lies at `starts[k] + y * strides[k] + x` and sums the pixels above and
    to the left of it, so a table is one larger than its image; `sizes` are (height, width).
    `limits` (k, 2) are widths and heights, on the device; `places` starts and strides, off it.
    """

    sums: "torch.Tensor"
    starts: "torch.Tensor"
    strides: "torch.Tensor"
    limits: "torch.Tensor"
    sizes: tuple[tuple[int, int], ...]
    places: tuple[tuple[int, int], ...]

    def view(self, first: int, count: int) -> "torch.Tensor":
        """The tables (count, height + 1, width + 1, 3) of `count` neighbours of equal size."""
        height, width = self.sizes[first]
        shape = (count, height + 1, width + 1, CHANNELS)
        start = self.places[first][0]
        return self.sums[start : start + shape[0] * shape[1] * shape[2]].view(shape)


def tabulate(images: Sequence[Pixels], device: "torch.device") -> Tables:
    """Sum up `images`, each (H, W, 3) uint8."""
    import numpy as np
    import torch

    sizes = tuple((image.shape[0], image.shape[1]) for image in images)
    strides = [width + 1 for _, width in sizes]
    entries = [(height + 1) * (width + 1) for height, width in sizes]
    *starts, end = accumulate(entries, initial=0)
    if device.type == "cpu":
        # numpy asks for huge pages, torch does not: a third of the time went into page faults
        sums = torch.from_numpy(np.empty((end, CHANNELS), np.int32))
    else:
        sums = torch.empty((end, CHANNELS), dtype=torch.int32, device=device)
    limits = np.array(sizes, np.int64).reshape(-1, 2)[:, ::-1].copy()
    tables = Tables(
        sums,
        to_device(np.array(starts, np.int64), device),
        to_device(np.array(strides, np.int64), device),
        to_device(limits, device),
        sizes,
        tuple(zip(starts, strides, strict=True)),
    )
    for number, image in enumerate(images):
        _sum_up(image, tables.view(number, 1)[0])
    return tables


def _sum_up(pixels: Pixels, table: "torch.Tensor") -> None:
    """Fill the `table` (H + 1, W + 1, 3) of an image."""
    import cv2
    import numpy as np
    import torch

    # from about 2,900 x 2,900 pixels on the sums may pass 2^31 and wrap around. That is no error:
    # int32 arithmetic is exact modulo 2^32, and a difference that fits comes out right
    if table.device.type == "cpu":
        cv2.integral(np.ascontiguousarray(pixels), table.numpy(), sdepth=cv2.CV_32S)
        return
    table[0] = 0
    table[:, 0] = 0
    inner = table[1:, 1:]
    torch.cumsum(uploaded(pixels, table.device), 1, dtype=torch.int32, out=inner)
    torch.cumsum(inner, 0, dtype=torch.int32, out=inner)


@dataclass(frozen=True, slots=True)
class Level:
    """Images of one size (`height`, `width`), seen at the smaller size (`rows`, `columns`)."""

    tables: "torch.Tensor"
    height: int
    width: int
    rows: int
    columns: int

    def pool(self, first: int, last: int, canvas: tuple[int, int]) -> "torch.Tensor":
        """Rows `first` to `last` of the level: (n, *canvas, 3) float32 in 0..255.

        They lie in the canvas's upper left corner; the rest of it is zero.
        """
        import torch

        rows = last - first
        means = torch.empty((len(self.tables), *canvas, CHANNELS), device=self.tables.device)
        means[:, rows:] = 0
        means[:, :rows, self.columns :] = 0
        self.pool_into(means[:, :rows, : self.columns], first, last)
        return means

    def pool_into(self, inside: "torch.Tensor", first: int, last: int) -> None:
        """Put rows `first` to `last` of the level into `inside` (n, last - first, columns, 3)."""
        device = self.tables.device
        tops, bottoms = (
            edges[first:last] for edges in _bins(self.height, self.rows, device=device)
        )
        lefts, rights = _bins(self.width, self.columns, device=device)
        high = bottoms - tops
        shares = high.float().reciprocal()[:, None] * (rights - lefts).float().reciprocal()
        # a bin of more than BIN_PIXELS would not fit an int32: it is summed in horizontal strips
        largest = (-(-self.height // self.rows) + 1) * (-(-self.width // self.columns) + 1)
        strips = -(-largest // BIN_PIXELS)
        flat = self.tables.flatten(2)
        shape = (len(self.tables), last - first, self.columns * CHANNELS)
        left, right = (_channels_of(edges).expand(shape) for edges in (lefts, rights))
        for strip in range(strips):
            above, below = tops + high * strip // strips, tops + high * (strip + 1) // strips
            # a bin's sum is that of four entries: two rows less each other, then two columns
            tall = flat.index_select(1, below).sub_(flat.index_select(1, above))
            sums = tall.gather(2, right).sub_(tall.gather(2, left)).view(inside.shape)
            _add_means(inside, sums, shares, first=strip == 0)


def _channels_of(columns: "torch.Tensor") -> "torch.Tensor":
    """Where the channels of `columns` (k,) lie in a flattened row: (k * 3,)."""
    import torch

    return (columns[:, None] * CHANNELS + torch.arange(CHANNELS, device=columns.device)).flatten()


def pool_boxes(
    tables: Tables, owners: "torch.Tensor", boxes: "torch.Tensor", size: int
) -> "torch.Tensor":
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
    means = shares.new_empty((len(boxes), size, size, CHANNELS))
    # the largest bin that a box inside its image can have: to ask for the largest there is would
    # be a wait for the device
    tallest, widest = (-(-max(sides) // size) + 1 for sides in zip(*tables.sizes, strict=True))
    strips = -(-tallest * widest // BIN_PIXELS)
    for strip in range(strips):
        above, below = tops + high * strip // strips, tops + high * (strip + 1) // strips
        rows = (torch.cat((above, below), 1) + top[:, None]) * stride[:, None]
        where = rows[:, :, None] + columns[:, None, :]
        corners = _entries_at(tables.sums, where)
        tall = corners[:, size:] - corners[:, :size]
        _add_means(means, tall[:, :, size:] - tall[:, :, :size], shares, first=strip == 0)
    return means.permute(0, 3, 1, 2)


def _entries_at(sums: "torch.Tensor", where: "torch.Tensor") -> "torch.Tensor":
    """The entries of `sums` (entries, 3) at `where`: (*where.shape, 3)."""
    import torch

    if sums.device.type == "cpu":  # numpy copies a row at once, torch number by number
        found = torch.from_numpy(sums.numpy().take(where.numpy().ravel(), 0))
    else:
        found = sums.index_select(0, where.reshape(-1))
    return found.view(*where.shape, CHANNELS)


def _bins(
    length: "int | torch.Tensor", count: int, *, device: "torch.device"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """First and one-past-last pixel of `count` bins over `length` pixels, each (..., count)."""
    import torch

    steps = torch.arange(count + 1, device=device)
    ends = steps * (length if isinstance(length, int) else length[:, None])
    return ends[..., :-1] // count, -(-ends[..., 1:] // count)  # floor, ceiling


def _add_means(
    means: "torch.Tensor", sums: "torch.Tensor", shares: "torch.Tensor", *, first: bool
) -> None:
    """Put `sums` (..., rows, columns, 3), times `shares` (..., rows, columns), into `means`.

    The strips of one bin come one after the other: the first sets, the others add.
    """
    if first:
        means.copy_(sums).mul_(shares[..., None])  # in one step it takes six times as long
    else:
        means.addcmul_(sums.float(), shares[..., None])
