"""Signed manifests of C2PA (Content Credentials): whether they are whole, and who signed them.

Integrity and trust are two things. A manifest is VALID where its signature and its hashes fit each
other and the file; who signed it is another question, which the run's trust list answers. Anybody
can make a certificate that says "OpenAI". Source: C2PA Technical Specification 2.2, "Validation"
and "Embedding manifests into assets". Nothing is ever fetched from the network.
"""

import functools
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.errors import UsageError
from fakefacecli.base.verdicts import Claim, Integrity, Trust
from fakefacecli.evidence.structure import (
    bmff_boxes,
    gif_application,
    jpeg_segments,
    png_chunks,
    riff_chunks,
    tiff_tags,
)

_MIME = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
    "AVIF": "image/avif",
}
_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # the uuid box of a manifest store
_GIF_ID = b"C2PA_GIF\x01\x00\x00"
_TIFF_TAG = 0xCD41
_APP11 = 0xEB
_MOST_ANCHORS_BYTES = 16 << 20
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----")
SOURCE_TYPES = {
    "trainedalgorithmicmedia": Claim.GENERATED,
    "algorithmicmedia": Claim.GENERATED,
    "compositewithtrainedalgorithmicmedia": Claim.COMPOSITE,
    "compositesynthetic": Claim.COMPOSITE,
    "digitalcapture": Claim.CAPTURED,
    "computationalcapture": Claim.CAPTURED,
}
# These say who signed, or when, and not that something does not fit: a certificate that is on no
# list, or that has expired and bears no trusted time stamp
_OF_THE_SIGNER = ("signingCredential.", "timeStamp.", "timeOfSigning.")
_OUTSIDE = "claimSignature.outsideValidity"


@dataclass(frozen=True, slots=True)
class TrustList:
    """The certificates that a run trusts: a PEM file, its sha256, how many there are."""

    path: str
    pem: str
    sha256: str
    certificates: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a file's manifest says: its integrity, its signer, and what was done to the picture.

    `faults` are the specification's codes of what does not fit; `source_type` is IPTC's word.
    `agents` are all programs that the active manifest names, `descriptions` its actions'.
    """

    integrity: Integrity
    trust: Trust | None = None
    signer: str = ""
    claim: Claim | None = None
    source_type: str = ""
    generator: str = ""
    agents: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    soft_bindings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@functools.cache
def read_trust_list(path: str) -> TrustList:
    """The list in a PEM file; UsageError for what is none."""
    try:
        with open(path, "rb") as handle:
            data = handle.read(_MOST_ANCHORS_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    count = len(_CERTIFICATE.findall(data))
    if not count or len(data) > _MOST_ANCHORS_BYTES:
        raise UsageError(
            f"{path}: no certificates in PEM found; wanted a trust list such as C2PA's"
        )
    pem = data.decode("ascii", "replace")
    _context(pem)  # refused now, and not at the first manifest
    return TrustList(path, pem, hashlib.sha256(data).hexdigest(), count)


def has_manifest(data: bytes, what: str) -> bool:
    """Whether a file of Pillow's format `what` holds a manifest where its structure has a place."""
    if what in ("JPEG", "MPO"):
        return any(m == _APP11 and data[s + 4 : s + 6] == b"JP" for m, s, _ in jpeg_segments(data))
    if what == "PNG":
        return any(kind == b"caBX" for kind, _ in png_chunks(data))
    if what == "WEBP":
        return any(kind == b"C2PA" for kind, _, _ in riff_chunks(data))
    if what == "GIF":
        return bool(gif_application(data, _GIF_ID))
    if what == "TIFF":
        return _TIFF_TAG in tiff_tags(data)
    boxes = bmff_boxes(data) if what in _MIME else ()
    return any(kind == b"uuid" and data[at : at + 16] == _BOX for kind, at, _ in boxes)


def read_credentials(data: bytes, what: str, trusted: TrustList | None = None) -> Credentials:
    """What the manifest of a file says; integrity NONE where the file holds none."""
    if not has_manifest(data, what):
        return Credentials(Integrity.NONE)
    try:
        store = read_store(data, what, trusted)
    except _unreadable() as error:
        # APP11 holds other things than manifests as well, such as the parts of JPEG XT
        if _kind_of(error) == "ManifestNotFound":
            return Credentials(Integrity.NONE)
        return Credentials(Integrity.INVALID, faults=(f"{_kind_of(error)} error",))
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    signature = active.get("signature_info") or {}
    faults, distrusted = _faults(store)
    source_type, claim = _source_type(active, store)
    return Credentials(
        integrity=Integrity.INVALID if faults else Integrity.VALID,
        trust=Trust.UNTRUSTED if distrusted or faults else Trust.TRUSTED,
        signer=str(signature.get("issuer") or signature.get("common_name") or ""),
        claim=claim,
        source_type=source_type,
        generator=_generator(active),
        agents=tuple(dict.fromkeys(_agents(active))),
        descriptions=tuple(str(a["description"]) for a in _actions(active) if a.get("description")),
        soft_bindings=tuple(_soft_bindings(active)),
        faults=faults,
    )


