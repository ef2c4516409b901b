"""Rows of every kind, with the names that files of strangers have."""

from dataclasses import replace
from typing import Any

from fakefacecli.base.evidence import KnownPicture, PerceptualHash, Provenance
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.records import ImageRef
from fakefacecli.base.verdicts import (
    Caveat,
    Claim,
    ErrorCode,
    Integrity,
    Opinion,
    ProvenanceKind,
    Trust,
)
from fakefacecli.reports.rows import Row, RowFacts, rows_of
from fakefacecli.reports.runs import header_for
from tests import builders

NAMES = (
    *("=a.jpg", "'b.jpg", "''c.jpg", "-1.jpg", "@x\t.jpg", "NA", "1e3", "null", "Фото Ёлка.jpg"),
    *("\udcff.jpg", r"\xff\\.jpg", "a\n\r.jpg", 'q"uo,te;.jpg', "zero\u200dwidth.jpg", "nul\0.jpg"),
    *("\u202egpj.exe", "<img src=x onerror=alert(1)>.jpg", "\U0001f600.jpg", " .jpg", "a'b.jpg"),
)
MEMBERS = ("wide", "near-2", "third")
FACTS = RowFacts("run1", "model-x", "a" * 64, "over lays")
OF_JUDGE = replace(FACTS, members=MEMBERS)


def reports() -> list[ImageReport]:
    """Faces, images without one and with several, errors, all kinds of evidence."""
    named = [
        replace(builders.report(0.5), ref=ImageRef(n, name, name)) for n, name in enumerate(NAMES)
    ]
    drawn = builders.report(0.95, index=100, name="drawn.jpg")
    face = replace(drawn.findings[0], overlay="=dr\udcfeawn.png", turn=90, roll=-12.34)
    said = Provenance(
        ProvenanceKind.AI_DECLARED,
        detail="=C2PA, 'quoted'\r and\nlines",
        claim=Claim.GENERATED,
        generator="\ud800 of a stranger \udcff \0",
        c2pa=Integrity.VALID,
        trust=Trust.UNTRUSTED,
        signer="+Signer",
    )
    return [
        *named,
        replace(drawn, findings=(face, *builders.report(0.1, 0.5).findings), provenance=said),
        builders.report(index=101, name="no face.jpg"),
        builders.error(index=102, name="cut.jpg"),
        builders.error(ErrorCode.TIMEOUT, index=103, name="slow\udcff.jpg"),
        replace(
            builders.report(0.95, index=104, name="known.jpg"),
            caveats=tuple(Caveat),
            pdq=PerceptualHash("0f" * 32, 77),
            known=KnownPicture("fake", "-note", 12),
            frames=9,
            frames_judged=8,
        ),
    ]


def judged(report: ImageReport) -> ImageReport:
    """The same of a judge of three networks, of which one may not have been asked."""
    said = tuple(map(Opinion, MEMBERS, (1.23456, -0.5, 2.0)))
    findings = tuple(
        replace(face, verdict=replace(face.verdict, opinions=said[: 2 + number % 2]))
        for number, face in enumerate(report.findings, 1)
    )
    return replace(report, findings=findings)


def rows(facts: RowFacts = FACTS) -> list[Row]:
    """The rows of `reports`, as the journal gives them to the writers."""
    made = map(judged, reports()) if facts.members else reports()
    return [row for report in made for row in rows_of(report, facts)]


def header(run_id: str = "run1", given: list[Row] | None = None) -> dict[str, Any]:
    """A whole header of a scan that made `given`, or `rows()`."""
    of = rows() if given is None else given
    made = header_for(None, [row | {"run_id": run_id} for row in of])
    return made | {
        "run_id": run_id,
        "tool_version": "0.1.0",
        "started": "2026-11-28T01:00:00+00:00",
        "ended": "2026-11-28T02:00:00+00:00",
        "model": made["model"]
        | {
            "backbone": "resnet",
            "calibration": {"method": "none"},
            "thresholds": {"low": 0.25, "high": 0.9},
            "min_face_px": 64,
        },
        "device": "cpu",
        "precision": "fp32",
        "versions": {"python": "3.11"},
        "options": {"paths": ["in"]},
        "evidence": {},
        "counts": made["counts"] | {"skipped": {"hidden": 2}},
    }
