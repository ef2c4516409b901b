"""Report rows and the three formats of text they are written in.

One row per face; exactly one for an image without a face or with an error. Every row leads to its
exact file: a CSV holds names as `text.printable` writes them, without a control character; JSON
holds the names themselves, and the bytes of those that are not Unicode. A CSV cell of text that a
spreadsheet could take for a formula gets an apostrophe before it (OWASP, "CSV Injection").
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.options import ReportTarget
from fakefacecli.base.protocols import ReportWriter
from fakefacecli.base.text import in_json, printable

SCHEMA_VERSION = 1
COLUMNS = (
    *("schema_version", "run_id", "path", "sha256", "bytes", "format", "width", "height"),
    *("orientation", "status", "error_code", "error", "faces", "face", "x1", "y1", "x2", "y2"),
    *("face_px", "detection_score", "p_fake", "verdict", "reason"),
    *("threshold_low", "threshold_high", "image_verdict", "provenance", "provenance_detail"),
    *("overlay", "model", "model_sha256", "elapsed_ms", "warning"),
    *("frame", "frames", "frames_judged"),
    *("roll", "turn"),
    "detector",
    *("provenance_claim", "generator", "c2pa", "c2pa_trust", "c2pa_signer", "image_evidence"),
    *("p_fake_min", "p_fake_max"),
    *("pdq", "pdq_quality", "known", "known_note", "known_distance", "cluster"),
)
# behind the others, where a judge of several networks judged
JUDGE_COLUMNS = ("members",)
# of these JSON also holds the bytes, base64 in NAME_bytes, where they are not UTF-8
FILE_COLUMNS = ("path", "overlay")
CSV_MEMBER = "logit_"
# The apostrophe is among them: a cell that starts with one gets one more, so that a reader can
# always take off the first. The last four are full-width forms, which some spreadsheets read like
# the first four
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# by this mark Excel knows a CSV in UTF-8; without it, it takes the local 8-bit encoding
BOM = "\ufeff"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What every row of a run repeats; `overlays` is their folder, relative to the report's.

    It is None where overlays are not for a reader of the report. `members` are the names of a
    judge's networks, if it has several. With `redacts` the stand-ins of the inputs' names are their
    paths.
    """

    run_id: str
    model: str
    model_sha256: str
    overlays: str | None = ""
    members: tuple[str, ...] = ()
    redacts: bool = False


def rows_of(report: ImageReport, facts: RowFacts) -> Iterator[Row]:
    """The rows of one image, each with every one of COLUMNS; None where nothing is known.

    FILE_COLUMNS hold names as the system has them, which each writer writes in its own way.
    Of a judge of several networks there are JUDGE_COLUMNS as well: the logit of each network by its
    name.
    """
    common: Row = dict.fromkeys((*COLUMNS, *JUDGE_COLUMNS) if facts.members else COLUMNS)
    common |= {
        "schema_version": SCHEMA_VERSION,
        "run_id": facts.run_id,
        "path": report.ref.name if facts.redacts else report.ref.path,
        "sha256": report.facts.sha256,
        "bytes": report.facts.size,
        "format": report.facts.format,
        "width": report.width,
        "height": report.height,
        "orientation": report.orientation,
        "status": str(report.status),
        "error_code": report.code and str(report.code),
        "error": None if facts.redacts else printable(report.message) or None,
        # not 0 for an image that could not be read: nobody knows how many faces it has
        "faces": None if report.code else len(report.findings),
        "image_verdict": report.label and str(report.label),
        "provenance": str(report.provenance.kind),
        "provenance_detail": report.provenance.detail or None,
        "model": printable(facts.model),
        "model_sha256": facts.model_sha256,
        "elapsed_ms": round(report.elapsed_ms, 1),
        "warning": ";".join(report.caveats) or None,
        "frames": report.frames,
        "frames_judged": report.frames_judged,
        **_evidence_cells(report),
    }
    if not report.findings:
        yield common
    for number, finding in enumerate(report.findings, 1):
        yield common | _face_cells(number, finding, facts)


def _evidence_cells(report: ImageReport) -> Row:
    said, pdq, known = report.provenance, report.pdq, report.known
    return {
        "provenance_claim": said.claim and str(said.claim),
        "generator": said.generator or None,
        "c2pa": str(said.c2pa),
        "c2pa_trust": said.trust and str(said.trust),
        "c2pa_signer": said.signer or None,
        "image_evidence": ";".join(report.evidence) or None,
        "pdq": pdq and pdq.digits,
        "pdq_quality": pdq and pdq.quality,
        # a list may have no word of its own for what it holds
        "known": known and (known.label or "known"),
        "known_note": (known and known.note) or None,
        "known_distance": known and known.distance,
        "cluster": report.cluster,
    }


