"""The quantisation tables of a JPEG: how much of each frequency an encoder threw away."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from fakefacecli.evidence.jpeg import CHROMINANCE, LUMINANCE, scaled_table, zigzag
from fakefacecli.evidence.structure import jpeg_segments

_CELLS = 64
_DQT = 0xDB
_MOST_TABLES = 64  # four is all that a picture can use


@dataclass(frozen=True, slots=True)
class QuantisationTable:
    """A table as the file defines it: `number` 0..3, `bits` 8 or 16, 64 `steps` row by row.

    `quality` is the libjpeg quality, 1..100, whose luminance or chrominance table is nearest;
    `off` is the mean difference of a step to it, 0.0 where the table is exactly libjpeg's.
    """

    number: int
    bits: int
    steps: tuple[int, ...]
    kind: str
    quality: int
    off: float

    @property
    def is_libjpegs(self) -> bool:
        """Whether libjpeg makes exactly this table."""
        return self.off == 0.0


def read_tables(data: bytes) -> tuple[QuantisationTable, ...]:
    """Every table before the first scan, in the file's order; none of what is no JPEG.

    Source: ITU-T T.81, B.2.4.1.
    """
    if not data.startswith(b"\xff\xd8"):
        return ()
    found: list[QuantisationTable] = []
    for marker, start, end in jpeg_segments(data):
        if marker == _DQT:
            found.extend(_in_segment(data[start + 4 : end]))
        if len(found) >= _MOST_TABLES:
            break
    return tuple(found[:_MOST_TABLES])


def _in_segment(segment: bytes) -> Iterator[QuantisationTable]:
    order = zigzag()
    while segment:
        wide, number = 1 + (segment[0] >> 4 & 1), segment[0] & 15
        cells, segment = segment[1 : 1 + _CELLS * wide], segment[1 + _CELLS * wide :]
        if len(cells) < _CELLS * wide:
            return
        steps = [0] * _CELLS
        for place, cell in enumerate(order):
            steps[cell] = int.from_bytes(cells[place * wide : (place + 1) * wide], "big")
        kind, quality, off = _nearest(tuple(steps), number)
        yield QuantisationTable(number, 8 * wide, tuple(steps), kind, quality, off)


@functools.lru_cache(maxsize=_MOST_TABLES)
def _nearest(steps: tuple[int, ...], number: int) -> tuple[str, int, float]:
    """The kind and quality of libjpeg's nearest table, and the mean difference to it."""
    # at quality 100 both kinds are all ones: then the number decides, which is 0 for luminance
    kinds = [("luminance", LUMINANCE), ("chrominance", CHROMINANCE)]
    near = [
        (sum(abs(a - b) for a, b in zip(steps, scaled_table(base, q), strict=True)), at, -q, kind)
        for at, (kind, base) in enumerate(kinds if number == 0 else kinds[::-1])
        for q in range(1, 101)
    ]
    off, _, quality, kind = min(near)
    return kind, -quality, round(off / _CELLS, 2)
