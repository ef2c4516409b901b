"""The counts of a run, image by image."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.verdicts import ErrorCode, FailOn, Label, ProvenanceKind, Status

# how many flagged, inconclusive and unreadable images are kept by name: enough for the summary; a
# million names would only take memory
NAMED = 20


@dataclass(slots=True)
class Tally:
    """The counts behind the header, the summary and the exit code.

    `named` holds, by verdict, the paths of the first NAMED images and the p_fake that decided it,
    None where other evidence did; `unreadable` those of the first NAMED that could not be read,
    with the reason. `first` is the report of the first image. `known` counts the images that match
    a list of known pictures, those that it calls real left out.
    """

    images: int = 0
    faces: int = 0
    status: Counter[Status] = field(default_factory=Counter)
    verdict: Counter[Label] = field(default_factory=Counter)
    image_verdict: Counter[Label] = field(default_factory=Counter)
    error_code: Counter[ErrorCode] = field(default_factory=Counter)
    provenance: Counter[ProvenanceKind] = field(default_factory=Counter)
    known: int = 0
    named: dict[Label, list[tuple[str, float | None]]] = field(
        default_factory=lambda: {label: [] for label in Label}
    )
    unreadable: list[tuple[str, ErrorCode]] = field(default_factory=list)
    first: ImageReport | None = None

    def add(self, report: ImageReport) -> None:
        """Count one image and its faces."""
        self.images += 1
        self.first = self.first or report
        self.faces += len(report.findings)
        self.status[report.status] += 1
        self.provenance[report.provenance.kind] += 1
        self.known += report.known is not None and not report.known.is_real
        self.verdict.update(finding.verdict.label for finding in report.findings)
        if report.label is not None:
            self.image_verdict[report.label] += 1
        if report.code is not None:
            self.error_code[report.code] += 1
            if len(self.unreadable) < NAMED:
                self.unreadable.append((report.ref.path, report.code))
        if report.label is not None and len(self.named[report.label]) < NAMED:
            self.named[report.label].append((report.ref.path, _deciding(report)))

    def counts(self, skipped: Mapping[str, int]) -> dict[str, object]:
        """The header's counts: every status and verdict, also 0; only error codes that occurred."""
        return {
            "images": self.images,
            "faces": self.faces,
            "status": {str(key): self.status[key] for key in Status},
            "verdict": {str(key): self.verdict[key] for key in Label},
            "image_verdict": {str(key): self.image_verdict[key] for key in Label},
            "error_code": {
                str(key): self.error_code[key] for key in ErrorCode if key in self.error_code
            },
            "skipped": dict(sorted(skipped.items())),
            "provenance": {str(key): self.provenance[key] for key in ProvenanceKind},
            "known": self.known,
        }

    def matches(self, what: FailOn) -> bool:
        """Whether there is any of `what`."""
        if what is FailOn.PROVENANCE:
            return self.provenance[ProvenanceKind.AI_DECLARED] > 0
        if what is FailOn.KNOWN:
            return self.known > 0
        # by faces, not by images: an image that is flagged may also hold an inconclusive face
        return self.verdict[Label(what)] > 0


def _deciding(report: ImageReport) -> float | None:
    """The highest p_fake among the faces that have the image's verdict; None if none has it."""
    return max(
        (
            finding.verdict.fake_probability
            for finding in report.findings
            if finding.verdict.label is report.label
        ),
        default=None,
    )
