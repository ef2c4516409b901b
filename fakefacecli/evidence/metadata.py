"""What a file says of itself, field by field, as its format's own structure has it.

Only fields that the structure names are read: bytes that merely occur in a file are none. Sources:
Exif 3.0 (CIPA DC-008), XMP part 1 (ISO 16684-1), IPTC-IIM 4.2, PNG (W3C, third edition), ComfyUI's
own chunk `comf` in animated PNGs.
"""

import contextlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from fakefacecli.base.text import printable
from fakefacecli.evidence.structure import gif_comments, jpeg_segments, png_chunks
from fakefacecli.evidence.xmp import XmpError, read_xmp

MOST_FIELDS = 2000
MOST_CHARS = 1 << 20  # of a value; real ones are far shorter
_XMP_TAG, _IPTC_TAG = 700, 33723
_COMMENT = 0xFE
_IFD = ExifTags.IFD
_EXIF_IFDS = {
    "EXIF": _IFD.Exif,
    "EXIF GPS": _IFD.GPSInfo,
    "EXIF Interop": _IFD.Interop,
    "EXIF thumbnail": _IFD.IFD1,
}
_USER_COMMENT = 0x9286
_XP_TAGS = range(0x9C9B, 0x9CA0)  # Windows writes these in UTF-16
_ENCODINGS = {b"ASCII": "utf-8", b"UNICODE": "utf-16", b"JIS": "iso2022_jp", b"": "utf-8"}
_IPTC_NAMES = {
    (2, 5): "ObjectName",
    (2, 25): "Keywords",
    (2, 40): "SpecialInstructions",
    (2, 55): "DateCreated",
    (2, 65): "OriginatingProgram",
    (2, 70): "ProgramVersion",
    (2, 80): "By-line",
    (2, 85): "By-lineTitle",
    (2, 90): "City",
    (2, 101): "Country-PrimaryLocationName",
    (2, 103): "OriginalTransmissionReference",
    (2, 105): "Headline",
    (2, 110): "Credit",
    (2, 115): "Source",
    (2, 116): "CopyrightNotice",
    (2, 118): "Contact",
    (2, 120): "Caption-Abstract",
    (2, 122): "Writer-Editor",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: where it stands (EXIF, XMP, IPTC, PNG text ...), its name there, its value.

    Both texts may hold anything: they are not escaped.
    """

    place: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """The fields of a file, in its order, and the places that could not be read."""

    fields: tuple[Field, ...]
    broken: tuple[str, ...]


def read_metadata(image: Image.Image, data: bytes) -> Metadata:
    """The metadata of an opened or loaded `image` whose file is `data`.

    Never raises an Exception: a block that cannot be read is named in `broken`. At most MOST_FIELDS
    fields of MOST_CHARS each.
    """
    fields: list[Field] = []
    broken: list[str] = []
    readers: dict[str, Callable[[Image.Image, bytes], Iterator[Field]]] = {
        "XMP": _xmp,
        "text chunks": _texts,
        "comments": _comments,
        "EXIF": _exif,
        "IPTC": _iptc,
    }
    for place, read in readers.items():
        try:
            for field in read(image, data):
                if len(fields) == MOST_FIELDS:
                    return Metadata(tuple(fields), tuple(broken))
                fields.append(_cut(field))
        except Exception:  # noqa: BLE001 - metadata break libraries in as many ways as pictures do
            broken.append(place)
    return Metadata(tuple(fields), tuple(broken))


def read_fields(image: Image.Image, data: bytes) -> list[Field]:
    """The fields alone; the same bounds."""
    return list(read_metadata(image, data).fields)


def xmp_packet(image: Image.Image) -> bytes:
    """The XMP packet of an image, unparsed; empty where there is none."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    packet = packet or _tiff_tag(image, _XMP_TAG)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "surrogateescape")
    return packet if isinstance(packet, bytes) else b""


def read_exif(image: Image.Image) -> Image.Exif:
    """The EXIF block; raises what Pillow raises for a broken one, each time."""
    block = image.info.get("exif")
    if not isinstance(block, bytes):
        return image.getexif()
    exif = Image.Exif()  # image.getexif() raises the first time only: then it counts as read
    exif.load(block)
    return exif


def _cut(field: Field) -> Field:
    name = printable(field.name[:200])
    return Field(field.place, name, field.value[:MOST_CHARS])


def _xmp(image: Image.Image, data: bytes) -> Iterator[Field]:
    if packet := xmp_packet(image):
        try:
            yield from (Field("XMP", name, value) for name, value in read_xmp(packet))
        except XmpError as error:
            raise ValueError("not XMP") from error


def _texts(image: Image.Image, data: bytes) -> Iterator[Field]:
    """PNG's three kinds of text chunk, each of them, and ComfyUI's own."""
    for kind, chunk in png_chunks(data) if data.startswith(b"\x89PNG") else ():
        body = chunk[8:-4]
        if kind == b"comf":
            name, _, value = body.partition(b"\0")
            yield Field("PNG comf", _latin(name), value.decode("utf-8", "replace"))
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            name, _, rest = body.partition(b"\0")
            if name != b"XML:com.adobe.xmp":
                yield Field("PNG text", _latin(name), _text_of(kind, rest))


def _text_of(kind: bytes, rest: bytes) -> str:
    if kind == b"tEXt":
        return _latin(rest)
    if kind == b"zTXt":  # a byte names the method, which is always deflate
        return _latin(_inflated(rest[1:]))
    packed, (_, _, text) = rest[:1], _three(rest[2:])
    return (_inflated(text) if packed == b"\1" else text).decode("utf-8", "replace")


def _three(rest: bytes) -> tuple[bytes, bytes, bytes]:
    """An iTXt chunk's language, its translated keyword, and its text."""
    language, _, rest = rest.partition(b"\0")
    keyword, _, text = rest.partition(b"\0")
    return language, keyword, text


def _inflated(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, 4 * MOST_CHARS)


def _latin(data: bytes) -> str:
    """Text chunks are Latin-1 by the standard, and UTF-8 as many programs write them."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _comments(image: Image.Image, data: bytes) -> Iterator[Field]:
    if data.startswith(b"\xff\xd8"):
        found = [data[s + 4 : end] for marker, s, end in jpeg_segments(data) if marker == _COMMENT]
    elif data.startswith(b"GIF8"):
        found = list(gif_comments(data))
    else:
        held = image.info.get("comment") or image.info.get("id_section")
        found = [held] if isinstance(held, bytes) else [str(held).encode()] if held else []
    for comment in found:
        yield Field(f"{image.format} comment", "Comment", _decoded(comment))


def _decoded(raw: bytes) -> str:
    """Text without a stated encoding: UTF-8, or UTF-16 where every other byte is zero."""
    zeros = raw.rstrip(b"\0").count(b"\0")
    if zeros * 3 > len(raw):
        order = "be" if raw[:1] == b"\0" else "le"
        return raw.decode(f"utf-16-{order}", "replace").rstrip("\0")
    raw = raw.rstrip(b"\0")
    return raw.decode("utf-8", "replace").replace("\0", "")


def _exif(image: Image.Image, _: bytes) -> Iterator[Field]:
    exif = read_exif(image)
    tags = dict(exif)
    if not tags:  # Pillow stumbles over the thumbnail of what is not there
        return
    yield from _of_ifd("EXIF", tags, ExifTags.TAGS)
    for place, tag in _EXIF_IFDS.items():
        names = ExifTags.GPSTAGS if place == "EXIF GPS" else ExifTags.TAGS
        with contextlib.suppress(KeyError):  # Pillow's way to say that this one is not there
            yield from _of_ifd(place, exif.get_ifd(tag), names)


def _of_ifd(place: str, tags: dict[int, object], names: dict[int, str]) -> Iterator[Field]:
    for tag, value in tags.items():
        # those lead to other directories, or to what has a reader of its own
        if tag in _EXIF_IFDS.values() or tag in (_XMP_TAG, _IPTC_TAG):
            continue
        yield Field(place, names.get(tag, f"0x{tag:04x}"), _exif_value(tag, value))


def _exif_value(tag: int, value: object) -> str:
    if tag in _XP_TAGS and isinstance(value, bytes | tuple):
        return bytes(value).decode("utf-16-le", "replace").rstrip("\0")
    if isinstance(value, bytes):
        if tag == _USER_COMMENT:
            return _user_comment(value)
        text = _decoded(value)
        known = sum(char.isprintable() or char.isspace() for char in text)
        return text if known == len(text) else f"({len(value)} bytes)"
    if isinstance(value, tuple | list):
        return ", ".join(str(part) for part in value[:64])
    return _as_utf8(str(value)).rstrip("\0 ")


def _as_utf8(text: str) -> str:
    """Pillow reads EXIF as Latin-1; many programs write UTF-8 (and Exif 3.0 allows it)."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _user_comment(value: bytes) -> str:
    """Its first 8 bytes name the encoding; byte orders of UTF-16 are mixed up in practice."""
    head, body = value[:8].rstrip(b"\0"), value[8:]
    if head not in _ENCODINGS:
        return _decoded(value)
    if head != b"UNICODE":
        return body.decode(_ENCODINGS[head], "replace").replace("\0", "").strip()
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    return _decoded(body) if b"\0" in body else _likelier(body)


def _likelier(body: bytes) -> str:
    """UTF-16 without a single zero byte, or text that should not have been called UTF-16."""
    texts = [body.decode(name, "replace") for name in ("utf-8", "utf-16-le", "utf-16-be")]
    return min(
        texts, key=lambda text: text.count("\ufffd") + sum(not c.isprintable() for c in text)
    )


def _iptc(image: Image.Image, _: bytes) -> Iterator[Field]:
    if not isinstance(image, ImageFile.ImageFile):
        return
    for key, value in (IptcImagePlugin.getiptcinfo(image) or {}).items():
        name = _IPTC_NAMES.get(key, f"{key[0]}:{key[1]:03d}")
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, bytes):
                yield Field("IPTC", name, _decoded(part))


def _tiff_tag(image: Image.Image, tag: int) -> object:
    tags = getattr(image, "tag_v2", None)
    found = tags.get(tag) if tags is not None else None
    return bytes(found) if isinstance(found, tuple) and set(map(type, found)) == {int} else found


_SPACE = re.compile(r"\s+")


def one_line(text: str, most: int) -> str:
    """`text` on one printable line of at most `most` characters."""
    return printable(_SPACE.sub(" ", text[: 4 * most]).strip())[:most]
