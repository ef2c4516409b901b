"""What is reported of an image and of its faces: no pixels, so it is small to keep and to send."""

from dataclasses import dataclass, field

from fakefacecli.base.evidence import KnownPicture, PerceptualHash, Provenance
from fakefacecli.base.records import Box, FileFacts, ImageRef
from fakefacecli.base.verdicts import (
    Caveat,
    DetectorName,
    ErrorCode,
    Evidence,
    Label,
    ProvenanceKind,
    Status,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class FaceFinding:
    """A face and its verdict; `overlay` is a path under the overlays folder, with slashes.

    `roll` and `turn` are those of its Face, in degrees. `frame` counts from 1 among the pictures of
    the file, and `frame_size` (width, height) is its size where that is not the report's.
    """

    box: Box
    detection_score: float
    verdict: Verdict
    overlay: str | None = None
    roll: float = 0.0
    frame: int = 1
    frame_size: tuple[int, int] | None = None
    turn: int = 0
    detector: DetectorName = DetectorName.MTCNN


@dataclass(frozen=True, slots=True)
class ImageReport:
    """All that is reported of one image: no pixels, so it is small to keep and to write down.

    `cluster` numbers the near-duplicates within a run from 1.
    """

    ref: ImageRef
    status: Status
    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    facts: FileFacts = field(default_factory=FileFacts)
    code: ErrorCode | None = None
    message: str = ""
    findings: tuple[FaceFinding, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    elapsed_ms: float = 0.0
    caveats: tuple[Caveat, ...] = ()
    frames: int | None = None
    frames_judged: int | None = None
    pdq: PerceptualHash | None = None
    known: KnownPicture | None = None
    cluster: int | None = None

    def __post_init__(self) -> None:
        # readers of a report rely on both: an error has a code and nothing else has one, and
        # "ok" means that there is at least one face
        if (self.status is Status.ERROR) != (self.code is not None):
            raise ValueError(f"status {self.status} with error code {self.code}")
        if bool(self.findings) != (self.status is Status.OK):
            raise ValueError(f"status {self.status} with {len(self.findings)} faces")

    @property
    def label(self) -> Label | None:
        """The image's verdict: its most serious face's, or flagged by other evidence; None else.

        Neither a file's own word nor a list of known pictures ever clears an image.
        """
        if set(self.evidence) - {Evidence.SCORE}:
            return Label.FLAGGED
        return self._label_of_faces

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What `label` rests on, in the order of Evidence; empty where that is None."""
        declared = self.provenance.kind is ProvenanceKind.AI_DECLARED
        known = self.known is not None and self.known.is_fake
        scored = self._label_of_faces
        by_score = scored is Label.FLAGGED or (scored is not None and not (declared or known))
        found = {
            Evidence.SCORE: by_score,
            Evidence.PROVENANCE: declared,
            Evidence.KNOWN: known,
        }
        return tuple(evidence for evidence, there in found.items() if there)

    @property
    def _label_of_faces(self) -> Label | None:
        # Label lists the most serious first
        labels = {finding.verdict.label for finding in self.findings}
        return next((label for label in Label if label in labels), None)
