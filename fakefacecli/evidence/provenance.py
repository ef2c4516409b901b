"""What a file says about its own origin, and whether somebody has signed that.

Metadata are a claim, not proof: they are easily removed (any re-save does) and easily forged. Their
absence says nothing. A signature of C2PA shows that nobody has changed the claim since; whether its
signer can be believed is up to the run's trust list.

Sources: IPTC NewsCodes "Digital Source Type" (cv.iptc.org/newscodes/digitalsourcetype); C2PA
Technical Specification 2.2; GB 45438-2025, the label for generated content that Chinese law asks
for (TC260); and those that generators.toml names.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from fakefacecli.base.evidence import Provenance
from fakefacecli.base.options import EvidenceOptions
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Claim, Integrity, ProvenanceKind, Trust
from fakefacecli.evidence.c2pa import (
    SOURCE_TYPES,
    Credentials,
    TrustList,
    read_credentials,
    read_trust_list,
)
from fakefacecli.evidence.generators import Rule, Table, read_table, search
from fakefacecli.evidence.metadata import Field, one_line, read_exif, read_metadata
from fakefacecli.evidence.thumbnail import thumbnail_fault

DETAIL_CHARS = 300
_EXCERPT_CHARS = 80
_MOST_SAID = 4  # pieces of evidence in one detail
_LABELS = {"1": "generated", "2": "may be generated", "3": "suspected to be generated"}
_LABEL = re.compile(r"\bLabel[\"']?\s{0,4}[:=]\s{0,4}[\"']?([123])\b")
_PRODUCER = re.compile(r"\bContentProducer[\"']?\s{0,4}[:=]\s{0,4}[\"']?([^\"',}]{1,80})")


@dataclass(frozen=True, slots=True)
class Lists:
    """What claims are checked against: the table of generators, and the signers to be trusted."""

    table: Table
    trusted: TrustList | None = None

    @property
    def sha256(self) -> str:
        """One hash over both."""
        trusted = self.trusted.sha256 if self.trusted else ""
        return hashlib.sha256(f"{self.table.sha256} {trusted}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Said:
    """One piece of evidence in a file."""

    kind: ProvenanceKind
    detail: str
    claim: Claim | None = None
    generator: str = ""


def read_lists(trust_list: str | None = None, generators: str | None = None) -> Lists:
    """The bundled table with the file `generators`, and the PEM file `trust_list`; UsageError."""
    return Lists(read_table(generators), read_trust_list(trust_list) if trust_list else None)


def lists_of(options: EvidenceOptions) -> Lists | None:
    """The lists of a scan; None where provenance is not looked at. Raises UsageError."""
    return read_lists(options.trust_list, options.generators) if options.provenance else None


def read_provenance(image: Image.Image, data: bytes, lists: Lists | None = None) -> Provenance:
    """The claim of a loaded `image` whose file is `data`; AI before camera before nothing.

    Never raises an Exception: metadata that cannot be read give INVALID, unless another part of
    the file does make a claim. A manifest of C2PA that does not fit its file is INVALID, whatever
    it says; what it says is told all the same.
    """
    lists = lists or read_lists()
    metadata = read_metadata(image, data)
    signed = _credentials(data, image.format or "", lists.trusted)
    said = [
        *_from_c2pa(signed),
        *_from_source_type(metadata.fields),
        *_from_tc260(metadata.fields),
        *_from_table([*_fields_of(signed), *metadata.fields], lists.table.rules),
        *_from_camera(metadata.fields),
        *(
            _Said(ProvenanceKind.INVALID, f"{place.upper()} cannot be read")
            for place in metadata.broken
        ),
    ]
    order = (ProvenanceKind.AI_DECLARED, ProvenanceKind.CAMERA_DECLARED, ProvenanceKind.INVALID)
    kind = next((k for k in order if any(s.kind is k for s in said)), ProvenanceKind.NONE)
    telling = [piece for piece in said if piece.kind is kind]
    details = list(dict.fromkeys(piece.detail for piece in telling))
    hint = _hint(image)
    return Provenance(
        kind,
        _joined([*details[:_MOST_SAID], *([hint] if hint else [])]),
        next((piece.claim for piece in telling if piece.claim), None),
        _short(next((piece.generator for piece in telling if piece.generator), "")),
        signed.integrity,
        signed.trust,
        _short(signed.signer),
    )


def _broken(place: str) -> _Said:
    return _Said(ProvenanceKind.INVALID, f"{place.upper()} cannot be read")


def _credentials(data: bytes, what: str, trusted: TrustList | None) -> Credentials:
    try:
        return read_credentials(data, what, trusted)
    except Exception:  # noqa: BLE001 - a native library meets untrusted bytes
        return Credentials(Integrity.INVALID, faults=("cannot be read",))


def _from_c2pa(signed: Credentials) -> Iterator[_Said]:
    if signed.integrity is Integrity.NONE:
        return
    who = f" signed by {one_line(signed.signer, 60)}" if signed.signer else ""
    if signed.integrity is Integrity.INVALID:
        says = f", it says {signed.source_type}" if signed.source_type else ""
        faults = ", ".join(signed.faults)
        detail = f"C2PA manifest{who} does not fit the file ({faults}){says}"
        yield _Said(ProvenanceKind.INVALID, detail, signed.claim, signed.generator)
        return
    trust = "on the trust list" if signed.trust is Trust.TRUSTED else "as it claims, not trusted"
    marks = "".join(f"; soft binding {one_line(name, 40)}" for name in signed.soft_bindings)
    synth = next((name for name in signed.soft_bindings if "synthid" in name.lower()), "")
    said = signed.source_type or ("SynthID" if synth else "")
    detail = f"C2PA manifest says {said or 'nothing of the kind'},{who} ({trust}){marks}"
    claim = signed.claim or (Claim.GENERATED if synth else None)
    if claim is not None:
        kind = ProvenanceKind.CAMERA_DECLARED
        if claim is not Claim.CAPTURED:
            kind = ProvenanceKind.AI_DECLARED
        yield _Said(kind, detail, claim, signed.generator if claim is not Claim.CAPTURED else "")


def _fields_of(signed: Credentials) -> Iterator[Field]:
    """What a sound manifest says in words; older ones name a generator and give no source type."""
    if signed.integrity is Integrity.VALID:
        yield from (Field("C2PA", "softwareAgent", agent) for agent in signed.agents)
        yield from (Field("C2PA", "description", words) for words in signed.descriptions)


def _from_source_type(fields: Iterable[Field]) -> Iterator[_Said]:
    """IPTC's digital source type, which is a property of XMP."""
    for field in fields:
        if field.place != "XMP" or field.name.rpartition(":")[2].lower() != "digitalsourcetype":
            continue
        word = field.value.strip().rstrip("/").rpartition("/")[2]
        if (claim := SOURCE_TYPES.get(word.lower())) is not None:
            captured = claim is Claim.CAPTURED
            kind = ProvenanceKind.CAMERA_DECLARED if captured else ProvenanceKind.AI_DECLARED
            yield _Said(kind, f"XMP DigitalSourceType {word}", claim)


