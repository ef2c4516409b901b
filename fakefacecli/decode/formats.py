"""What a file's first bytes say it is, whatever its name says, and which of that is decoded.

Nothing here decodes anything: plain byte comparisons with bounds, total for any input.
"""

import functools
import re

# The formats that are decoded; a name here is Pillow's.
DECODED = frozenset({"JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"})
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
    (b"\0\0\1\0", "an ICO icon"),
    (b"\0\0\2\0", "a CUR cursor"),
    (b"icns", "an ICNS icon"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
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
_NETPBM = re.compile(rb"P[1-7fF](\s|#)")
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
    return _name_of_text(data)


def is_image(start: bytes) -> bool:
    """Do a file's first SNIFFED_BYTES make it an input of a scan, whatever the file is called?

    Raw photographs that begin as a TIFF are among them: their row says that they are not decoded.
    """
    return name(start) in DECODED or start.startswith(_TIFF)


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


def _name_of_text(data: bytes) -> str | None:
    if _NETPBM.match(data):
        return "a Netpbm image"
    if data[-26:].endswith(b"TRUEVISION-XFILE.\0"):
        return "a TGA image"
    return "an SVG drawing" if _SVG.match(data[:2048]) else None


def is_raw_thumbnail(tags: dict[int, object]) -> bool:
    """Is a TIFF's first picture only the thumbnail of a camera's raw file?

    DNG says so itself (tag 50706); NEF and ARW mark a reduced picture (254) beside others (330).
    """
    return 50706 in tags or (tags.get(254) == 1 and 330 in tags)


def allowed_formats() -> tuple[str, ...]:
    """The names in DECODED that can be decoded here, sorted; HEIF and AVIF need the extra."""
    from PIL import features

    extra = {"HEIF": heif_is_ready(), "AVIF": heif_is_ready() and features.check("avif")}
    return tuple(sorted(name for name in DECODED if extra.get(name, True)))


@functools.cache
def heif_is_ready() -> bool:
    """Is the extra `fakefacecli[heif]` installed? Then Pillow knows HEIF afterwards."""
    try:
        import pillow_heif
    except ImportError:
        return False
    from PIL import AvifImagePlugin

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    # more threads only reserve address space, which is counted, and every worker has one core
    pillow_heif.options.DECODE_THREADS = 1
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return True
