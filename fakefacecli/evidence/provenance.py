"""What a file says about its own origin.

A claim, not proof: it is easily removed (any re-save does) and easily forged; nothing here is
verified, signatures of C2PA manifests included. Its absence says nothing.

Sources: IPTC NewsCodes "Digital Source Type" (cv.iptc.org/newscodes/digitalsourcetype); C2PA
Technical Specification 2.x, "Embedding manifests into assets" (APP11, caBX, RIFF C2PA, uuid box);
GB 45438-2025, the label for generated content that Chinese law asks for (TC260).
"""

import re
from collections.abc import Iterator

from PIL import Image

from fakefacecli.base.evidence import Provenance
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import ProvenanceKind
from fakefacecli.evidence.generators import GENERATOR, label_of_tc260, named_generator, written_by
from fakefacecli.evidence.structure import jpeg_segments, png_chunks

AI_SOURCE_TYPES = frozenset(
    {"trainedalgorithmicmedia", "compositewithtrainedalgorithmicmedia", "algorithmicmedia"}
)
CAMERA_SOURCE_TYPES = frozenset({"digitalcapture"})

_GENERATOR_BYTES = re.compile(GENERATOR.pattern.encode(), re.I)
_SOURCE_TYPE = re.compile(
    rb"digitalsourcetype[/\"'=>\s]{1,9}(?:https?:[^\"'<\s]*/)?(\w{1,60})", re.I
)
# Text chunks that only generators write, and what must stand in them.
_TEXT_KEYS = {
    "parameters": re.compile(r"Steps: \d|sui_image_params"),
    "prompt": re.compile(r'"class_type"'),
    "workflow": re.compile(r'"nodes"|"class_type"'),
    "invokeai_metadata": re.compile(""),
    "sd-metadata": re.compile(""),
    "fooocus_scheme": re.compile(""),
}
# Fields that name what made the picture, or who; and captions, which may be about anything.
_TEXT_NAMING = ("Software", "Source", "Artist", "Author")
_TEXT_CAPTIONS = ("Description", "Comment", "Title")
_EXIF_IFD, _MAKE, _MODEL = 0x8769, 0x010F, 0x0110
_EXIF_NAMING = {0x0131: "Software", 0x013B: "Artist", _MAKE: "Make", _MODEL: "Model"}
_EXIF_CAPTIONS = {0x010E: "ImageDescription", 0x9286: "UserComment"}
_XMP_TAG, _C2PA_TAG = 700, 52545
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_ENCODING = re.compile(rb"\A(?:ASCII|UNICODE|JIS)?\0+")
_SEARCHED_BYTES = 1 << 20  # of each metadata block; real ones are far smaller
_DETAIL_CHARS = 120


def read_provenance(image: Image.Image, data: bytes) -> Provenance:
    """The claim of a loaded `image` whose file is `data`; AI before camera before nothing.

    Never raises an Exception: metadata that cannot be read give INVALID, unless another part of
    the file does make a claim.
    """
    found: list[Provenance] = []
    for look in (_from_xmp, _from_text, _from_comment, _from_exif, _from_c2pa):
        try:
            found.extend(look(image, data))
        except Exception:  # noqa: BLE001  (metadata break Pillow in as many ways as pictures do)
            where = look.__name__.removeprefix("_from_").replace("text", "text chunks")
            found.append(_claim(ProvenanceKind.INVALID, f"{where.upper()} cannot be read"))
    order = (ProvenanceKind.AI_DECLARED, ProvenanceKind.CAMERA_DECLARED, ProvenanceKind.INVALID)
    ranked = (claim for kind in order for claim in found if claim.kind is kind)
    return next(ranked, Provenance(ProvenanceKind.NONE))


def _claim(kind: ProvenanceKind, detail: str) -> Provenance:
    # made printable here, as the row's cell is to be cut to a length with its escapes in it
    line = " ".join(detail.split())
    return Provenance(kind, printable(line[:_DETAIL_CHARS])[:_DETAIL_CHARS])


def _from_xmp(image: Image.Image, _: bytes) -> Iterator[Provenance]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or _tiff(image, _XMP_TAG)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "surrogateescape")
    if isinstance(packet, bytes):
        yield from _source_types(packet, "XMP DigitalSourceType {}")
        yield from _tc260(packet, "XMP")


def _source_types(block: bytes, words: str) -> Iterator[Provenance]:
    # UTF-16 text becomes ASCII that can be searched when its zeros are taken out
    for match in _SOURCE_TYPE.finditer(block[:_SEARCHED_BYTES].replace(b"\0", b"")):
        kind = match[1].decode("ascii", "replace")
        if kind.lower() in AI_SOURCE_TYPES:
            yield _claim(ProvenanceKind.AI_DECLARED, words.format(kind))
        elif kind.lower() in CAMERA_SOURCE_TYPES:
            yield _claim(ProvenanceKind.CAMERA_DECLARED, words.format(kind))


