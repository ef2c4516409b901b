"""A hint that a JPEG was saved twice, from the histograms of its coefficients.

After two quantisations with unequal steps some values of a coefficient are rare, and others are
frequent. The picture itself, cut four pixels further, tells what the values were before: its grid
is another one. For every quality of libjpeg: does a first saving with it explain the histograms
better than no first saving does? Source: Lukas and Fridrich, "Estimation of primary quantization
matrix in double compressed JPEG images" (DFRWS 2003), histogram matching.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakefacecli.base.records import Pixels
from fakefacecli.evidence.jpeg import LUMINANCE, scaled_table

Floats = NDArray[np.float32]

SMALLEST_PX = 192  # below it the histograms are too thin
# of a file of a lower quality: of 79 pictures saved once at 70, 5 were taken for saved twice
LEAST_QUALITY = 75
LEAST_GAIN = 0.5
_FIRST = range(30, 100)
_COARSER = 1.15
_CELL = 8
_SHIFT = 4  # pixels, half a block: as far from the file's grid as possible
_MOST_BLOCKS = 1 << 14  # more do not sharpen the answer: 1024 x 1024 pixels
_REACH = 24  # quantised values that are told apart, on either side of 0
# frequencies, as rows and columns, that hold enough values other than 0 in photographs
_USED = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0), (2, 2))


@dataclass(frozen=True, slots=True)
class Recompression:
    """`gain` is the share of the misfit, 0..1, that a first saving at `quality` explains."""

    gain: float
    quality: int

    @property
    def found(self) -> bool:
        """Whether the file is said to have been saved twice."""
        return self.gain >= LEAST_GAIN


def find_recompression(luma: Pixels, table: tuple[int, ...]) -> Recompression | None:
    """The first saving that explains a picture best; None where it is too small to tell.

    `luma` (H, W) uint8 as the decoder gives it, `table` its 64 steps row by row.
    """
    if min(luma.shape) < SMALLEST_PX:
        return None
    seen, before = _coefficients(luma), _coefficients(luma[_SHIFT:, _SHIFT:])
    steps = _used(table)
    observed = _histograms(seen / steps)
    alone = _misfit(observed, _histograms(before / steps))
    if alone <= 0.0:
        return None
    gains = {
        quality: 1.0 - _misfit(observed, _histograms(_saved(before, first) / steps)) / alone
        for quality in _FIRST
        # only a first saving that was clearly the stronger one leaves traces that can be told from
        # those of the picture itself
        if (first := _used(scaled_table(LUMINANCE, quality))).sum() >= _COARSER * steps.sum()
    }
    if not gains:
        return None
    best = max(gains, key=lambda quality: gains[quality])
    return Recompression(round(max(0.0, gains[best]), 3), best)


def _used(table: tuple[int, ...]) -> Floats:
    return np.array([table[_CELL * row + column] for row, column in _USED], np.float32)


def _saved(coefficients: Floats, steps: Floats) -> Floats:
    kept: Floats = np.rint(coefficients / steps) * steps
    return kept


def _coefficients(luma: Pixels) -> Floats:
    """(blocks, frequencies) of the DCT of ITU-T T.81, A.3.3, not yet quantised."""
    rows, columns = (side // _CELL for side in luma.shape)
    blocks = luma[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    chosen = np.ascontiguousarray(blocks[:: max(1, -(-rows * columns // _MOST_BLOCKS))])
    pixels = chosen.transpose(0, 2, 1, 3).reshape(-1, _CELL, _CELL).astype(np.float32) - 128
    basis = _basis()
    turned = np.einsum("ux,nxy,vy->nuv", basis, pixels, basis, optimize=True)
    return np.stack([turned[:, row, column] for row, column in _USED], axis=1)


@functools.cache
def _basis() -> Floats:
    wave, place = np.mgrid[0:_CELL, 0:_CELL]
    basis = np.cos((2 * place + 1) * wave * np.pi / (2 * _CELL)) / 2
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


def _histograms(quantised: Floats) -> NDArray[np.float64]:
    """(frequencies, values): the shares of -_REACH.._REACH; what lies beyond counts as the last."""
    values = np.clip(np.rint(quantised), -_REACH, _REACH).astype(np.int64) + _REACH
    width = 2 * _REACH + 1
    places = values + width * np.arange(values.shape[1])
    counts = np.bincount(places.ravel(), minlength=width * values.shape[1])
    return counts.reshape(-1, width) / len(values)


def _misfit(observed: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(np.square(observed - expected).sum())
