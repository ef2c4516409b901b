"""Which tags turn a picture: a valid EXIF value in its proper place, and nothing else."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from tests import bad_files
from tests.decode.test_image import decoded

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description tiff:Orientation="6" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    b"/><rdf:Description><tiff:Orientation>6</tiff:Orientation></rdf:Description></rdf:RDF>"
    b"</x:xmpmeta>"
)
LOSSLESS = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}, "AVIF": {"quality": 95}}
PICTURE = bad_files.picture()  # 96 wide, 64 high


def entry(order: str, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(order + "HHL", 0x0112, kind, count) + value.ljust(4, b"\0")


def block(*entries: bytes, order: str = "<", first: bytes = b"") -> bytes:
    """An EXIF block, from its TIFF header on, of these IFD0 entries."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4) + first


def segment(payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, 0xE1, len(payload) + 2) + payload


def jpeg(*segments: bytes) -> bytes:
    data = bad_files.saved(PICTURE, "JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def png(chunk: bytes, kind: bytes = b"eXIf", *, late: bool = False) -> bytes:
    data = bad_files.saved(PICTURE, "PNG")
    whole = bad_files.png((kind, chunk))[8:]
    at = data.rfind(b"IEND") - 4 if late else 33
    return data[:at] + whole + data[at:]


SIX = entry("<", 3, 1, b"\6\0")
WRONG = {
    "a LONG": entry("<", 4, 1, b"\6\0\0\0"),
    "a BYTE": entry("<", 1, 1, b"\6"),
    "a text": entry("<", 2, 2, b"6\0"),
    "two values": entry("<", 3, 2, b"\6\0\6\0"),
    "no value": entry("<", 3, 0, b"\6\0"),
    "zero": entry("<", 3, 1, b"\0\0"),
    "nine": entry("<", 3, 1, b"\x09\0"),
    "the other byte order": entry("<", 3, 1, b"\0\6"),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_turns_nothing(kind: str, tmp_path: Path) -> None:
    how: dict[str, object] = dict(LOSSLESS.get(kind, {}))
    if kind == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700] = XMP
        tags.tagtype[700] = 1
        how["tiffinfo"] = tags
    elif kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        how["pnginfo"] = info
    else:
        how["xmp"] = XMP
    data = bad_files.saved(PICTURE, kind, **how)
    assert b"Orientation" in data
    answer = decoded(data, tmp_path)
    assert (answer.width, answer.height, answer.orientation) == (96, 64, 1)


def test_a_heic_is_not_turned_by_xmp(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    answer = decoded(bad_files.saved(PICTURE, "HEIF", xmp=XMP), tmp_path)
    # the writer makes irot of it, which does turn a HEIF; whatever it wrote, it counts once
    assert answer.orientation == 1


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_tag_of_another_form_turns_nothing(kind: str, wrong: str, tmp_path: Path) -> None:
    exif = block(WRONG[wrong])
    if kind == "JPEG":
        data = jpeg(segment(b"Exif\0\0" + exif))
    elif kind == "PNG":
        data = png(exif)
    elif kind == "WEBP":
        data = bad_files.saved(PICTURE, "WEBP", exif=exif)
    else:
        data = bad_files.saved(PICTURE, "TIFF", exif=bad_files.exif(6))
        at = data.index(struct.pack("<HHL", 0x0112, 3, 1))
        data = data[:at] + WRONG[wrong] + data[at + 12 :]
    answer = decoded(data, tmp_path)
    assert (answer.width, answer.height, answer.orientation) == (96, 64, 1)
    assert np.abs(answer.pixels.astype(int) - np.asarray(PICTURE)).mean() < 20


@pytest.mark.parametrize(
    ("data", "orientation"),
    [
        (jpeg(segment(b"Exif\0\0" + block(SIX))), 6),
        (jpeg(segment(b"Exif\0\0" + block(entry(">", 3, 1, b"\0\6"), order=">"))), 6),
        (jpeg(segment(b"other"), b"stray", segment(b"Exif\0\0" + block(SIX))), 6),
        (jpeg(segment(b"Exif\0\0" + block()), segment(b"Exif\0\0" + block(SIX))), 1),
        (jpeg(segment(b"Exif\0\0" + block(SIX)), segment(b"Exif\0\0" + block())), 6),
        # in the second directory, of the thumbnail
        (jpeg(segment(b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0\x0e\0\0\0" + b"\1\0" + SIX)), 1),
        (jpeg(segment(b"Exif\0\0garbage!")), 1),
        (png(block(SIX)), 6),
        (png(block(SIX), late=True), 1),
        (png(b"Raw profile type exif\0\nexif\n8\n" + block(SIX).hex().encode(), b"tEXt"), 1),
    ],
)
def test_the_place_of_a_tag_counts(data: bytes, orientation: int, tmp_path: Path) -> None:
    answer = decoded(data, tmp_path)
    assert answer.orientation == orientation
    assert (answer.width, answer.height) == ((96, 64) if orientation == 1 else (64, 96))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_is_turned_once(big: bool, compression: str | None, tmp_path: Path) -> None:
    how = {"compression": compression, "exif": bad_files.exif(6)}
    answer = decoded(bad_files.saved(PICTURE, "TIFF", big_tiff=big, **how), tmp_path)
    upright = np.asarray(PICTURE.transpose(Image.Transpose.ROTATE_270))
    assert answer.orientation == 6
    assert np.array_equal(answer.pixels, upright)


def test_an_avif_obeys_its_own_box_and_not_its_exif(tmp_path: Path) -> None:
    data = bad_files.saved(PICTURE, "AVIF", exif=bad_files.exif(6, Make="Maker"), quality=95)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == 6
    turned = decoded(data, tmp_path)
    assert (turned.orientation, turned.width) == (6, 64)
    # another angle in the box: what Pillow says is the EXIF is made of it
    at = data.index(b"irot") + 4
    plain = decoded(data[:at] + b"\0" + data[at + 1 :], tmp_path)
    assert (plain.orientation, plain.width) == (1, 96)
