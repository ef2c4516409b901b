"""A folder full of bad and odd files, made by code: what a scan of untrusted photographs meets.

`build(folder)` fills `folder` and tells for every name in it the ErrorCode that reading it must
end in, or None where it must decode. Names are str with surrogateescape, as os.listdir gives them;
sorted, they are the order in which to scan. Same bytes on every run. No file needs more than 1 s
or 300 MB to read, none depends on who runs the tests (FORBIDDEN does, so it is not among them).

HEIC and AVIF codes are those with the extra `fakefacecli[heif]`; without it those names (they
start with "iso_") are UNSUPPORTED.
"""

import io
import os
import pathlib
import socket
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from fakefacecli.base.verdicts import ErrorCode

Corpus = dict[str, ErrorCode | None]

E = ErrorCode
SIZE = (96, 64)


def build(folder: pathlib.Path) -> Corpus:
    """Fill `folder`, which must exist, with some hundred files; see the module's text."""
    files: dict[str, tuple[bytes, ErrorCode | None]] = {}
    for make in (truncated, damaged, foreign, greedy, odd_metadata, odd_modes, odd_names):
        files |= make()
    corpus: Corpus = {}
    for name, (data, code) in files.items():
        with open(os.path.join(os.fsencode(folder), os.fsencode(name)), "wb") as file:
            file.write(data)
        corpus[name] = code
    return corpus | _not_files(folder)


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with noise and gradients, so that no format shrinks it to nothing."""
    width, height = size
    rng = np.random.default_rng(7)
    ramp = np.linspace(0, 200, width)[None, :, None] + np.zeros((height, 1, 3))
    pixels = (ramp + rng.integers(0, 55, (height, width, 3))).astype(np.uint8)
    return Image.fromarray(pixels, "RGB").convert(mode)


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    """The file that Pillow writes for `image`."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these (kind, payload) chunks, with true checksums."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, payload in chunks:
        checksum = struct.pack(">L", zlib.crc32(kind + payload))
        parts += [struct.pack(">L", len(payload)), kind, payload, checksum]
    return b"".join(parts)


def ihdr(width: int, height: int, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)


def png_with(*extra: tuple[bytes, bytes]) -> bytes:
    """A sound little PNG with `extra` chunks before its pixels."""
    rows = zlib.compress(b"".join(b"\0" + bytes(24) for _ in range(8)))
    return png(ihdr(8, 8), *extra, (b"IDAT", rows), (b"IEND", b""))


def tiff(entries: list[tuple[int, int, int, int]], tail: bytes = b"", after: int = 0) -> bytes:
    """A little-endian TIFF with one directory of (tag, type, count, value) entries."""
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<L", 8) + directory + struct.pack("<L", after) + tail


def grey_tiff(**changed: int) -> bytes:
    """An 8x8 grey TIFF; keywords replace the values of its tags."""
    values = {
        "width": 8,
        "height": 8,
        "bits": 8,
        "packing": 1,
        "colours": 1,
        "offset": 8 + 2 + 9 * 12 + 4,
        "samples": 1,
        "rows": 8,
        "size": 64,
    } | changed
    tags = dict(zip(values, (256, 257, 258, 259, 262, 273, 277, 278, 279), strict=True))
    return tiff([(tags[name], 4, 1, value) for name, value in values.items()], bytes(range(64)))


def exif(orientation: int | None = None, **text: str) -> bytes:
    """An EXIF block with an orientation and texts, keyword arguments as Pillow names the tags."""
    block = Image.Exif()
    names = {"Make": 0x010F, "Model": 0x0110, "Software": 0x0131, "Artist": 0x013B}
    for name, value in text.items():
        block[names[name]] = value
    if orientation is not None:
        block[0x0112] = orientation
    return block.tobytes()