def _from_tc260(fields: Iterable[Field]) -> Iterator[_Said]:
    """The label AIGC of GB 45438-2025, appendix E and F: a field of that name, or JSON with it."""
    for field in fields:
        text = _aigc(field)
        if text and (label := _LABEL.search(text)):
            producer = _PRODUCER.search(text)
            detail = f"{field.place} has the TC260 label AIGC: {_LABELS[label[1]]}"
            made_by = producer[1].strip() if producer else ""
            yield _Said(ProvenanceKind.AI_DECLARED, detail, Claim.GENERATED, made_by)


def _aigc(field: Field) -> str:
    """The label's text in a field, "" where it has none."""
    name = re.split(r"[:/]", field.name)[-1]
    if name.upper() == "AIGC":
        return field.value
    if "AIGC" not in field.value[:4096]:
        return ""
    try:
        found = json.loads(field.value[field.value.index("{") :])
    except (ValueError, RecursionError):
        return ""
    label = found.get("AIGC") if isinstance(found, dict) else None
    if isinstance(label, Mapping):
        return json.dumps(label)
    return label if isinstance(label, str) else ""


def _from_table(fields: Sequence[Field], rules: Iterable[Rule]) -> Iterator[_Said]:
    for found in search(fields, rules):
        where = f"{found.field.place} {found.field.name}"
        excerpt = one_line(found.words, _EXCERPT_CHARS)
        captured = found.rule.claim is Claim.CAPTURED
        kind = ProvenanceKind.CAMERA_DECLARED if captured else ProvenanceKind.AI_DECLARED
        words = f"{where}: {excerpt}" if excerpt else where
        yield _Said(kind, words, found.rule.claim, "" if captured else found.rule.generator)


def _from_camera(fields: Sequence[Field]) -> Iterator[_Said]:
    """EXIF names a camera: its maker and its model."""
    held = {field.name: field.value for field in reversed(fields) if field.place == "EXIF"}
    make, model = (held.get(name, "").strip("\0 ") for name in ("Make", "Model"))
    # a camera's name has no braces: JSON is data of a program
    if make and model and not set("{}") & set(make + model):
        said = f"EXIF Make {one_line(make, 60)}, Model {one_line(model, 60)}"
        yield _Said(ProvenanceKind.CAMERA_DECLARED, said, Claim.CAPTURED)


def _hint(image: Image.Image) -> str:
    """What does not fit together in the file; no claim of an origin."""
    try:
        return thumbnail_fault(image, read_exif(image))
    except Exception:  # noqa: BLE001 - a broken block has been said to be so
        return ""


def _joined(details: Sequence[str]) -> str:
    # made printable here, as the row's cell is to be cut to a length with its escapes in it
    return printable("; ".join(details))[:DETAIL_CHARS]


def _short(text: str) -> str:
    return one_line(text, 80)
