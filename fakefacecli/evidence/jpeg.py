"""How strongly a JPEG was compressed, told from its quantisation table without decoding it.

The answer is the quality of libjpeg's scale (1..100) whose luminance table is nearest to the
file's, by the sum of absolute differences. Cameras and Photoshop have tables of their own, for
which that is a likeness and no more; what was compressed twice shows only the last time.
"""

import functools

from fakefacecli.evidence.structure import jpeg_segments

# ITU-T T.81 (1992), tables K.1 and K.2, row by row: what libjpeg scales to a quality
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
_CELLS = len(LUMINANCE)  # 8 x 8
_START, _TABLES = b"\xff\xd8", 0xDB


def jpeg_quality(data: bytes) -> int | None:
    """The quality, 1..100, of a JPEG's bytes up to its scan; None for what is none or has no table.

    Of two equally near ones the higher.
    """
    table = _first_table(data)
    if table is None:
        return None
    off = {
        quality: sum(abs(a - b) for a, b in zip(table, _table_of(quality), strict=True))
        for quality in range(1, 101)
    }
    return min(off, key=lambda quality: (off[quality], -quality))


def read_quality(path: str) -> int | None:
    """The same of a file; None when it cannot be read."""
    try:
        with open(path, "rb") as handle:
            start = handle.read(len(_START))
            # nobody knows how much metadata stands before the table
            return jpeg_quality(start + handle.read()) if start == _START else None
    except OSError:
        return None


@functools.cache
def scaled_table(base: tuple[int, ...], quality: int) -> tuple[int, ...]:
    """What libjpeg makes of LUMINANCE or CHROMINANCE for a quality, 1..100; row by row."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(255, max(1, (step * percent + 50) // 100)) for step in base)


@functools.cache
def _table_of(quality: int) -> tuple[int, ...]:
    """libjpeg's luminance table of a quality, in the zigzag order of a file."""
    table = scaled_table(LUMINANCE, quality)
    return tuple(table[cell] for cell in zigzag())


@functools.cache
def zigzag() -> tuple[int, ...]:
    """The cells in a file's order: by diagonals, odd ones downwards and even ones upwards."""

    def place(cell: int) -> tuple[int, int]:
        row, column = divmod(cell, 8)
        return row + column, row if (row + column) % 2 else column

    return tuple(sorted(range(_CELLS), key=place))


def _first_table(data: bytes) -> tuple[int, ...] | None:
    """Table 0, the luminance one, in zigzag order."""
    if not data.startswith(_START):
        return None
    for marker, start, end in jpeg_segments(data):
        if marker == _TABLES and (table := _in_segment(data[start + 4 : end])):
            return table
    return None


def _in_segment(segment: bytes) -> tuple[int, ...] | None:
    while segment:
        wide, number = 1 + (segment[0] >> 4 & 1), segment[0] & 15
        cells, segment = segment[1 : 1 + _CELLS * wide], segment[1 + _CELLS * wide :]
        if number == 0 and len(cells) == _CELLS * wide:
            return tuple(
                int.from_bytes(cells[at : at + wide], "big") for at in range(0, len(cells), wide)
            )
    return None