def read_store(data: bytes, what: str, trusted: TrustList | None = None) -> dict[str, Any]:
    """All manifests of a file that holds some, and their validation, as c2pa-python's JSON has it.

    Raises what that raises for a store that cannot be read.
    """
    import c2pa

    context = _context(trusted.pem if trusted else "")
    with c2pa.Reader(_MIME[what], io.BytesIO(data), context=context) as reader:
        found = json.loads(reader.json())
    return found if isinstance(found, dict) else {}


@functools.lru_cache(maxsize=2)
def _context(anchors: str) -> Any:
    import c2pa

    settings: dict[str, Any] = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    try:
        return c2pa.Context.from_dict(settings)
    except c2pa.C2paError as error:
        raise UsageError(
            f"the trust list is refused ({error}); wanted certificates in PEM"
        ) from error


def _unreadable() -> tuple[type[Exception], ...]:
    import c2pa

    return c2pa.C2paError, ValueError, KeyError, TypeError, AttributeError, RecursionError


def _kind_of(error: Exception) -> str:
    return type(error).__name__.removeprefix("_C2pa")


def _faults(store: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """What does not fit in the active manifest, and whether its signer is not to be trusted."""
    found = (store.get("validation_results") or {}).get("activeManifest") or {}
    failed = [str(status.get("code", "")) for status in found.get("failure", ())]
    passed = {str(status.get("code", "")) for status in found.get("success", ())}
    of_signer = [c for c in failed if c.startswith(_OF_THE_SIGNER) or c == _OUTSIDE]
    faults = [code for code in failed if code not in of_signer]
    if "claimSignature.validated" not in passed and not faults:
        faults.append("claimSignature.missing")
    return tuple(dict.fromkeys(faults)), bool(of_signer)


def _assertions(manifest: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
    for assertion in manifest.get("assertions") or ():
        data = assertion.get("data")
        if str(assertion.get("label", "")).startswith(label) and isinstance(data, dict):
            yield data


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for data in _assertions(manifest, "c2pa.actions"):
        yield from (action for action in data.get("actions") or () if isinstance(action, dict))


def _source_type(active: Mapping[str, Any], store: Mapping[str, Any]) -> tuple[str, Claim | None]:
    """The most telling digitalSourceType: of the picture itself before those of what it is made of.

    A picture that only has a generated part is a composite.
    """
    own = _types_of(active)
    for wanted in (Claim.GENERATED, Claim.COMPOSITE):
        if kind := next((k for k in own if SOURCE_TYPES[k.lower()] is wanted), ""):
            return kind, wanted
    others = store.get("manifests", {}).values()
    parts = [kind for manifest in others if manifest is not active for kind in _types_of(manifest)]
    made = [kind for kind in parts if SOURCE_TYPES[kind.lower()] is not Claim.CAPTURED]
    if made:
        # an edited copy of a generated picture is generated; anything put together is a composite
        opened = len(active.get("ingredients") or ()) == 1
        return made[0], SOURCE_TYPES[made[0].lower()] if opened else Claim.COMPOSITE
    captured = [*own, *parts]
    return (captured[0], Claim.CAPTURED) if captured else ("", None)


def _types_of(manifest: Mapping[str, Any]) -> list[str]:
    said = [action.get("digitalSourceType") for action in _actions(manifest)]
    words = [str(word).rstrip("/").rpartition("/")[2] for word in said if word]
    return [word for word in words if word.lower() in SOURCE_TYPES]


def _agent_of(action: Mapping[str, Any]) -> str:
    agent = action.get("softwareAgent")
    return str((agent.get("name") if isinstance(agent, dict) else agent) or "")


def _claimant(manifest: Mapping[str, Any]) -> str:
    """The program that made the claim."""
    info: list[dict[str, Any]] = manifest.get("claim_generator_info") or [{}]
    return str(info[0].get("name") or manifest.get("claim_generator") or "")


def _agents(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from filter(None, map(_agent_of, _actions(manifest)))
    yield from filter(None, [_claimant(manifest)])


def _generator(manifest: Mapping[str, Any]) -> str:
    """The program that an action with a source type names, or else the one that made the claim."""
    named = (_agent_of(action) for action in _actions(manifest) if action.get("digitalSourceType"))
    return next(filter(None, named), _claimant(manifest))


def _soft_bindings(manifest: Mapping[str, Any]) -> Iterator[str]:
    for data in _assertions(manifest, "c2pa.soft-binding"):
        if name := data.get("alg") or data.get("name"):
            yield str(name)
    for action in _actions(manifest):
        if str(action.get("action", "")).startswith("c2pa.watermarked"):
            yield str(action.get("description") or action["action"])
