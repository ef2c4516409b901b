"""What a worker and the scan say to each other: one header, then the pixels as they are.

A header is 4 bytes of length, big end first, and that many bytes of JSON. JSON, and not pickle: a
decoder that a bad file has taken over must not choose what the scan's own process runs. For the
same reason every field is checked on arrival.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fakefacecli.base.evidence import PerceptualHash, Provenance
from fakefacecli.base.records import (
    DecodedImage,
    FileFacts,
    ImageRef,
    Pixels,
    Unreadable,
)
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Caveat, Claim, ErrorCode, Integrity, ProvenanceKind, Trust

LENGTH_BYTES = 4
LONGEST_HEADER = 1 << 16  # ours are below 1 kB; a path of 4096 bytes takes 24 kB when escaped
CHANNELS = 3
_NUMBERS_OF_ANOTHER = 4
_LONGEST_TEXT = 500


FEW_PIXELS = 1 << 20  # for files of so many the scan is not asked before they are decoded


class Garbled(Exception):
    """The other end sent what is no message of this protocol."""


def packed(header: dict[str, Any]) -> bytes:
    """`header` as it goes over the wire; lone surrogates in it survive."""
    body = json.dumps(header).encode("ascii")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def length(head: bytes | bytearray) -> int:
    """How many bytes of JSON follow `head`; raises Garbled for more than a header may have."""
    count = int.from_bytes(head, "big")
    if not 0 < count <= LONGEST_HEADER:
        raise Garbled
    return count


def unpacked(body: bytes | bytearray) -> dict[str, Any]:
    """The header that `body` holds; raises Garbled."""
    try:
        header = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Garbled from error
    if not isinstance(header, dict):
        raise Garbled
    return header


def answer_header(answer: object) -> dict[str, Any]:
    """The header for what the decode function gave; `{"kind": "none"}` for what is no answer."""
    if isinstance(answer, DecodedImage):
        return {
            "kind": "image",
            "height": answer.height,
            "width": answer.width,
            "facts": asdict(answer.facts),
            "orientation": answer.orientation,
            "provenance": asdict(answer.provenance),
            "decode_ms": answer.decode_ms,
            "caveats": answer.caveats,
            "frames": answer.frames,
            # number, height, width and orientation of each picture; the first is described above
            "others": [
                [other.frame, other.height, other.width, other.orientation]
                for other in answer.others
            ],
            "frame": answer.frame,
            "pdq": asdict(answer.pdq) if answer.pdq else None,
        }
    if isinstance(answer, Unreadable):
        return {
            "kind": "unreadable",
            "code": answer.code,
            "message": answer.message,
            "facts": asdict(answer.facts),
            "decode_ms": answer.decode_ms,
        }
    return {"kind": "none"}


def pixels_ahead(header: dict[str, Any], before: int, max_pixels: int) -> int:
    """How many pixels a worker is about to decode, 0 if it says none; raises Garbled.

    It may say so again for the same file, with more of them than `before`.
    """
    if header.get("kind") != "begins":
        return 0
    pixels = header.get("pixels")
    if not (type(pixels) is int and before < pixels <= max_pixels):
        raise Garbled
    return pixels


def shapes(header: dict[str, Any], max_pixels: int) -> list[tuple[int, int, int]]:
    """The (height, width, 3) of each block of pixels that follows; raises Garbled."""
    if header.get("kind") != "image":
        return []
    found, others = [(header.get("height"), header.get("width"))], header.get("others")
    if not isinstance(others, list):
        raise Garbled
    for other in others:
        if not (isinstance(other, list) and len(other) == _NUMBERS_OF_ANOTHER):
            raise Garbled
        found.append((other[1], other[2]))
    sizes = []
    for height, width in found:
        if not (type(height) is int and type(width) is int and height > 0 and width > 0):
            raise Garbled
        sizes.append((height, width, CHANNELS))
    if sum(height * width for height, width, _ in sizes) > max_pixels:
        raise Garbled
    return sizes


def answer(
    header: dict[str, Any], ref: ImageRef, pictures: Sequence[Pixels]
) -> DecodedImage | Unreadable:
    """The worker's answer about `ref`; raises Garbled for anything that is not one."""
    try:
        facts = _facts(header["facts"])
        spent = float(header["decode_ms"])
        if not 0.0 <= spent < float("inf"):
            raise Garbled
        if header["kind"] == "unreadable":
            text = _text(header["message"])
            return Unreadable(ref, ErrorCode(header["code"]), text, facts, spent)
        return _image(header, ref, pictures, facts, spent)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Garbled from error


def _image(
    header: dict[str, Any],
    ref: ImageRef,
    pictures: Sequence[Pixels],
    facts: FileFacts,
    spent: float,
) -> DecodedImage:
    first, *rest = pictures
    others = tuple(
        DecodedImage(ref, pixels, facts, _whole(about[3]), frame=_whole(about[0]))
        for about, pixels in zip(header["others"], rest, strict=True)
    )
    return DecodedImage(
        ref,
        first,
        facts,
        _whole(header["orientation"]),
        _provenance(header["provenance"]),
        spent,
        tuple(Caveat(word) for word in header["caveats"]),
        frame=_whole(header["frame"]),
        frames=_whole(header["frames"]),
        others=others,
        pdq=_pdq(header["pdq"]),
    )


def _provenance(found: dict[str, Any]) -> Provenance:
    return Provenance(
        ProvenanceKind(found["kind"]),
        _text(found["detail"]),
        found["claim"] and Claim(found["claim"]),
        _text(found["generator"]),
        Integrity(found["c2pa"]),
        found["trust"] and Trust(found["trust"]),
        _text(found["signer"]),
    )


def _pdq(found: dict[str, Any] | None) -> PerceptualHash | None:
    if found is None:
        return None
    return PerceptualHash(_text(found["digits"]), _whole(found["quality"]))


def empty_pixels(size: tuple[int, int, int]) -> Pixels:
    """Room for the pixels of an image, not yet filled."""
    return np.empty(size, dtype=np.uint8)


def _facts(found: dict[str, Any]) -> FileFacts:
    sha256 = found["sha256"]
    if sha256 is not None and (len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef")):
        raise Garbled
    sizes = [None if found[key] is None else _whole(found[key]) for key in ("size", "mtime_ns")]
    name = None if found["format"] is None else _text(found["format"])
    return FileFacts(sha256, sizes[0], sizes[1], name)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise Garbled
    return value


def _text(value: object) -> str:
    if type(value) is not str or len(value) > _LONGEST_TEXT:
        raise Garbled
    # escaped on arrival, as for one field of the two the sender has done so already
    return value if value.isprintable() else printable(value)
