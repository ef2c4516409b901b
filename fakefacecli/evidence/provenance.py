"""What a file says about its own origin.

A claim, not proof: it is easily removed (any re-save does) and easily forged; nothing here is
verified, signatures of C2PA manifests included. Its absence says nothing.

Sources: IPTC NewsCodes "Digital Source Type" (cv.iptc.org/newscodes/digitalsourcetype); C2PA
Technical Specification 2.x, "Embedding manifests into assets" (APP11, caBX, RIFF C2PA, uuid box).
"""

import re
from collections.abc import Iterator

from PIL import Image

from fakefacecli.base.records import Provenance
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import ProvenanceKind
from fakefacecli.evidence.structure import jpeg_segments, png_chunks

AI_SOURCE_TYPES = frozenset(
    {"trainedalgorithmicmedia", "compositewithtrainedalgorithmicmedia", "algorithmicmedia"}
)
CAMERA_SOURCE_TYPES = frozenset({"digitalcapture"})

# Names that no camera, editor or photographer is likely to carry.
GENERATORS = (
    "Stable Diffusion",
    "Midjourney",
    "DALL-E",
    "DALL·E",
    "OpenAI",
    "ChatGPT",
    "GPT-4o",
    "gpt-image",
    "Adobe Firefly",
    "NovelAI",
    "ComfyUI",
    "AUTOMATIC1111",
    "InvokeAI",
    "Fooocus",
    "DreamStudio",
    "DreamShaper",
    "Stability AI",
    "Black Forest Labs",
    "Bing Image Creator",
    "Microsoft Designer",
    "Made with Google AI",
    "Google Imagen",
    "Leonardo.Ai",
    "Ideogram AI",
    "NightCafe",
    "Craiyon",
    "StyleGAN",
    "thispersondoesnotexist",
)

_GENERATOR = re.compile("|".join(re.escape(name) for name in GENERATORS), re.I)
_GENERATOR_BYTES = re.compile(_GENERATOR.pattern.encode(), re.I)
_SOURCE_TYPE = re.compile(
    rb"digitalsourcetype[/\"'=>\s]{1,9}(?:https?:[^\"'<\s]*/)?(\w{1,60})", re.I
)
_WEB_UI = re.compile(r"Steps: \d+.{0,200}Sampler: ", re.S)
# Text chunks that only generators write, and what must stand in them.
_TEXT_KEYS = {
    "parameters": re.compile(r"Steps: \d|sui_image_params"),
    "prompt": re.compile(r'"class_type"'),
    "workflow": re.compile(r'"nodes"|"class_type"'),
    "invokeai_metadata": re.compile(""),
    "sd-metadata": re.compile(""),
    "fooocus_scheme": re.compile(""),
}
_TEXT_NAMING = ("Software", "Source", "Artist", "Author", "Description", "Comment", "Title")
_EXIF_NAMING = {0x0131: "Software", 0x013B: "Artist", 0x010E: "ImageDescription"}
_EXIF_IFD, _USER_COMMENT, _MAKE, _MODEL = 0x8769, 0x9286, 0x010F, 0x0110
_XMP_TAG, _C2PA_TAG = 700, 52545
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_SEARCHED_BYTES = 1 << 20  # of each metadata block; real ones are far smaller
_DETAIL_CHARS = 120


def read_provenance(image: Image.Image, data: bytes) -> Provenance:
    """The claim of a loaded `image` whose file is `data`; AI before camera before nothing.

    Never raises an Exception: metadata that cannot be read give INVALID, unless another part of
    the file does make a claim.
    """
    found: list[Provenance] = []
    for look in (_from_xmp, _from_text, _from_exif, _from_c2pa):
        try:
            found.extend(look(image, data))
        except Exception:  # noqa: BLE001  (metadata break Pillow in as many ways as pictures do)
            where = look.__name__.removeprefix("_from_").replace("text", "text chunks")
            found.append(_claim(ProvenanceKind.INVALID, f"{where.upper()} cannot be read"))
    order = (ProvenanceKind.AI_DECLARED, ProvenanceKind.CAMERA_DECLARED, ProvenanceKind.INVALID)
    ranked = (claim for kind in order for claim in found if claim.kind is kind)
    return next(ranked, Provenance(ProvenanceKind.NONE))


def _claim(kind: ProvenanceKind, detail: str) -> Provenance:
    line = " ".join(detail.split())
    return Provenance(kind, printable(line[:_DETAIL_CHARS])[:_DETAIL_CHARS])


def _from_xmp(image: Image.Image, _: bytes) -> Iterator[Provenance]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or _tiff(image, _XMP_TAG)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "surrogateescape")
    if isinstance(packet, bytes):
        yield from _source_types(packet, "XMP DigitalSourceType {}")


def _source_types(block: bytes, words: str) -> Iterator[Provenance]:
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
    for key in _TEXT_NAMING:
        yield from _naming(chunks.get(key, ""), f"PNG text {key}")


def _naming(value: object, where: str) -> Iterator[Provenance]:
    if isinstance(value, bytes):
        # UserComment starts with 8 bytes that name its encoding; UTF-16 loses its zeros here
        value = value.replace(b"\0", b"").decode("utf-8", "replace")
    if not isinstance(value, str):
        return
    text = value[:_SEARCHED_BYTES]
    if match := _GENERATOR.search(text):
        yield _claim(ProvenanceKind.AI_DECLARED, f"{where} names {match[0]}")
    elif _WEB_UI.search(text):
        yield _claim(ProvenanceKind.AI_DECLARED, f"{where} as Stable Diffusion web UIs write it")


def _from_exif(image: Image.Image, _: bytes) -> Iterator[Provenance]:
    exif = _exif(image)
    for tag, name in _EXIF_NAMING.items():
        yield from _naming(exif.get(tag), f"EXIF {name}")
    yield from _naming(exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT), "EXIF UserComment")
    make, model = (str(exif.get(tag) or "").strip("\0 ") for tag in (_MAKE, _MODEL))
    if make and model:
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
        at += 8 + size + size % 2
    return b""


def _tiff(image: Image.Image, tag: int) -> object:
    tags = getattr(image, "tag_v2", None)
    return tags.get(tag) if tags is not None else None