def truncated() -> dict[str, tuple[bytes, ErrorCode | None]]:
    whole = {
        "jpg": saved(picture(), "JPEG", quality=90),
        "png": saved(picture(), "PNG"),
        "webp": saved(picture(), "WEBP", quality=90),
        "gif": saved(picture("P"), "GIF"),
        "bmp": saved(picture(), "BMP"),
        "tif": saved(picture(), "TIFF"),
    }
    found: dict[str, tuple[bytes, ErrorCode | None]] = {}
    for suffix, data in whole.items():
        for percent in (10, 50, 90):
            cut = data[: max(40, len(data) * percent // 100)]
            found[f"cut_{percent}.{suffix}"] = (cut, E.TRUNCATED)
    found["cut_header.jpg"] = (whole["jpg"][:20], E.TRUNCATED)
    found["cut_magic.jpg"] = (b"\xff\xd8\xff", E.TRUNCATED)
    found["cut_signature.png"] = (whole["png"][:8], E.TRUNCATED)
    found["cut_header.gif"] = (whole["gif"][:13], E.TRUNCATED)
    found["cut_header.bmp"] = (whole["bmp"][:18], E.TRUNCATED)
    found["cut_before_ifd.tif"] = (b"II*\0" + struct.pack("<L", 5000), E.TRUNCATED)
    found["cut_end_marker.png"] = (whole["png"][:-12], None)  # every row is there
    return found


def damaged() -> dict[str, tuple[bytes, ErrorCode | None]]:
    good = saved(picture(), "PNG")
    middle = bytearray(good)
    middle[len(good) // 2] ^= 0xFF
    head = bytearray(good)
    head[18] ^= 0x10  # the width, so that the header's checksum is wrong
    webp = bytearray(saved(picture(), "WEBP"))
    webp[20:60] = bytes(40)
    jpeg = saved(picture(), "JPEG")
    tables = bytearray(jpeg)
    at = jpeg.find(b"\xff\xc4")
    tables[at + 5 : at + 21] = b"\xff" * 16
    gif = saved(picture("P"), "GIF")
    rows = zlib.compress(b"\0" * 25 * 8)
    return {
        "flipped_idat.png": (bytes(middle), E.CORRUPT),
        "flipped_ihdr.png": (bytes(head), E.CORRUPT),
        "zeroed.webp": (bytes(webp), E.CORRUPT),
        "flipped_tables.jpg": (bytes(tables), E.CORRUPT),
        "no_frame.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9", E.TRUNCATED),
        "only_zeros.jpg": (b"\xff\xd8\xff" + bytes(500), E.TRUNCATED),
        "zero_size.gif": (b"GIF89a" + bytes(7) + b";", E.CORRUPT),
        "zero_frame.gif": (gif[:6] + bytes(4) + gif[10:], None),  # its frame knows better
        "zero_size.png": (png(ihdr(0, 0), (b"IDAT", rows), (b"IEND", b"")), E.CORRUPT),
        "bad_depth.png": (png(ihdr(8, 8, 7), (b"IDAT", rows), (b"IEND", b"")), E.CORRUPT),
        "no_rows.png": (png(ihdr(8, 8), (b"IEND", b"")), E.CORRUPT),
        "no_zlib.png": (png(ihdr(8, 8), (b"IDAT", b"hello"), (b"IEND", b"")), E.CORRUPT),
        "zero_size.bmp": (_bmp(0, 0), E.CORRUPT),
        "bad_depth.bmp": (_bmp(8, 8, depth=13), E.CORRUPT),
        "bad_packing.bmp": (_bmp(8, 8, packing=99), E.CORRUPT),
        "loop.tif": (tiff([(256, 4, 1, 8)], after=8), E.CORRUPT),
        "no_entries.tif": (tiff([]), E.CORRUPT),
        "zero_width.tif": (grey_tiff(width=0), E.CORRUPT),
        "bad_bits.tif": (grey_tiff(bits=77), E.CORRUPT),
        "bad_packing.tif": (grey_tiff(packing=4711), E.CORRUPT),
        "far_strip.tif": (grey_tiff(offset=1 << 30), E.TRUNCATED),
        "huge_strip.tif": (grey_tiff(size=1 << 31), None),  # 64 of those bytes are enough
        "many_strips.tif": (grey_tiff(height=60000, rows=1), None),  # Pillow leaves the rest black
        "huge_count.tif": (tiff([(256, 4, 0x7FFFFFFF, 8)]), E.TRUNCATED),
        "iso_no_payload.heic": (_ftyp(b"heic", b"mif1"), E.CORRUPT),
        "iso_no_payload.avif": (_ftyp(b"avif", b"mif1"), E.CORRUPT),
        "iso_noise.heic": (_ftyp(b"heic") + b"\0\0\1\0meta" + bytes(248), E.CORRUPT),
        "iso_cut.avif": (saved(picture(), "AVIF")[:-300], E.TRUNCATED),
        "cut.jp2": (saved(picture(), "JPEG2000")[:-300], E.TRUNCATED),
        "cut.j2k": (saved(picture(), "JPEG2000", no_jp2=True)[:900], E.TRUNCATED),
        "cut.tga": (saved(picture(), "TGA")[:900], E.NOT_AN_IMAGE),  # no magic, and no room
        "cut.ppm": (saved(picture(), "PPM")[:900], E.TRUNCATED),
    }


def foreign() -> dict[str, tuple[bytes, ErrorCode | None]]:
    no, other = E.NOT_AN_IMAGE, E.UNSUPPORTED
    return {
        "empty.jpg": (b"", E.EMPTY),
        "one_byte.jpg": (b"\xff", no),
        "zeros.jpg": (bytes(4096), no),
        "text.jpg": (b"This is not a photograph.\n", no),
        "starts_like_bmp.txt": (b"BMW is a maker of cars, and not of bitmaps, says the text.", no),
        "page.html": (b"<!DOCTYPE html><html><body><svg></svg></body></html>", no),
        "archive.zip": (b"PK\3\4\x14\0\0\0\x08\0" + bytes(90), no),
        "program": (b"\x7fELF\2\1\1" + bytes(90), no),
        "sound.wav": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(28), no),
        "document.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", other),
        "drawing.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', other),
        "film.mp4": (_ftyp(b"isom", b"mp42"), other),
        "film.avi": (b"RIFF\x24\0\0\0AVI LIST" + bytes(28), other),
        "film.webm": (b"\x1aE\xdf\xa3" + bytes(40), other),
        "icon.ico": (saved(picture(size=(32, 32)), "ICO"), other),
        "icon.icns": (saved(picture(size=(32, 32)), "ICNS"), other),
        "layers.psd": (b"8BPS\0\1" + bytes(40), other),
        "plain.jxl": (b"\xff\x0a" + bytes(40), other),
        "plain.pam": (b"P7\nWIDTH 8\nHEIGHT 8\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(192), other),
        "colour.pfm": (b"PF\n8 8\n-1.0\n" + bytes(768), other),
        "notes.ppm": (b"P3 of the plan: see page 4.\n", no),
        "plain.dds": (saved(picture(), "DDS"), other),
        "print.eps": (saved(picture(), "EPS"), other),
        "raw.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), other),
        "raw.dng": (_raw(), other),
        "a_png.jpg": (saved(picture(), "PNG"), None),
        "a_jpeg.png": (saved(picture(), "JPEG"), None),
        "a_webp_without_suffix": (saved(picture(), "WEBP"), None),
    }


def greedy() -> dict[str, tuple[bytes, ErrorCode | None]]:
    """Small files that ask for a lot."""
    bomb = zlib.compress(bytes(64 << 20), 9)
    end = (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
    gif = struct.pack("<HH", 65535, 65535)
    return {
        "huge.png": (png(ihdr(50_000, 50_000), *end), E.TOO_LARGE),
        "huger.png": (png(ihdr(0x7FFFFFFF, 0x7FFFFFFF), *end), E.TOO_LARGE),
        "huge.bmp": (_bmp(100_000, 100_000), E.TOO_LARGE),
        "huge.tif": (grey_tiff(width=1 << 30, height=1 << 30), E.TOO_LARGE),
        "huge.gif": (b"GIF89a" + gif + b"\0\0\0" + saved(picture("P"), "GIF")[13:], E.TOO_LARGE),
        "bomb_idat.png": (png(ihdr(8, 8), (b"IDAT", bomb), (b"IEND", b"")), None),
        "bomb_iccp.png": (png_with((b"iCCP", b"p\0\0" + bomb)), None),
        "bomb_ztxt.png": (png_with((b"zTXt", b"Comment\0\0" + bomb)), None),
        "bomb_itxt.png": (png_with((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)), None),
        "many_texts.png": (png_with(*[(b"tEXt", b"k\0v")] * 20_000), None),
    }


def odd_metadata() -> dict[str, tuple[bytes, ErrorCode | None]]:
    sound = exif(6)
    found: dict[str, tuple[bytes, ErrorCode | None]] = {
        "exif_not_tiff.jpg": (saved(picture(), "JPEG", exif=b"Exif\0\0garbage!"), None),
        "exif_cut.jpg": (saved(picture(), "JPEG", exif=sound[:-6]), None),
        "exif_far.jpg": (saved(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"), None),
        "exif_not_tiff.webp": (saved(picture(), "WEBP", exif=b"Exif\0\0garbage!"), None),
        "exif_not_tiff.png": (saved(picture(), "PNG", exif=b"garbage!"), None),
        "exif_text_orientation.jpg": (saved(picture(), "JPEG", exif=_exif_text()), None),
        "orientation_0.jpg": (saved(picture(), "JPEG", exif=exif(0)), None),
        "orientation_9.jpg": (saved(picture(), "JPEG", exif=exif(9)), None),
        "icc_garbage.jpg": (saved(picture(), "JPEG", icc_profile=b"garbage" * 9), None),
        "xmp_garbage.jpg": (saved(picture(), "JPEG", xmp=b"<x:xmpmeta \xff\xfe"), None),
        "mpf_garbage.jpg": (_with_segment(0xE2, b"MPF\0II*\0\xff\xff\0\0garbage"), None),
        "app_garbage.jpg": (_with_segment(0xED, b"Photoshop 3.0\x008BIM\xff\xff\xff"), None),
        "trailing.jpg": (saved(picture(), "JPEG") + b"PK\3\4" * 900, None),
        "trailing.png": (saved(picture(), "PNG") + b"<script>alert(1)</script>" * 50, None),
    }
    for orientation in range(1, 9):
        block = exif(orientation)
        found[f"upright_{orientation}.jpg"] = (saved(picture(), "JPEG", exif=block), None)
        found[f"upright_{orientation}.tif"] = (saved(picture(), "TIFF", exif=block), None)
    return found


def odd_modes() -> dict[str, tuple[bytes, ErrorCode | None]]:
    frames = [picture(), picture().rotate(90), picture().rotate(180)]
    more = {"save_all": True, "append_images": frames[1:]}
    ramp = np.arange(96 * 64).reshape(64, 96)
    deep = Image.fromarray((ramp * 10).astype(np.uint16))
    wide = Image.fromarray((ramp * 9_000).astype(np.int32), "I")
    floats = Image.fromarray((ramp / ramp.max()).astype(np.float32), "F")
    see_through = picture("RGBA")
    see_through.putalpha(picture("L"))
    indexed = picture("P")
    sixteen = b"".join(b"\0" + bytes(range(48)) for _ in range(8))
    sixteen_rgb = png(ihdr(8, 8, 16), (b"IDAT", zlib.compress(sixteen)), (b"IEND", b""))
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "x" * 10_000)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = {
        "mode_1.png": saved(picture("1"), "PNG"),
        "mode_l.jpg": saved(picture("L"), "JPEG"),
        "mode_la.png": saved(see_through.convert("LA"), "PNG"),
        "mode_pa.tif": saved(picture("P"), "TIFF"),
        "mode_rgba.png": saved(see_through, "PNG"),
        "mode_rgba.webp": saved(see_through, "WEBP"),
        "mode_p_transparent.png": saved(indexed, "PNG", transparency=bytes(range(256))),
        "mode_p_one_transparent.gif": saved(indexed, "GIF", transparency=3),
        "mode_rgb_transparent.png": saved(picture(), "PNG", transparency=(9, 9, 9)),
        "mode_cmyk.jpg": saved(picture("CMYK"), "JPEG"),
        "mode_cmyk.tif": saved(picture("CMYK"), "TIFF"),
        "mode_cmyk_plain.jpg": _without_adobe(saved(picture("CMYK"), "JPEG")),
        "mode_ycbcr.tif": saved(picture("YCbCr"), "TIFF"),
        "mode_lab.tif": saved(picture("LAB"), "TIFF"),
        "mode_i16.png": saved(deep, "PNG"),
        "mode_i16.tif": saved(deep, "TIFF"),
        "mode_i.tif": saved(wide, "TIFF"),
        "mode_f.tif": saved(floats, "TIFF"),
        "mode_rgb16.png": sixteen_rgb,
        "one_pixel.png": saved(picture(size=(1, 1)), "PNG"),
        "one_column.jpg": saved(picture(size=(1, 3000)), "JPEG"),
        "animated.gif": saved(frames[0], "GIF", **more),
        "animated.webp": saved(frames[0], "WEBP", **more),
        "animated.png": saved(frames[0], "PNG", **more),
        "pages.tif": saved(frames[0], "TIFF", **more),
        "two_pictures.mpo.jpg": saved(frames[0], "MPO", **more),
        "progressive.jpg": saved(picture(), "JPEG", progressive=True),
        "lossless.webp": saved(picture(), "WEBP", lossless=True),
        "packed_lzw.tif": saved(picture(), "TIFF", compression="tiff_lzw"),
        "packed_jpeg.tif": saved(picture(), "TIFF", compression="jpeg"),
        "interlaced.gif": saved(picture("P"), "GIF", interlace=1),
        "texts.png": saved(picture(), "PNG", pnginfo=text, icc_profile=profile),
        "palette.bmp": saved(picture("P"), "BMP"),
        "iso_plain.avif": saved(picture(), "AVIF"),
    }
    return {name: (content, None) for name, content in data.items()}


def odd_names() -> dict[str, tuple[bytes, ErrorCode | None]]:
    data = saved(picture(size=(16, 16)), "PNG")
    names = [
        "line\nbreak.png",
        "carriage\rreturn.png",
        "tab\there.png",
        'quote".png',
        "apostrophe'.png",
        "comma,semicolon;.png",
        "=cmd|' calc'!A0.png",
        "+1.png",
        "-rf.png",
        "@sum.png",
        "\x1b[31mred\x1b[0m.png",
        "right\u202eleft\u202cgnp.png",
        "\u0645\u0631\u062d\u0628\u0627 \u4e16\u754c \U0001f600.png",
        "backslash\\n.png",
        "<b>bold&amp;.png",
        " leading and trailing .png ",
        ".hidden.png",
        os.fsdecode(b"latin1_\xe9\xff.png"),
        "n" * 251 + ".png",
    ]
    return dict.fromkeys(names, (data, None))


def _not_files(folder: pathlib.Path) -> Corpus:
    os.mkfifo(folder / "pipe.jpg")
    # AF_UNIX takes 108 bytes of path: bind from inside the folder
    here = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/socket.jpg")
    os.close(here)
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "linked.jpg").symlink_to("a_jpeg.png")
    return {
        "pipe.jpg": E.NOT_A_FILE,
        "socket.jpg": E.NOT_A_FILE,
        "folder.jpg": E.NOT_A_FILE,
        "dangling.jpg": E.VANISHED,
        "loop.jpg": E.NOT_A_FILE,
        "device.jpg": E.NOT_A_FILE,
        "linked.jpg": None,
    }


def _bmp(width: int, height: int, depth: int = 24, packing: int = 0) -> bytes:
    info = struct.pack("<LllHHLLllLL", 40, width, height, 1, depth, packing, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<LHHL", 54 + 300, 0, 0, 54) + info + bytes(300)


def _ftyp(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return struct.pack(">L", len(body) + 4) + body


def _raw() -> bytes:
    return tiff(
        [
            (254, 4, 1, 1),
            (256, 4, 1, 8),
            (257, 4, 1, 8),
            (258, 4, 1, 8),
            (259, 4, 1, 1),
            (262, 4, 1, 1),
            (273, 4, 1, 142),
            (277, 4, 1, 1),
            (278, 4, 1, 8),
            (279, 4, 1, 64),
            (50706, 1, 4, 0x401),
        ],
        bytes(80),
    )


def _exif_text() -> bytes:
    return b"Exif\0\0" + tiff([(0x0112, 2, 4, 0x61616161)])


def _with_segment(marker: int, payload: bytes) -> bytes:
    data = saved(picture(), "JPEG")
    segment = struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
    return data[:2] + segment + data[2:]


def _without_adobe(data: bytes) -> bytes:
    at = data.find(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
