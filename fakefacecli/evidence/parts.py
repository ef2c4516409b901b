"""What a file consists of: its chunks, segments, boxes, blocks or directories, in their order.

Walks alone: nothing is decoded. Every walk is bounded by the data and by MOST_PARTS, and ends where
the file makes no sense any more. Sources: PNG (W3C 2003), 5.3 and 14.2; RIFF; GIF89a, 12 to 26;
ISO/IEC 14496-12, 4.2; TIFF 6.0, section 2.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from fakefacecli.evidence.jpeg_frame import jpeg_markers
from fakefacecli.evidence.structure import gif_colours, riff_chunks

MOST_PARTS = 2000
_PNG_START, _RIFF_START = 8, 12
_PNG_KNOWN = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI tEXt zTXt iTXt bKGD hIST "
    b"pHYs sPLT eXIf tIME acTL fcTL fdAT oFFs pCAL sCAL gIFg gIFx sTER dSIG caBX".split()
)
_WEBP_KNOWN = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF"))
_WEBP_META = frozenset((b"XMP ", b"C2PA"))
_GIF_EXTENSIONS = {0xF9: "graphic control", 0xFE: "comment", 0xFF: "application", 0x01: "text"}
_APP_LABELS = (
    (b"JFIF\0", "JFIF"),
    (b"JFXX\0", "JFIF extension"),
    (b"Exif\0", "EXIF"),
    (b"http://ns.adobe.com/xap/1.0/\0", "XMP"),
    (b"http://ns.adobe.com/xmp/extension/\0", "XMP, continued"),
    (b"ICC_PROFILE\0", "colour profile"),
    (b"MPF\0", "list of further pictures"),
    (b"Photoshop 3.0\0", "Photoshop, IPTC"),
    (b"Adobe", "Adobe"),
    (b"Ducky", "Photoshop, save for web"),
    (b"JP", "JUMBF, C2PA"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file: its kind, where it begins, its bytes with its header, and what is odd."""

    kind: str
    start: int
    size: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a file; `trailing` bytes stand behind its end, None where that is not known.

    `more` says that the file has more parts than are listed.
    """

    noun: str
    parts: tuple[Part, ...]
    trailing: int | None
    more: bool = False


def read_layout(data: bytes, what: str | None) -> Layout | None:
    """The parts of `data`, a file of the format `what`; None for a format without parts."""
    noun, walk = _WALKS.get(what or "", ("", None))
    if walk is None:
        return None
    parts = list(itertools.islice(walk(data), MOST_PARTS + 1))
    more = len(parts) > MOST_PARTS
    return Layout(noun, tuple(parts[:MOST_PARTS]), None if more else _trailing(data, what), more)


def _trailing(data: bytes, what: str | None) -> int | None:
    end = _END[what](data) if what in _END else None
    return None if end is None or end > len(data) else len(data) - end


def _jpeg(data: bytes) -> Iterator[Part]:
    for marker in jpeg_markers(data):
        note = ""
        if 0xE0 <= marker.code <= 0xEF:
            body = data[marker.start + 4 : min(marker.end, marker.start + 68)]
            labels = (name for start, name in _APP_LABELS if body.startswith(start))
            note = next(labels, "unknown")
        yield Part(marker.name, marker.start, marker.end - marker.start, note)


def _jpeg_end(data: bytes) -> int | None:
    return next((marker.end for marker in jpeg_markers(data) if marker.name == "EOI"), None)


def _png(data: bytes) -> Iterator[Part]:
    at, order = _PNG_START, 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + size
        if end > len(data):
            yield Part(_letters(kind), at, len(data) - at, f"cut, wanted {size + 12:,} bytes")
            return
        notes = [] if kind in _PNG_KNOWN else ["unknown"]
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            notes.append("wrong checksum")
        if order == 0 and kind != b"IHDR":
            notes.append("wanted IHDR first")
        yield Part(_letters(kind), at, end - at, ", ".join(notes))
        at, order = end, order + 1
        if kind == b"IEND":
            return


def _png_end(data: bytes) -> int | None:
    at = _PNG_START
    while at + 12 <= len(data):
        kind, at = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return at
    return None


def _riff(data: bytes) -> Iterator[Part]:
    reach = min(len(data), _riff_end(data))
    for kind, start, end in riff_chunks(data[:reach]):
        notes = [] if kind in _WEBP_KNOWN or kind in _WEBP_META else ["unknown"]
        if end > reach:
            notes.append(f"cut, wanted {end - start:,} bytes")
        yield Part(_letters(kind), start, min(end, reach) - start, ", ".join(notes))


def _riff_end(data: bytes) -> int:
    size = int.from_bytes(data[4:8], "little")
    return 8 + size + size % 2


def _gif(data: bytes) -> Iterator[Part]:
    for kind, start, end in _gif_blocks(data):
        yield Part(kind, start, min(end, len(data)) - start, "cut" if end > len(data) else "")


def _gif_blocks(data: bytes) -> Iterator[tuple[str, int, int]]:
    colours = gif_colours(data, 10)
    yield "header", 0, 13
    if colours:
        yield "colour table", 13, 13 + colours
    at = 13 + colours
    while at < len(data):
        start = at
        if data[at] == 0x3B:
            yield "end", at, at + 1
            return
        if data[at] == 0x21 and at + 1 < len(data):
            kind = _GIF_EXTENSIONS.get(data[at + 1], f"extension 0x{data[at + 1]:02X}")
            if kind == "application":
                kind += f" {_letters(data[at + 3 : at + 14])}"
            at += 2
        elif data[at] == 0x2C:
            kind, at = "picture", at + 11 + gif_colours(data, at + 9)
        else:
            return
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
        yield kind, start, at


def _gif_end(data: bytes) -> int | None:
    return next((end for kind, _, end in _gif_blocks(data) if kind == "end"), None)


def _boxes(data: bytes) -> Iterator[Part]:
    at = 0
    while at + 8 <= len(data):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1 and at + 16 <= len(data):
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:  # up to the end of the file
            size = len(data) - at
        if size < head:
            return
        note = f"cut, wanted {size:,} bytes" if at + size > len(data) else ""
        yield Part(_letters(kind), at, min(size, len(data) - at), note)
        at += size


def _tiff(data: bytes) -> Iterator[Part]:
    order = "<" if data[:2] == b"II" else ">"
    seen: set[int] = set()
    try:
        if struct.unpack_from(order + "H", data, 2)[0] != 42:  # a BigTIFF
            return
        (at,) = struct.unpack_from(order + "L", data, 4)
        while at and at not in seen:
            seen.add(at)
            (count,) = struct.unpack_from(order + "H", data, at)
            yield Part(f"IFD{len(seen) - 1}", at, 2 + 12 * count + 4, f"{count} tags")
            (at,) = struct.unpack_from(order + "L", data, at + 2 + 12 * count)
    except struct.error:
        return


def _letters(kind: bytes) -> str:
    return kind.decode("latin-1")


# Per format: what its parts are called, how they are found, and where the last one ends.
_WALKS = {
    "JPEG": ("segments", _jpeg),
    "MPO": ("segments", _jpeg),
    "PNG": ("chunks", _png),
    "WEBP": ("chunks", _riff),
    "GIF": ("blocks", _gif),
    "HEIF": ("boxes", _boxes),
    "AVIF": ("boxes", _boxes),
    "JPEG2000": ("boxes", _boxes),
    "TIFF": ("directories", _tiff),
}
_END = {"JPEG": _jpeg_end, "PNG": _png_end, "WEBP": _riff_end, "GIF": _gif_end}