def _face_cells(number: int, finding: FaceFinding, facts: RowFacts) -> Row:
    box, verdict = finding.box, finding.verdict
    probed = verdict.probed or ()
    overlay = None
    if finding.overlay and facts.overlays is not None:
        overlay = os.path.join(facts.overlays, finding.overlay)
    of_judge: Row = {}
    if facts.members:
        logits = {opinion.member: round(opinion.logit, 4) for opinion in verdict.opinions}
        of_judge = {"members": logits}
    # rounded to what can be meant: further digits differ between processors
    return {
        "face": number,
        "x1": round(box.left, 2),
        "y1": round(box.top, 2),
        "x2": round(box.right, 2),
        "y2": round(box.bottom, 2),
        "face_px": round(box.longer_side, 1),
        "detection_score": round(finding.detection_score, 6),
        "p_fake": _rounded(verdict.fake_probability),
        "verdict": str(verdict.label),
        "reason": str(verdict.reason),
        "threshold_low": verdict.thresholds.low,
        "threshold_high": verdict.thresholds.high,
        "overlay": overlay,
        "frame": finding.frame,
        "roll": round(finding.roll, 1) + 0.0,  # -0.0 is 0.0, as SQLite has no other
        "turn": finding.turn,
        "detector": str(finding.detector),
        **dict(zip(("p_fake_min", "p_fake_max"), map(_rounded, probed), strict=False)),
        **dict(zip(("width", "height"), finding.frame_size or (), strict=False)),
        **of_judge,
    }


def _rounded(probability: float) -> float:
    return round(probability, 6)


def guarded(cell: object) -> object:
    """A CSV cell that no spreadsheet runs: an apostrophe before risky text, numbers unchanged."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def csv_column(member: str) -> str:
    """The column of a CSV report that holds this member's logit."""
    return f"{CSV_MEMBER}{member}"


class CsvWriter:
    """RFC 4180 with LF line ends; an empty cell where nothing is known; with `bom` a mark first.

    A cell holds no table, so each network of a judge has a column of its own, behind the others.
    """

    live = True

    def __init__(self, facts: RowFacts, bom: bool = False):
        self.facts = facts
        self.bom = bom

    def start(self, header: Mapping[str, Any]) -> str:
        of_judge = map(csv_column, self.facts.members)
        return BOM * self.bom + ",".join((*COLUMNS, *of_judge)) + "\n"

    def rows(self, report: ImageReport) -> str:
        return "".join(map(self.put, rows_of(report, self.facts)))

    def put(self, row: Row) -> str:
        logits = row.get("members") or {}
        names = {name: printable(row[name]) for name in FILE_COLUMNS if row[name]}
        cells = [*map((row | names).get, COLUMNS), *map(logits.get, self.facts.members)]
        text = io.StringIO()
        # with CR LF the writer also quotes a cell that holds a lone CR; the row itself ends in LF
        csv.writer(text, lineterminator="\r\n").writerow([guarded(_as_text(c)) for c in cells])
        return text.getvalue().removesuffix("\r\n") + "\n"

    def end(self, header: Mapping[str, Any]) -> str:
        return ""


def json_cells(row: Row) -> Row:
    """The row as JSON and tables hold it: all text is Unicode.

    Of FILE_COLUMNS whose bytes are not UTF-8 there is NAME_bytes as well, in base64.
    """
    cells = {name: _as_text(cell) for name, cell in row.items()}
    for name in FILE_COLUMNS:
        if row[name]:
            cells[name], data = in_json(row[name])
            cells |= {f"{name}_bytes": data} if data else {}
    return cells


def _as_text(cell: Any) -> Any:
    """The cell; made printable where it is a text that no UTF-8 file can hold."""
    if not isinstance(cell, str) or cell.isascii():
        return cell
    try:
        cell.encode()
    except UnicodeEncodeError:
        return printable(cell)
    return cell


def _json_row(row: Row) -> str:
    # ASCII: whatever lies in a name, nothing invisible or of a terminal's own reaches a screen
    return json.dumps(json_cells(row))


class JsonLinesWriter:
    """One row per line; a last line `{"run": ...}` shows that the report is complete."""

    live = True

    def __init__(self, facts: RowFacts):
        self.facts = facts

    def start(self, header: Mapping[str, Any]) -> str:
        return ""

    def rows(self, report: ImageReport) -> str:
        return "".join(map(self.put, rows_of(report, self.facts)))

    def put(self, row: Row) -> str:
        return _json_row(row) + "\n"

    def end(self, header: Mapping[str, Any]) -> str:
        return json.dumps({"schema_version": SCHEMA_VERSION, "run": header}) + "\n"


class JsonWriter:
    """One object: `schema_version`, `run` (the header, with its counts), `rows`, one per line."""

    live = False  # the counts come before the rows, and are known after the last of them

    def __init__(self, facts: RowFacts):
        self.facts = facts
        self._between = "\n"

    def start(self, header: Mapping[str, Any]) -> str:
        run = json.dumps(header, indent=2).replace("\n", "\n  ")
        return f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "run": {run},\n  "rows": ['

    def rows(self, report: ImageReport) -> str:
        return "".join(map(self.put, rows_of(report, self.facts)))

    def put(self, row: Row) -> str:
        # commas go before rows, because no row knows that it is the last
        text = self._between + _json_row(row)
        self._between = ",\n"
        return text

    def end(self, header: Mapping[str, Any]) -> str:
        return "\n]}\n"


def writer_for(target: ReportTarget, facts: RowFacts) -> ReportWriter:
    """The writer of a report in the format of `target`."""
    if target.format == "csv":
        return CsvWriter(facts, target.bom)
    return JsonWriter(facts) if target.format == "json" else JsonLinesWriter(facts)
