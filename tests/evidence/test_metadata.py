"""The fields of a file, as its structure has them."""

import io
import zlib
from typing import Any

import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin

from fakefacecli.evidence.metadata import Field, read_fields, read_metadata
from fakefacecli.evidence.xmp import XmpError, read_xmp
from tests import bad_files


def fields(data: bytes) -> list[Field]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return read_fields(image, data)


def made(kind: str = "JPEG", **how: Any) -> bytes:
    return bad_files.saved(bad_files.picture(), kind, **how)


def iptc(*records: tuple[int, bytes]) -> bytes:
    """A JPEG with an IPTC-IIM block in Photoshop's APP13 segment."""
    block = b"".join(
        b"\x1c\x02" + bytes([number]) + len(value).to_bytes(2, "big") + value
        for number, value in records
    )
    resource = (
        b"8BIM\x04\x04\0\0" + len(block).to_bytes(4, "big") + block + b"\0" * (len(block) % 2)
    )
    body = b"Photoshop 3.0\0" + resource
    data = made()
    return data[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_is_read_of_every_directory(kind: str) -> None:
    block = Image.Exif()
    block[0x010F], block[0x0131] = "Canon", "tool"
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0hello"
    block[0x8825] = {1: "N"}
    found = fields(made(kind, exif=block.tobytes()))
    assert Field("EXIF", "Make", "Canon") in found
    assert Field("EXIF", "UserComment", "hello") in found
    assert Field("EXIF GPS", "GPSLatitudeRef", "N") in found


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ASCII\0\0\0hello", "hello"),
        (b"UNICODE\0" + "Steps: 3".encode("utf-16-le"), "Steps: 3"),
        (b"UNICODE\0" + "Steps: 3".encode("utf-16-be"), "Steps: 3"),
        (b"UNICODE\0" + b"\xfe\xff" + "Steps: 3".encode("utf-16-be"), "Steps: 3"),
        (b"UNICODE\0Steps: 3", "Steps: 3"),
        (b"\0" * 8 + b"hello", "hello"),
        (b'{"prompt": 1}', '{"prompt": 1}'),
    ],
)
def test_a_user_comment_is_read_in_any_encoding_that_programs_write(raw: bytes, text: str) -> None:
    block = Image.Exif()
    block.get_ifd(0x8769)[0x9286] = raw
    assert Field("EXIF", "UserComment", text) in fields(made(exif=block.tobytes()))


def test_every_text_chunk_of_a_png_is_read_also_of_the_same_name_and_behind_the_pixels() -> None:
    packed = b"Comment\0\0" + zlib.compress(b"zipped")
    wide = b"Title\0\1\0en\0T\0" + zlib.compress("\u96ea".encode())
    chunks = [
        (b"tEXt", b"Comment\0first"),
        (b"tEXt", b"Comment\0second"),
        (b"zTXt", packed),
        (b"iTXt", wide),
        (b"comf", b'prompt\0{"3": {"class_type": "KSampler"}}'),
    ]
    before = bad_files.png_with(*chunks)
    end = before.index(b"IEND") - 4
    behind = before[:end] + bad_files.png((b"tEXt", b"Author\0late"))[8:] + before[end:]
    assert fields(behind) == [
        Field("PNG text", "Comment", "first"),
        Field("PNG text", "Comment", "second"),
        Field("PNG text", "Comment", "zipped"),
        Field("PNG text", "Title", "\u96ea"),
        Field("PNG comf", "prompt", '{"3": {"class_type": "KSampler"}}'),
        Field("PNG text", "Author", "late"),
    ]


def test_a_text_that_would_fill_the_memory_is_cut() -> None:
    bomb = b"Comment\0\0" + zlib.compress(b"a" * 50_000_000)
    data = bad_files.png_with((b"zTXt", bomb))
    [field] = read_fields(Image.new("RGB", (8, 8)), data)
    assert len(field.value) == 1 << 20


