"""Walks through the structure of image files, without decoding: where parts begin and end.

Bounded by the data, total for any input: what cannot be walked ends the walk.
"""

import re
import struct
from collections.abc import Callable, Iterator

_LONGEST_HEADER = 4096
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NETPBM = re.compile(
    rb"P([456])" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})(?:" + _GAP + rb"(\d{1,10}))?"
)
_PNG = b"\x89PNG\r\n\x1a\n"


def ends_early(data: bytes, what: str | None) -> bool:
    """Does `data` stop before the end that its own structure announces?"""
    reach = _REACH.get(what or "")
    return reach is not None and reach(data) > len(data)


def jpeg_segments(data: bytes, at: int = 2) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment from `at` to a scan; `end` may lie beyond the data.

    Stray bytes between two segments are skipped, as libjpeg does it.
    """
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker <= 0x01 or 0xD0 <= marker <= 0xD8:  # these have no length
            at += 2
            continue
        if marker == 0xD9:
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, end
        if marker == 0xDA:  # start of scan: compressed data without lengths follow
            return
        at = end


def jpeg_scan(data: bytes) -> tuple[int, int]:
    """Where a JPEG's compressed data begin and end, the end marker left out.

    (0, 0) without a scan; the end of the data where no marker says more.
    """
    begin = next((end for marker, _, end in jpeg_segments(data) if marker == 0xDA), 0)
    if not 0 < begin <= len(data):
        return 0, 0
    # inside the scan each 0xFF of the data is followed by a zero, so FF D9 there is the real end;
    # before it, in a thumbnail, it would not be
    end = data.find(b"\xff\xd9", begin)
    return begin, end if end >= 0 else len(data)


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each chunk of a RIFF file; `end` may lie beyond the data."""
    at = 12
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at, end
        at = end + end % 2  # RIFF fills odd chunks up to an even length


def bmff_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start of the content, end) of each box at the top of an ISO base media file."""
    at = 0
    while at + 8 <= len(data):
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:  # its size is too large for 32 bits
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = len(data) if size == 0 else at + size
        if end < at + head:
            return
        yield data[at + 4 : at + 8], at + head, min(end, len(data))
        at = end


def tiff_tags(data: bytes) -> frozenset[int]:
    """The tags of the first directory of a classic TIFF."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "L", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        tags = [struct.unpack_from(order + "H", data, start + 2 + 12 * n)[0] for n in range(count)]
    except struct.error:
        return frozenset()
    return frozenset(tags)


def gif_delays(data: bytes) -> list[int]:
    """For how many hundredths of a second each picture of a GIF is shown, 0 where it does not say.

    Pictures that are not whole count as well.
    """
    at = 13 + gif_colours(data, 10)
    delays, delay = [], 0
    while at < len(data):
        if data[at] == 0x21:  # an extension; F9 is the graphic control
            if data[at + 1 : at + 3] == b"\xf9\4":
                delay = int.from_bytes(data[at + 4 : at + 6], "little")
            at += 2
        elif data[at] == 0x2C:  # a picture: descriptor, colours, the width of its first code
            delays.append(delay)
            delay = 0
            at += 11 + gif_colours(data, at + 9)
        else:
            break
        while at < len(data) and data[at]:  # blocks of up to 255 bytes, up to an empty one
            at += data[at] + 1
        at += 1
    return delays


def gif_comments(data: bytes) -> Iterator[bytes]:
    """Each comment extension of a GIF, its blocks joined."""
    for label, blocks in _gif_extensions(data):
        if label == b"\xfe":
            yield b"".join(blocks)


def gif_application(data: bytes, identifier: bytes) -> bytes:
    """What the first application extension of a GIF with this identifier holds; empty for none."""
    for label, blocks in _gif_extensions(data):
        if label == b"\xff" and blocks[:1] == [identifier]:
            return b"".join(blocks[1:])
    return b""


