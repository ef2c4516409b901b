"""A file's metadata as a list of named values: EXIF, XMP, IPTC, text chunks, comments.

Everything in it is untrusted and may be forged; a value is text as it stands, cut to LONGEST.
Sources: EXIF 3.0; XMP (ISO 16684-1); IPTC IIM 4.2; PNG (W3C 2003), 11.3.4.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageFile

from fakefacecli.base.text import counted, shortened

LONGEST = 65_536  # characters of one value
MOST_FIELDS = 2000
_MOST_CHARACTERS = 4 << 20  # of all values
_DEEPEST = 20
_SUB_DIRECTORIES = {
    ExifTags.IFD.Exif: ("EXIF", ExifTags.TAGS),
    ExifTags.IFD.GPSInfo: ("EXIF GPS", ExifTags.GPSTAGS),
    ExifTags.IFD.Interop: ("EXIF interoperability", ExifTags.TAGS),
}
_THUMBNAIL = "EXIF thumbnail"
# IIM 4.2, record 2
_IPTC = {
    5: "ObjectName",
    25: "Keywords",
    40: "SpecialInstructions",
    55: "DateCreated",
    60: "TimeCreated",
    65: "OriginatingProgram",
    80: "By-line",
    85: "By-lineTitle",
    90: "City",
    101: "Country",
    103: "OriginalTransmissionReference",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "CopyrightNotice",
    120: "Caption",
}
_ENCODINGS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}


@dataclass(frozen=True, slots=True)
class Field:
    """`place` is where the file says it, such as EXIF; `value` is text, however it was stored."""

    place: str
    name: str
    value: str


def read_fields(image: Image.Image, data: bytes) -> list[Field]:
    """What the opened `image`, whose file is `data`, says beside its pixels; at most MOST_FIELDS.

    Never raises an Exception: a block that cannot be read is a field that says so.
    """
    found: list[Field] = []
    left = _MOST_CHARACTERS
    for place, look in (("EXIF", _exif), ("XMP", _xmp), ("IPTC", _iptc), ("text", _texts)):
        try:
            for field in look(image):
                left -= len(field.name) + len(field.value)
                if len(found) >= MOST_FIELDS or left < 0:
                    return [*found, Field(place, "...", "more than is read: the rest is left out")]
                found.append(field)
        except Exception as error:  # noqa: BLE001  (metadata break Pillow in many ways)
            found.append(Field(place, "error", f"cannot be read ({type(error).__name__})"))
    return found


def _exif(image: Image.Image) -> Iterator[Field]:
    block = image.info.get("exif")
    exif = Image.Exif()
    if isinstance(block, bytes):
        exif.load(block)
    else:
        exif = image.getexif()
    yield from _tags("EXIF", dict(exif), ExifTags.TAGS)
    for number, (place, names) in _SUB_DIRECTORIES.items():
        yield from _tags(place, dict(exif.get_ifd(number)), names)
    small = dict(exif.get_ifd(ExifTags.IFD.IFD1))
    yield from _tags(_THUMBNAIL, small, ExifTags.TAGS)


def _tags(place: str, tags: dict[int, object], names: dict[int, str]) -> Iterator[Field]:
    pointers = {int(number) for number in ExifTags.IFD}
    for tag, value in tags.items():
        if tag not in pointers:
            yield Field(place, names.get(tag, f"0x{tag:04x}"), text_of(value))


def _xmp(image: Image.Image) -> Iterator[Field]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    tags = getattr(image, "tag_v2", None)
    packet = packet or (tags.get(700) if tags is not None else None)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    if not isinstance(packet, bytes):
        return
    from defusedxml.ElementTree import fromstring

    # some writers fill the packet up with zeros, or put its headers before it
    root = fromstring(packet.strip(b"\0 \r\n\t"))
    yield from _elements(root, "", 0)


def _elements(element: object, path: str, depth: int) -> Iterator[Field]:
    """The attributes and texts of an XML element and those in it, by their short names."""
    tag, attributes = getattr(element, "tag", ""), getattr(element, "attrib", {})
    short = str(tag).rpartition("}")[2]
    # what only holds the tree together says nothing
    here = path if short in _FRAMES else f"{path}/{short}".lstrip("/")
    for name, value in attributes.items():
        key = name.rpartition("}")[2]
        if key not in ("about", "parseType"):
            yield Field("XMP", f"{here}/{key}".lstrip("/"), shortened(value, LONGEST))
    text = (getattr(element, "text", None) or "").strip()
    if text:
        yield Field("XMP", here or short, shortened(text, LONGEST))
    if depth < _DEEPEST:
        for child in element:  # type: ignore[attr-defined]
            yield from _elements(child, here, depth + 1)


_FRAMES = frozenset({"xmpmeta", "RDF", "Description", "Bag", "Seq", "Alt", "li"})


def _iptc(image: Image.Image) -> Iterator[Field]:
    from PIL import IptcImagePlugin

    if not isinstance(image, ImageFile.ImageFile):
        return
    for (record, number), value in (IptcImagePlugin.getiptcinfo(image) or {}).items():
        name = _IPTC.get(number, "") if record == 2 else ""
        for one in value if isinstance(value, list) else [value]:
            yield Field("IPTC", name or f"{record}:{number}", text_of(one))


def _texts(image: Image.Image) -> Iterator[Field]:
    texts = getattr(image, "text", None) if image.format == "PNG" else None
    for name, value in (texts or {}).items():
        if name != "XML:com.adobe.xmp":  # shown as XMP
            yield Field("PNG text", str(name), text_of(value))
    comment = image.info.get("comment")
    if comment:
        yield Field(f"{image.format} comment", "comment", text_of(comment))


def text_of(value: object) -> str:
    """A value as text: bytes that are no text as their number, lists with spaces between."""
    if isinstance(value, bytes):
        text = _decoded(value)
        return counted(len(value), "byte") if text is None else shortened(text, LONGEST)
    if isinstance(value, tuple | list):
        return shortened(" ".join(map(text_of, value[:1000])), LONGEST)
    return shortened(str(value).rstrip("\0"), LONGEST)


def _decoded(value: bytes) -> str | None:
    encoding = _ENCODINGS.get(value[:8])
    body = value[8:] if encoding else value
    for name in (encoding, "utf-8"):
        if name:
            with contextlib.suppress(UnicodeDecodeError):
                text = body.decode(name).strip("\0 ")
                if text.isprintable() or text.replace("\n", " ").replace("\r", " ").isprintable():
                    return text
    return None
