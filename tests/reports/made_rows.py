"""Rows of reports, made of the real records by the real writer of rows."""

import dataclasses
import hashlib
import pathlib
from typing import Any

from PIL import Image

from fakefacecli.base.evidence import KnownPicture, PerceptualHash, Provenance
from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.records import Box, FileFacts, ImageRef
from fakefacecli.base.verdicts import (
    ErrorCode,
    Label,
    Opinion,
    ProvenanceKind,
    Reason,
    Status,
    Thresholds,
    Verdict,
)
from fakefacecli.reports.rows import Row, RowFacts, rows_of

LIMITS = Thresholds(0.25, 0.9)
FACTS = RowFacts("f" * 32, "a-model", "a" * 64, "ov", ("clip", "native"))
CARD: dict[str, Any] = {
    "name": "a-model",
    "calibration": {"method": "platt", "a": 1.0, "b": 0.0},
    "thresholds": {"low": 0.25, "high": 0.9},
    "measured": {
        "known_sources": {"real": 400, "fake": 500, "flagged_real": 0.0, "flagged_fake": 0.8},
        "sources_never_seen": {
            "real": 1000,
            "fake": 500,
            "flagged_real": 0.01,
            "flagged_fake": 0.4,
            "half_size": {"real": 200, "fake": 100, "flagged_real": 0.02, "flagged_fake": 0.3},
        },
        "note": "free text",
    },
}
HEADER: dict[str, Any] = {
    "run_id": "f" * 32,
    "started": "2026-11-28T07:25:28+00:00",
    "model": {"name": "a-model", "calibration": {"state": "calibrated"}},
    "options": {"paths": ["photos"]},
    "counts": {"skipped": {"hidden": 2}},
}
FLAGGED, OPEN, CLEAR = (0.95, 0.99), (0.5, 0.4, 0.3), (0.1, 0.01)


def judged(p_fake: float, overlay: str | None = None, left: float = 10) -> FaceFinding:
    label, reason = Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS
    if p_fake >= LIMITS.high:
        label, reason = Label.FLAGGED, Reason.ABOVE_HIGH
    elif p_fake < LIMITS.low:
        label, reason = Label.NOT_FLAGGED, Reason.BELOW_LOW
    said = (Opinion("clip", 1.25), Opinion("native", -0.5))
    verdict = Verdict(p_fake, LIMITS, label, reason, said)
    return FaceFinding(Box(left, 20, left + 100, 140), 0.999, verdict, overlay)


def sha256_of(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def image(name: str, *faces: FaceFinding, index: int = 0, **more: Any) -> ImageReport:
    return ImageReport(
        ImageRef(index, name, name),
        Status.OK if faces else Status.NO_FACE,
        *(640, 480, 1),
        facts=FileFacts(sha256_of(name), 1234, 99, "JPEG"),
        findings=faces,
        provenance=more.pop("provenance", Provenance(ProvenanceKind.NONE)),
        frames=1,
        frames_judged=1,
        **more,
    )


def unreadable(name: str, index: int = 0) -> ImageReport:
    return ImageReport(
        ImageRef(index, name, name),
        Status.ERROR,
        code=ErrorCode.TRUNCATED,
        message="the file ends before its picture does",
    )


def rows_for(*reports: ImageReport) -> list[Row]:
    return [row for report in reports for row in rows_of(report, FACTS)]


def overlay(folder: pathlib.Path, name: str, size: tuple[int, int] = (1224, 1012)) -> str:
    (folder / "ov").mkdir(exist_ok=True)
    Image.effect_noise(size, 60).convert("RGB").save(folder / "ov" / name, "JPEG", quality=60)
    return name


def usual(folder: pathlib.Path) -> list[Row]:
    """Of every kind of row one or more; two flagged faces have pictures."""
    declared = Provenance(ProvenanceKind.AI_DECLARED, "IPTC source type", generator="Imagined 3")
    reports = [
        image("a/flagged.jpg", judged(0.95, overlay(folder, "one.jpg"))),
        image("a/sure.png", judged(0.99, overlay(folder, "two.jpg", (300, 200)))),
        image("b/open.jpg", judged(0.5), judged(0.4, left=300)),
        image("b/other.jpg", judged(0.3)),
        image("c/clear.jpg", judged(0.1)),
        image("c/clear2.jpg", judged(0.01)),
        image("d/declared.jpg", judged(0.02), provenance=declared),
        image("e/landscape.jpg"),
        unreadable("e/broken.jpg"),
    ]
    return rows_for(
        *(
            dataclasses.replace(report, ref=dataclasses.replace(report.ref, index=number))
            for number, report in enumerate(reports)
        )
    )


def duplicates() -> list[Row]:
    """Three near-duplicates, in two of which the face lies in the same place."""
    pdq = PerceptualHash("ab" * 32, 88)
    places = (10, 12, 400)
    return rows_for(
        *(
            image(f"{name}.jpg", judged(0.5, left=left), cluster=1, pdq=pdq, index=number)
            for number, (name, left) in enumerate(zip("xyz", places, strict=True))
        ),
        image("known.jpg", judged(0.2), known=KnownPicture("fake", "seen in June", 4), index=3),
    )