def _gif_extensions(data: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    at = 13 + gif_colours(data, 10)
    while at < len(data) and data[at] in (0x21, 0x2C):
        label = data[at + 1 : at + 2] if data[at] == 0x21 else b""
        at += 2 if label else 11 + gif_colours(data, at + 9)
        blocks = []
        while at < len(data) and data[at]:
            blocks.append(data[at + 1 : at + 1 + data[at]])
            at += data[at] + 1
        at += 1
        if label:
            yield label, blocks


def gif_colours(data: bytes, at: int) -> int:
    """How many bytes the colour table takes whose flags stand at `at`; 0 for none."""
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, whole chunk) of each chunk that lies wholly in the data."""
    at = len(_PNG)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        yield data[at + 4 : at + 8], data[at:end]
        at = end


def without_metadata(data: bytes, what: str | None) -> bytes | None:
    """The same picture without its metadata, which can be broken alone; None where unknown.

    A JPEG keeps its colour profile; what a PNG says of its colours may be broken, too.
    """
    if what in ("JPEG", "MPO"):
        cut, kept = 2, [b"\xff\xd8"]
        for marker, start, end in jpeg_segments(data):
            # APP0 (JFIF), APP14 (Adobe) and ICC profiles say how to read the colours; the others
            # are metadata
            profile = marker == 0xE2 and data[start + 4 : start + 16] == b"ICC_PROFILE\0"
            if not (marker == 0xFE or (0xE1 <= marker <= 0xEF and marker != 0xEE)) or profile:
                kept.append(data[start:end])
            cut = end
        return b"".join((*kept, data[cut:]))
    if what == "PNG":
        needed = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
        return _PNG + b"".join(chunk for kind, chunk in png_chunks(data) if kind in needed)
    return None


def _jpeg_reach(data: bytes) -> int:
    begin, end = jpeg_scan(data)
    return len(data) if begin and end < len(data) else len(data) + 1


def _png_reach(data: bytes) -> int:
    closed = any(kind == b"IEND" for kind, _ in png_chunks(data))
    return len(data) if closed else len(data) + 1


def _gif_reach(data: bytes) -> int:
    # some writers fill the file up with zeros behind the trailer, which is ";"
    return len(data) if data.rstrip(b"\0").endswith(b";") else len(data) + 1


def _webp_reach(data: bytes) -> int:
    # RIFF's size counts what follows its own 8 bytes
    return max(12, int.from_bytes(data[4:8], "little") + 8)


def _bmp_reach(data: bytes) -> int:
    return max(26, int.from_bytes(data[2:6], "little"))


def _tiff_reach(data: bytes) -> int:
    """How many bytes the first picture of a classic TIFF needs; 0 where it does not say."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "L", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        reach, strips = start + 2 + 12 * count + 4, {}
        for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
            tag, kind, many = struct.unpack_from(order + "HHL", data, at)
            # a value of up to 4 bytes stands in the entry itself, a longer one where the entry says
            width = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}.get(kind, 1)
            place = at + 8
            if many * width > 4:
                (place,) = struct.unpack_from(order + "L", data, at + 8)
                reach = max(reach, place + many * width)
            # where the pixels lie: strips (273 their offsets, 279 their sizes) or tiles (324, 325)
            if tag in (273, 279, 324, 325) and kind in (3, 4) and many <= 100_000:
                strips[tag] = struct.unpack_from(f"{order}{many}{'HL'[kind - 3]}", data, place)
        for offsets, sizes in ((273, 279), (324, 325)):
            pairs = zip(strips.get(offsets, ()), strips.get(sizes, ()), strict=False)
            reach = max([reach, *(offset + size for offset, size in pairs)])
    except struct.error:
        return len(data) + 1
    return int(reach)


def _boxes_reach(data: bytes) -> int:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8:  # 0: up to the end; 1: a 64-bit size, which no picture within limits has
            return len(data)
        at += size
    return at if at >= len(data) else len(data) + 1


def _jpeg2000_reach(data: bytes) -> int:
    # a box of unknown size, and a bare stream, end with the marker EOC
    whole = data.endswith(b"\xff\xd9")
    return len(data) if whole else max(len(data) + (data[:2] == b"\xff\x4f"), _boxes_reach(data))


def _ppm_reach(data: bytes) -> int:
    """How many bytes a binary Netpbm picture needs; those of plain text do not say."""
    found = _NETPBM.match(data[:_LONGEST_HEADER])
    if found is None:
        return 0
    width, height = int(found[2]), int(found[3])
    if found[1] == b"4":
        return found.end(3) + 1 + height * ((width + 7) // 8)
    if found[4] is None:
        return len(data) + 1
    samples = width * height * (3 if found[1] == b"6" else 1)
    return found.end(4) + 1 + samples * (2 if int(found[4]) > 255 else 1)


def _tga_reach(data: bytes) -> int:
    if len(data) < 18 or data[2] > 3:  # packed rows do not say how long they are
        return len(data) + (len(data) < 18)
    width, height, colours = (int.from_bytes(data[at : at + 2], "little") for at in (12, 14, 5))
    return 18 + data[0] + colours * data[7] // 8 + width * height * data[16] // 8


# How many bytes the first picture needs by its own account; more than there are where its end is
# missing, as many as there are where it does not say.
_REACH: dict[str, Callable[[bytes], int]] = {
    "JPEG": _jpeg_reach,
    "MPO": _jpeg_reach,
    "PNG": _png_reach,
    "GIF": _gif_reach,
    "WEBP": _webp_reach,
    "BMP": _bmp_reach,
    "TIFF": _tiff_reach,
    "HEIF": _boxes_reach,
    "AVIF": _boxes_reach,
    "JPEG2000": _jpeg2000_reach,
    "TGA": _tga_reach,
    "PPM": _ppm_reach,
}
