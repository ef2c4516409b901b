"""Reports as JSON types and back: what a journal and a state keep of an image."""

from typing import Any

from fakefacecli.base.evidence import KnownPicture, PerceptualHash, Provenance
from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.records import Box, FileFacts, ImageRef
from fakefacecli.base.verdicts import (
    Caveat,
    Claim,
    DetectorName,
    ErrorCode,
    Integrity,
    Label,
    Opinion,
    ProvenanceKind,
    Reason,
    Status,
    Thresholds,
    Trust,
    Verdict,
)

Plain = dict[str, Any]


def to_plain(report: ImageReport) -> Plain:
    """The report as JSON types; `from_plain` undoes it exactly."""
    # lists without names, because a journal may have millions of lines; a state keeps reports in
    # this form as well
    facts = report.facts
    return {
        "ref": [report.ref.index, report.ref.path, report.ref.name],
        "status": report.status,
        "size": [report.width, report.height, report.orientation],
        "facts": [facts.sha256, facts.size, facts.mtime_ns, facts.format],
        "code": report.code,
        "message": report.message,
        "provenance": _provenance_to_plain(report.provenance),
        "elapsed_ms": report.elapsed_ms,
        "caveats": report.caveats,
        "frames": [report.frames, report.frames_judged],
        "findings": [_finding_to_plain(finding) for finding in report.findings],
        "pdq": report.pdq and [report.pdq.digits, report.pdq.quality],
        "known": report.known and [report.known.label, report.known.note, report.known.distance],
    }


def _provenance_to_plain(said: Provenance) -> list[Any]:
    return [
        *(said.kind, said.detail, said.claim, said.generator),
        *(said.c2pa, said.trust, said.signer),
    ]


def _finding_to_plain(finding: FaceFinding) -> list[Any]:
    box, verdict = finding.box, finding.verdict
    return [
        [box.left, box.top, box.right, box.bottom],
        finding.detection_score,
        [verdict.fake_probability, verdict.thresholds.low, verdict.thresholds.high],
        verdict.label,
        verdict.reason,
        finding.overlay,
        finding.roll,
        [[said.member, said.logit] for said in verdict.opinions],
        finding.frame,
        finding.frame_size,
        finding.turn,
        finding.detector,
        verdict.probed,
    ]


def from_plain(plain: Plain) -> ImageReport:
    """Read what `to_plain` made; KeyError, TypeError or ValueError when it is something else."""
    width, height, orientation = plain["size"]
    pdq, known = plain.get("pdq"), plain.get("known")
    frames, frames_judged = plain.get("frames", (None, None))
    return ImageReport(
        ref=ImageRef(*plain["ref"]),
        status=Status(plain["status"]),
        width=width,
        height=height,
        orientation=orientation,
        facts=FileFacts(*plain["facts"]),
        code=plain["code"] and ErrorCode(plain["code"]),
        message=plain["message"],
        findings=tuple(_finding_from_plain(finding) for finding in plain["findings"]),
        provenance=_provenance_from_plain(*plain["provenance"]),
        elapsed_ms=plain["elapsed_ms"],
        # a journal of an older version has none
        frames=frames,
        frames_judged=frames_judged,
        caveats=tuple(Caveat(word) for word in plain.get("caveats", ())),
        pdq=pdq and PerceptualHash(*pdq),
        known=known and KnownPicture(*known),
    )


def _provenance_from_plain(  # noqa: PLR0913, PLR0917 - the fields of a Provenance
    kind: str,
    detail: str,
    claim: str | None = None,
    generator: str = "",
    c2pa: str = Integrity.NOT_CHECKED,
    trust: str | None = None,
    signer: str = "",
) -> Provenance:
    return Provenance(
        ProvenanceKind(kind),
        detail,
        Claim(claim) if claim else None,
        generator,
        Integrity(c2pa),
        Trust(trust) if trust else None,
        signer,
    )


def _finding_from_plain(plain: list[Any]) -> FaceFinding:
    box, score, (probability, low, high), label, reason, overlay, *later = plain
    # a journal of an older version has fewer of these
    usual: list[Any] = [0.0, (), 1, None, 0, DetectorName.MTCNN, None]
    roll, said, frame, size, turn, detector, probed = [*later, *usual[len(later) :]]
    opinions = tuple(Opinion(*opinion) for opinion in said)
    verdict = Verdict(
        probability,
        Thresholds(low, high),
        Label(label),
        Reason(reason),
        opinions,
        tuple(probed) if probed else None,
    )
    size = tuple(size) if size else None
    return FaceFinding(
        Box(*box),
        score,
        verdict,
        overlay,
        roll,
        frame,
        frame_size=size,
        turn=turn,
        detector=DetectorName(detector),
    )
