"""Which way up a picture is shown: the EXIF orientation that browsers and viewers obey.

A value counts only in the form that the standard gives it (CIPA DC-008, tag 0x0112: one SHORT,
1..8), in the first IFD of the place that the format has for it: the first Exif segment of a JPEG,
the eXIf chunk before a PNG's pixels, the EXIF chunk of a WebP, a TIFF's own directory. XMP never
turns a picture, and neither do ImageMagick's profiles in PNG text.
"""

import io
import struct
from collections.abc import Iterator

from PIL import Image

from fakefacecli.evidence.structure import jpeg_segments, png_chunks

TAG = 0x0112
_SHORT = 3
_MOST_PAGES = 10_000  # directories of a TIFF that are looked at; a chain may lead in a circle


def stored_orientation(image: Image.Image, data: bytes, what: str) -> int:
    """The orientation, 1..8, in which the opened `image` whose file is `data` is stored.

    1 also for a TIFF (see `levelled_tiff`) and for a HEIF, whose decoder turns it. Total for any
    input.
    """
    if what in ("JPEG", "MPO"):
        return _of_block(_jpeg_exif(data))
    if what == "PNG":
        return _of_block(_png_exif(data))
    if what == "WEBP":
        block = image.info.get("exif")
        return _of_block(block.removeprefix(b"Exif\0\0") if isinstance(block, bytes) else b"")
    return _of_avif(image) if what == "AVIF" else 1


def levelled_tiff(data: bytes) -> tuple[io.BytesIO, tuple[int, ...]]:
    """A TIFF's file with every orientation made 1, and what each of its pages said before.

    Pillow turns a TIFF by itself, and by values of any type: after this it has nothing to turn.
    """
    file, stated = io.BytesIO(data), []
    for entries in _tiff_pages(data):
        found = [entry for entry in entries if entry[0] == TAG]
        stated.append(_valid(data, found))
        for _, _, _, place, order in found:
            # type, count and value of the entry; a BigTIFF's has wider ones
            wide = data[2:4] in (b"\x2b\0", b"\0\x2b")
            file.seek(place - (10 if wide else 6))
            value = struct.pack(order + "HHH", 1, 0, 0)
            shape = struct.pack(order + ("HQ" if wide else "HL"), _SHORT, 1)
            file.write(shape + value[: 4 if not wide else 6] + (b"\0\0" if wide else b""))
    file.seek(0)
    return file, tuple(stated)


def _of_block(block: bytes) -> int:
    """The orientation in an EXIF block that begins with a TIFF header; 1 for anything else."""
    first = next(_tiff_pages(block), []) if block[2:4] in (b"*\0", b"\0*") else []
    return _valid(block, [entry for entry in first if entry[0] == TAG])


# (tag, type, count, where the value or its offset stands, byte order as struct has it)
_Entry = tuple[int, int, int, int, str]


def _valid(data: bytes, entries: list[_Entry]) -> int:
    for _, kind, count, place, order in entries:
        if (kind, count) == (_SHORT, 1):
            (value,) = struct.unpack_from(order + "H", data, place)
            return int(value) if 1 <= value <= 8 else 1
    return 1


def _tiff_pages(data: bytes) -> Iterator[list[_Entry]]:
    """The entries of each directory in the chain of a TIFF, BigTIFF or EXIF block."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return
    wide = struct.unpack_from(order + "H", data, 2)[0] == 43
    number, entry, head = ("Q", "HHQ", 8) if wide else ("H", "HHL", 4)
    offset, size = ("Q", 20) if wide else ("L", 12)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset, data, head)
        while at and at not in seen and len(seen) < _MOST_PAGES:
            seen.add(at)
            (count,) = struct.unpack_from(order + number, data, at)
            start = at + struct.calcsize(number)
            many = min(count, (len(data) - start) // size)
            yield [
                (*struct.unpack_from(order + entry, data, place), place + size - head, order)
                for place in range(start, start + many * size, size)
            ]
            (at,) = struct.unpack_from(order + offset, data, start + count * size)
    except (struct.error, OverflowError):
        return


def _jpeg_exif(data: bytes) -> bytes:
    for marker, start, end in jpeg_segments(data):
        if marker == 0xE1 and data[start + 4 : start + 9] == b"Exif\0":
            return data[start + 10 : end]
    return b""


def _png_exif(data: bytes) -> bytes:
    for kind, chunk in png_chunks(data):
        if kind == b"eXIf":
            return chunk[8:-4]
        if kind == b"IDAT":
            break
    return b""


def _of_avif(image: Image.Image) -> int:
    # Pillow hands on what the boxes irot and imir say, as the EXIF value that means the same; it
    # overrides what the file's EXIF says (AVIF 1.1, "transformative properties")
    block = image.info.get("exif")
    if not isinstance(block, bytes):
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(TAG)
    except Exception:  # noqa: BLE001  (SyntaxError, struct.error, ... as the bytes have it)
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
