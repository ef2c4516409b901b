"""Metadata written by Pillow come back as fields; broken ones are a field that says so."""

import io

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from fakefacecli.evidence.fields import LONGEST, MOST_FIELDS, Field, read_fields
from tests.bad_files import picture, saved

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
    '22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmp:CreatorTool="Tool 1"><dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt>'
    '<rdf:li xml:lang="x-default">A title</rdf:li></rdf:Alt></dc:title></rdf:Description>'
    "</rdf:RDF></x:xmpmeta>"
)


def fields(data: bytes) -> list[Field]:
    with Image.open(io.BytesIO(data)) as image:
        return read_fields(image, data)


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0hello"
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return tags


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_and_its_inner_directories_are_read(kind: str) -> None:
    found = fields(saved(picture(), kind, exif=exif()))
    assert Field("EXIF", "Make", "Maker") in found
    assert Field("EXIF", "UserComment", "hello") in found
    assert Field("EXIF GPS", "GPSLatitudeRef", "N") in found


def test_xmp_is_read_with_its_paths() -> None:
    found = fields(saved(picture(), "JPEG", xmp=XMP.encode()))
    assert Field("XMP", "CreatorTool", "Tool 1") in found
    assert Field("XMP", "title", "A title") in found


def test_text_chunks_and_comments_are_read_and_cut() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "x" * (LONGEST + 50))
    [field] = fields(saved(picture(), "PNG", pnginfo=info))
    assert (field.place, field.name) == ("PNG text", "prompt")
    assert field.value == "x" * LONGEST + f"... ({LONGEST + 50:,} characters)"
    [field] = fields(saved(picture(), "JPEG", comment=b"made by hand"))
    assert field == Field("JPEG comment", "comment", "made by hand")


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta",
        b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ],
)
def test_xmp_that_is_broken_or_defines_entities_is_an_error_and_nothing_more(
    packet: bytes,
) -> None:
    [field] = fields(saved(picture(), "JPEG", xmp=packet))
    assert (field.place, field.name) == ("XMP", "error")
    assert field.value.startswith("cannot be read (")


def test_no_more_fields_than_the_bound_are_read() -> None:
    inner = "".join(f'<a:n{n} xmlns:a="b">{n}</a:n{n}>' for n in range(MOST_FIELDS + 1))
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f"<x>{inner}<a/></x>")
    *found, last = fields(saved(picture(), "PNG", pnginfo=info))
    assert (len(found), last.name) == (MOST_FIELDS, "...")


def test_no_more_text_than_the_bound_is_read() -> None:
    info = PngImagePlugin.PngInfo()
    for number in range(90):
        info.add_itxt(f"n{number}", "\u00e9" * 60_000, zip=True)
    *found, last = fields(saved(picture(), "PNG", pnginfo=info))
    assert (last.name, 60 < len(found) < 90) == ("...", True)
