"""The parts of a file are those that a library wrote, and what is odd about them is said."""

import io
import zlib

import pytest
from PIL import Image, PngImagePlugin

from fakefacecli.decode import formats
from fakefacecli.evidence.parts import MOST_PARTS, Layout, read_layout
from tests.bad_files import picture, png, saved


def layout(data: bytes) -> Layout:
    found = read_layout(data, formats.name(data))
    assert found is not None
    return found


def test_the_chunks_of_a_png_are_in_their_order_and_whole() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "x")
    data = saved(picture(), "PNG", pnginfo=info)
    found = layout(data)
    assert [part.kind for part in found.parts] == ["IHDR", "tEXt", "IDAT", "IEND"]
    assert {part.note for part in found.parts} == {""}
    assert (found.noun, found.trailing) == ("chunks", 0)
    assert 8 + sum(part.size for part in found.parts) == len(data)


def test_an_unknown_chunk_a_wrong_checksum_and_a_cut_one_are_marked() -> None:
    data = saved(picture(), "PNG")
    odd = b"\0\0\0\2heLo" + b"ab" + zlib.crc32(b"heLoab").to_bytes(4, "big")
    assert layout(data[:33] + odd + data[33:]).parts[1].note == "unknown"
    broken = bytearray(data)
    broken[50] ^= 1
    assert layout(bytes(broken)).parts[1].note == "wrong checksum"
    cut = layout(data[:-20])
    assert cut.parts[-1].note.startswith("cut, wanted ")
    assert cut.trailing is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_bytes_behind_the_end_are_counted(kind: str) -> None:
    data = saved(picture(), kind)
    assert layout(data).trailing == 0
    assert layout(data + b"secret").trailing == 6


@pytest.mark.parametrize(
    ("kind", "first", "noun"),
    [
        ("JPEG", "APP0", "segments"),
        ("GIF", "header", "blocks"),
        ("WEBP", "VP8 ", "chunks"),
        ("TIFF", "IFD0", "directories"),
        ("AVIF", "ftyp", "boxes"),
        ("JPEG2000", "jP  ", "boxes"),
    ],
)
def test_each_format_has_its_parts(kind: str, first: str, noun: str) -> None:
    found = layout(saved(picture(), kind))
    assert (found.parts[0].kind, found.noun) == (first, noun)


def test_every_page_of_a_tiff_is_a_directory() -> None:
    held = io.BytesIO()
    picture().save(held, "TIFF", save_all=True, append_images=[picture(), picture()])
    assert [part.kind for part in layout(held.getvalue()).parts] == ["IFD0", "IFD1", "IFD2"]


def test_directories_that_lead_in_a_circle_are_listed_once() -> None:
    circle = b"II*\0" + (8).to_bytes(4, "little") + b"\0\0" + (8).to_bytes(4, "little")
    assert len(layout(circle).parts) == 1


def test_more_parts_than_are_listed_are_said_to_be_there() -> None:
    many = png(*[(b"tEXt", b"a\0b")] * (MOST_PARTS + 5))
    found = layout(many)
    assert (len(found.parts), found.more) == (MOST_PARTS, True)


def test_a_format_without_parts_has_no_layout() -> None:
    assert read_layout(saved(picture(), "BMP"), "BMP") is None
    assert read_layout(b"hello", None) is None


def test_animations_and_their_extensions_are_blocks() -> None:
    held = io.BytesIO()
    frames = [Image.new("P", (8, 8), n) for n in range(3)]
    frames[0].save(held, "GIF", save_all=True, append_images=frames[1:], loop=0, comment=b"hi")
    kinds = [part.kind for part in layout(held.getvalue()).parts]
    assert "comment" in kinds
    assert "application NETSCAPE2.0" in kinds
    assert kinds[-1] == "end"
