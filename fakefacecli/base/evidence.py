"""What stands beside the score: what a file says of itself, and what is known of its picture."""

import re
from dataclasses import dataclass

from fakefacecli.base.verdicts import Claim, Integrity, ProvenanceKind, Trust

PDQ_DIGITS = 64  # 256 bits
_HEX = re.compile(rf"[0-9a-f]{{{PDQ_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the file itself says about its origin, and where in the file it says so.

    `generator` names what made the picture, if the file says so. `c2pa` says whether its signed
    manifest is whole, `trust` whether its signer is on the run's trust list; without that `signer`
    is only a claim.
    """

    kind: ProvenanceKind = ProvenanceKind.NOT_CHECKED
    detail: str = ""
    claim: Claim | None = None
    generator: str = ""
    c2pa: Integrity = Integrity.NOT_CHECKED
    trust: Trust | None = None
    signer: str = ""


@dataclass(frozen=True, slots=True)
class PerceptualHash:
    """A PDQ hash (Meta, 2019): 64 hexadecimal digits, and its quality, 0..100.

    Under quality 50 a picture has too little structure for its hash to mean anything.
    """

    digits: str
    quality: int

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.digits):
            raise ValueError(f"PDQ {self.digits[:80]!r} found, wanted {PDQ_DIGITS} hex digits")
        if not 0 <= self.quality <= 100:
            raise ValueError(f"PDQ quality {self.quality} found, wanted 0..100")


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """An entry of a list of known pictures that an image matches.

    `label` is the list's own word for it, "" without one; `distance` is that of the two PDQ hashes
    in bits, 0..256; 0 as well where the bytes are the same.
    """

    label: str
    note: str = ""
    distance: int = 0

    @property
    def is_fake(self) -> bool:
        """Whether a person has called it fake."""
        return self.label.lower() == "fake"

    @property
    def is_real(self) -> bool:
        """Whether a person has called it real."""
        return self.label.lower() == "real"