def test_every_comment_of_a_jpeg_and_of_a_gif_is_read() -> None:
    data = made(comment="one")
    second = b"\xff\xfe" + (2 + 3).to_bytes(2, "big") + b"two"
    found = fields(data[:2] + second + data[2:])
    assert {field.value for field in found} == {"one", "two"}
    gif = made("GIF")
    at = 13 + (3 << ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
    blocks = b"".join(b"\x21\xfe" + bytes([len(c)]) + c + b"\0" for c in (b"one", b"two"))
    assert [f.value for f in fields(gif[:at] + blocks + gif[at:])] == ["one", "two"]


def test_iptc_is_read_by_the_names_of_the_standard() -> None:
    found = fields(iptc((110, b"Made with Google AI"), (25, b"one"), (25, b"two"), (199, b"x")))
    assert found == [
        Field("IPTC", "Credit", "Made with Google AI"),
        Field("IPTC", "Keywords", "one"),
        Field("IPTC", "Keywords", "two"),
        Field("IPTC", "2:199", "x"),
    ]
    assert IptcImagePlugin.getiptcinfo  # what reads it


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:anything="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:d="http://purl.org/dc/elements/1.1/"
 anything:DigitalSourceType="http://x/trainedAlgorithmicMedia">
 <d:subject><rdf:Bag><rdf:li>one</rdf:li><rdf:li>two</rdf:li></rdf:Bag></d:subject>
 <d:title><rdf:Alt><rdf:li xml:lang="x-default">Title</rdf:li></rdf:Alt></d:title>
 <anything:Made rdf:parseType="Resource"><anything:With>tool</anything:With></anything:Made>
 </rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16"])
def test_properties_have_their_usual_names_whatever_a_packet_calls_their_spaces(
    encoding: str,
) -> None:
    assert list(read_xmp(XMP.encode(encoding))) == [
        ("Iptc4xmpExt:DigitalSourceType", "http://x/trainedAlgorithmicMedia"),
        ("dc:subject", "one"),
        ("dc:subject", "two"),
        ("dc:title", "Title"),
        ("Iptc4xmpExt:Made/Iptc4xmpExt:With", "tool"),
    ]


def test_a_prefix_that_a_packet_forgot_to_declare_is_known_by_its_usual_meaning() -> None:
    bare = b'<rdf:Description Iptc4xmpExt:DigitalSourceType="x" foo:bar="y"/>'
    assert list(read_xmp(bare)) == [("Iptc4xmpExt:DigitalSourceType", "x"), ("foo:bar", "y")]


@pytest.mark.parametrize(
    "packet",
    [
        b"<a",
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    ],
)
def test_what_is_no_packet_is_refused_whole_and_opens_nothing(packet: bytes) -> None:
    with pytest.raises(XmpError):
        list(read_xmp(packet + b"<"))


def test_an_entity_bomb_is_refused() -> None:
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "aaaa">{lines}]><a>&e9;</a>'
    with pytest.raises(XmpError):
        list(read_xmp(bomb.encode()))


def test_broken_metadata_are_named_and_the_rest_is_read() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "tool")
    info.add_itxt("XML:com.adobe.xmp", "<broken")
    data = made("PNG", pnginfo=info, exif=b"Exif\0\0garbage!")
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        found = read_metadata(image, data)
    assert found.fields == (Field("PNG text", "Software", "tool"),)
    assert found.broken == ("XMP", "EXIF")


def test_no_cut_and_no_flipped_byte_makes_it_raise() -> None:
    block = bad_files.exif(Make="Canon", Software="tool")
    for data in (iptc((110, b"credit")), made(exif=block, comment="x"), made("PNG", exif=block)):
        head = data[: min(len(data), 400)]
        for at in range(4, len(head), 7):
            for changed in (
                head[:at] + b"\xff" + data[at + 1 :],
                head[:at] + b"\0" + data[at + 1 :],
            ):
                try:
                    image = Image.open(io.BytesIO(changed))
                    image.load()
                except Exception:  # noqa: BLE001 - the picture itself is broken now
                    continue
                read_metadata(image, changed)
