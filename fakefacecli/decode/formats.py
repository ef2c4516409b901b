"""What a file's first bytes say it is, whatever its name says, and which of that is decoded.

Nothing here decodes anything: plain byte comparisons with bounds, total for any input.
"""

import functools
import re

# The formats that are decoded; a name here is Pillow's.
DECODED = frozenset(
    {
        *("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"),
        *("JPEG2000", "PPM", "TGA"),
    }
)
# What a scan of a folder says is not decoded, for `fakeface doctor`
NOT_DECODED = (
    *("JPEG XL", "Photoshop", "ICO", "DNG and other raw photographs", "EPS", "SVG", "PDF"),
    *("DDS", "QOI", "OpenEXR", "Radiance", "FITS", "GIMP"),
)
# This many first bytes tell each of these from any other file.
SNIFFED_BYTES = 256

_TIFF = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # bytes of the DIB header, one per version of BMP

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"%PDF-", "a PDF document"),
    (b"icns", "an ICNS icon"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"DDS ", "a DDS texture"),
    (b"qoif", "a QOI image"),
    (b"v/1\1", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance image"),
    (b"SIMPLE  =", "a FITS image"),
    (b"gimp xcf", "a GIMP document"),
    (b"IIRO", "a raw photograph"),
    (b"IIRS", "a raw photograph"),
    (b"MMOR", "a raw photograph"),
    (b"FOVb", "a raw photograph"),
    (b"\0MRM", "a raw photograph"),
    (b"IIU\0", "a raw photograph"),
    (b"FUJIFILMCCD-RAW", "a raw photograph"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"\0\0\1\xba", "an MPEG video"),
    (b"\0\0\1\xb3", "an MPEG video"),
    (b"FLV\1", "a Flash video"),
    (b"0&\xb2u\x8ef\xcf\x11", "a Windows Media video"),
)
_RIFF = {b"WEBP": "WEBP", b"AVI ": "an AVI video"}
# ISO/IEC 23008-12: still pictures, then sequences, then what holds either of any coding
_HEIF_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis"),
    *(b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"msf1"),
}
_AVIF_BRANDS = {b"avif", b"avis"}
# Netpbm's own rules: a kind, then width and height, with space and comments between them
_BETWEEN = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NETPBM = re.compile(rb"P([1-6]|[fF])" + _BETWEEN + rb"\d{1,10}" + _BETWEEN + rb"\d{1,10}\s")
_PAM = re.compile(rb"P7\n(?:#[^\n]*\n)*(?:WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE) ")
_TGA_END = b"TRUEVISION-XFILE.\0"
# the number of pictures follows, never 0; a TGA may begin alike
_ICON = re.compile(rb"\0\0[\1\2]\0(?!\0\0)..", re.S)
_SVG = re.compile(rb"^\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]", re.S)


def name(data: bytes) -> str | None:
    """A member of DECODED, words such as "a PDF document", or None for no image at all."""
    for magic, what in _MAGIC:
        if data.startswith(magic):
            return what
    if data[:4] == b"RIFF" and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    if data[4:8] == b"ftyp":
        return _name_of_brand(data)
    if data.startswith(_TIFF):
        # cameras' own formats begin with TIFF's magic; what Pillow would decode is their thumbnail
        return "a raw photograph" if data[8:10] == b"CR" else "TIFF"
    # "BM" begins many a text: the size of the header that follows tells a bitmap
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return _name_without_magic(data)


def is_image(start: bytes) -> bool:
    """Do a file's first SNIFFED_BYTES make it an input of a scan, whatever the file is called?

    Pictures and documents that are not decoded are among them: their rows say so. Videos are not.
    """
    what = name(start)
    return what is not None and not is_video(start)


def is_video(start: bytes) -> bool:
    """Are a file's first SNIFFED_BYTES those of a video?"""
    what = name(start)
    return what is not None and what.endswith("video")


def _name_of_brand(data: bytes) -> str:
    # the major brand may be that of another family ("mif1" of an AVIF, "isom" of a HEIF):
    # the compatible ones, from byte 16 to the end of the box, count as well
    size = min(int.from_bytes(data[:4], "big"), SNIFFED_BYTES)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    return "a raw photograph" if data[8:12] == b"crx " else "an MP4 or QuickTime video"


def _name_without_magic(data: bytes) -> str | None:
    if found := _NETPBM.match(data[:2048]):
        return "a PFM image" if found[1] == b"F" else "PPM"
    if _PAM.match(data[:2048]):
        return "a PAM image"
    if _ICON.match(data):
        return "an ICO icon" if data[2] == 1 else "a CUR cursor"
    if data.endswith(_TGA_END) or _begins_as_tga(data):
        return "TGA"
    return "an SVG drawing" if _SVG.match(data[:2048]) else None


def _begins_as_tga(data: bytes) -> bool:
    """Is the header that of a TGA of version 1, which has no magic, and is there room for its rows?

    Source: Truevision TGA File Format Specification 2.0, "Developer Image Fields".
    """
    if len(data) < 18:
        return False
    mapped, kind, depth, flags = data[1], data[2], data[16], data[17]
    width, height = (int.from_bytes(data[at : at + 2], "little") for at in (12, 14))
    depths = {1: (8,), 2: (16, 24, 32), 3: (8, 16)}.get(kind & 7, ())
    if kind not in (1, 2, 3, 9, 10, 11) or depth not in depths or flags & 0xC0:
        return False
    if mapped != (kind & 7 == 1) or not width or not height:
        return False
    colours = int.from_bytes(data[5:7], "little") * data[7] // 8 if mapped else 0
    if mapped and data[7] not in (15, 16, 24, 32):
        return False
    # packed rows may be as short as a byte and a pixel for 128 pixels
    pixels = width * height
    least = pixels * depth // 8 if kind < 8 else -(-pixels // 128) * (1 + depth // 8)
    return len(data) >= 18 + data[0] + colours + least


def is_raw_thumbnail(tags: dict[int, object]) -> bool:
    """Is a TIFF's first picture only the thumbnail of a camera's raw file?

    DNG says so itself (tag 50706); NEF and ARW mark a reduced picture (254) beside others (330).
    """
    return 50706 in tags or (tags.get(254) == 1 and 330 in tags)


def allowed_formats() -> tuple[str, ...]:
    """The names in DECODED that can be decoded here, sorted.

    HEIF needs the extra, and AVIF, WebP and JPEG 2000 a Pillow that was built with them.
    """
    extra = {"HEIF": heif_is_ready(), "AVIF": avif_is_ready()} | _built_in()
    return tuple(sorted(name for name in DECODED if extra.get(name, True)))


@functools.cache
def _built_in() -> dict[str, bool]:
    from PIL import features

    return {
        "WEBP": bool(features.check("webp")),
        "JPEG2000": bool(features.check("jpg_2000")),
    }


@functools.cache
def avif_is_ready() -> bool:
    """Was Pillow built with AVIF? Then it decodes it in one thread afterwards."""
    from PIL import AvifImagePlugin, features

    # more threads only reserve address space, which is counted, and every worker has one core
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return bool(features.check("avif"))


@functools.cache
def heif_is_ready() -> bool:
    """Is the extra `heif` installed? Then Pillow knows HEIF afterwards."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    pillow_heif.options.DECODE_THREADS = 1  # as for AVIF
    return True