def _from_text(image: Image.Image, _: bytes) -> Iterator[Provenance]:
    if image.format != "PNG":
        return
    chunks = {key: value for key, value in image.info.items() if isinstance(value, str)}
    for key, wanted in _TEXT_KEYS.items():
        if key in chunks and wanted.search(chunks[key][:_SEARCHED_BYTES]):
            yield _claim(ProvenanceKind.AI_DECLARED, f"PNG text {key} as image generators write it")
    for place, words in chunks.items():
        block = f"{place}: {words[:_SEARCHED_BYTES]}".encode("utf-8", "replace")
        yield from _tc260(block, f"PNG text {place}")
    for key in (*_TEXT_NAMING, *_TEXT_CAPTIONS):
        yield from _naming(chunks.get(key, ""), f"PNG text {key}", key in _TEXT_CAPTIONS)


def _from_comment(image: Image.Image, _: bytes) -> Iterator[Provenance]:
    """A comment of the file itself, as JPEG and GIF have it."""
    yield from _naming(image.info.get("comment"), f"{image.format} comment", caption=True)


def _tc260(block: bytes, where: str) -> Iterator[Provenance]:
    words = label_of_tc260(block[:_SEARCHED_BYTES].replace(b"\0", b""))
    if words:
        yield _claim(ProvenanceKind.AI_DECLARED, f"{where} has the TC260 label AIGC: {words}")


def _naming(value: object, where: str, caption: bool) -> Iterator[Provenance]:
    if isinstance(value, bytes):
        # UserComment starts with 8 bytes that name its encoding; UTF-16 loses its zeros here
        value = _ENCODING.sub(b"", value).replace(b"\0", b"").decode("utf-8", "replace")
    if not isinstance(value, str):
        return
    text = value[:_SEARCHED_BYTES]
    if name := named_generator(text, caption):
        yield _claim(ProvenanceKind.AI_DECLARED, f"{where} names {name}")
    elif program := written_by(text):
        yield _claim(ProvenanceKind.AI_DECLARED, f"{where} as {program} write it")
    yield from _tc260(text.encode("utf-8", "replace"), where)


def _from_exif(image: Image.Image, _: bytes) -> Iterator[Provenance]:
    exif = _exif(image)
    tags = {**exif, **exif.get_ifd(_EXIF_IFD)}
    for tag, name in (_EXIF_NAMING | _EXIF_CAPTIONS).items():
        yield from _naming(tags.get(tag), f"EXIF {name}", tag in _EXIF_CAPTIONS)
    # ComfyUI writes what it was asked into any tag that takes text, those of a camera included
    texts = {tag: value for tag, value in tags.items() if isinstance(value, str)}
    for tag, value in texts.items():
        if program := written_by(value[:_SEARCHED_BYTES]):
            yield _claim(ProvenanceKind.AI_DECLARED, f"EXIF tag 0x{tag:04x} as {program} write it")
    make, model = (str(exif.get(tag) or "").strip("\0 ") for tag in (_MAKE, _MODEL))
    # a camera's name has no braces: JSON is data of a program
    if make and model and not set("{}") & set(make + model):
        yield _claim(ProvenanceKind.CAMERA_DECLARED, f"EXIF Make {make}, Model {model}")


def _exif(image: Image.Image) -> Image.Exif:
    block = image.info.get("exif")
    if not isinstance(block, bytes):
        return image.getexif()
    exif = Image.Exif()  # image.getexif() raises the first time only: then it counts as read
    exif.load(block)
    return exif


def _from_c2pa(image: Image.Image, data: bytes) -> Iterator[Provenance]:
    block = _manifest(image, data)[:_SEARCHED_BYTES]
    if not block:
        return
    yield from _source_types(block, "C2PA manifest says {} (not verified)")
    # the manifest is CBOR and JSON in JUMBF boxes; their strings are plain UTF-8, so a search finds
    # them without a parser for untrusted data
    if match := _GENERATOR_BYTES.search(block):
        who = match[0].decode("utf-8", "replace")
        yield _claim(ProvenanceKind.AI_DECLARED, f"C2PA manifest names {who} (not verified)")


def _manifest(image: Image.Image, data: bytes) -> bytes:
    """The bytes of the file's C2PA manifests, unparsed; empty where there is none."""
    if data.startswith(b"\xff\xd8"):
        parts = [data[start:end] for kind, start, end in jpeg_segments(data) if kind == 0xEB]
        # each segment repeats 20 bytes of headers; a word may run over the seam between two
        return b"".join(part[20:] for part in parts if part[4:6] == b"JP")
    if data.startswith(b"\x89PNG"):
        return b"".join(chunk[8:-4] for kind, chunk in png_chunks(data) if kind == b"caBX")
    if data.startswith(b"RIFF"):
        return _riff_chunk(data, b"C2PA")
    if data[4:8] == b"ftyp":
        at = data.find(_C2PA_BOX)
        return data[at : at + _SEARCHED_BYTES] if at >= 0 else b""
    tag = _tiff(image, _C2PA_TAG)
    return tag if isinstance(tag, bytes) else b""


def _riff_chunk(data: bytes, wanted: bytes) -> bytes:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == wanted:
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2  # RIFF fills odd chunks up to an even length
    return b""


def _tiff(image: Image.Image, tag: int) -> object:
    tags = getattr(image, "tag_v2", None)
    return tags.get(tag) if tags is not None else None
