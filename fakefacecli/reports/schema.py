"""The JSON Schema (draft 2020-12) of the JSON report and of each line of the JSON Lines report."""

from enum import StrEnum
from typing import Any

from fakefacecli.base.evidence import PDQ_DIGITS
from fakefacecli.base.records import TURNS
from fakefacecli.base.verdicts import (
    Caveat,
    Claim,
    DetectorName,
    ErrorCode,
    Evidence,
    Integrity,
    Label,
    ProvenanceKind,
    Reason,
    Status,
    Trust,
)
from fakefacecli.reports.rows import COLUMNS, FILE_COLUMNS, JUDGE_COLUMNS, SCHEMA_VERSION

Schema = dict[str, Any]

_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BASE64: Schema = {"type": "string", "contentEncoding": "base64", "minLength": 1}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "integer", "minimum": 1}
_FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_PDQ: Schema = {"type": "string", "pattern": f"^[0-9a-f]{{{PDQ_DIGITS}}}$"}
_COUNTS: Schema = {"type": "object", "additionalProperties": _COUNT}


def _one_of(values: type[StrEnum]) -> Schema:
    return {"enum": [str(value) for value in values]}


def _some_of(values: type[StrEnum]) -> Schema:
    """Several of them in one cell, joined by semicolons."""
    words = "|".join(values)
    return {"type": "string", "pattern": f"^({words})(;({words}))*$"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _optional() -> Schema:
    """The cells that are null where nothing is known."""
    number, text = {"type": "number"}, {"type": "string"}
    return {
        "sha256": _SHA256,
        "bytes": _COUNT,
        "format": text,
        "width": {"type": "integer", "minimum": 1},
        "height": {"type": "integer", "minimum": 1},
        "orientation": {"type": "integer", "minimum": 1, "maximum": 8},
        "error_code": _one_of(ErrorCode),
        "error": text,
        "faces": _COUNT,
        "face": {"type": "integer", "minimum": 1},
        **dict.fromkeys(("x1", "y1", "x2", "y2"), number),
        "face_px": {"type": "number", "exclusiveMinimum": 0},
        "roll": {"type": "number", "minimum": -180, "maximum": 180},
        "turn": {"enum": list(TURNS)},
        "detection_score": _FRACTION,
        "detector": _one_of(DetectorName),
        "p_fake": _FRACTION,
        "verdict": _one_of(Label),
        "reason": _one_of(Reason),
        "threshold_low": _FRACTION,
        "threshold_high": _FRACTION,
        "image_verdict": _one_of(Label),
        "provenance_detail": text,
        "overlay": text,
        **dict.fromkeys(("frame", "frames", "frames_judged"), _NUMBER),
        "warning": _some_of(Caveat),
        "provenance_claim": _one_of(Claim),
        "generator": text,
        "c2pa_trust": _one_of(Trust),
        "c2pa_signer": text,
        "image_evidence": _some_of(Evidence),
        **dict.fromkeys(("p_fake_min", "p_fake_max"), _FRACTION),
        "pdq": _PDQ,
        "pdq_quality": {"type": "integer", "minimum": 0, "maximum": 100},
        **dict.fromkeys(("known", "known_note"), text),
        "known_distance": {"type": "integer", "minimum": 0, "maximum": 256},
        "cluster": _NUMBER,
        "members": {"type": "object", "additionalProperties": number, "minProperties": 2},
    }


def _row() -> Schema:
    text: Schema = {"type": "string"}
    certain: Schema = {
        "schema_version": {"const": SCHEMA_VERSION},
        "run_id": text,
        "path": text,
        "status": _one_of(Status),
        "provenance": _one_of(ProvenanceKind),
        "c2pa": _one_of(Integrity),
        "model": text,
        "model_sha256": _SHA256,
        "elapsed_ms": {"type": "number", "minimum": 0},
    }
    known = {name: _or_null(schema) for name, schema in _optional().items()} | certain
    judged = (
        "face",
        "p_fake",
        "verdict",
        "reason",
        "threshold_low",
        "threshold_high",
        "face_px",
        "detector",
    )
    return {
        "type": "object",
        "properties": {
            **{name: known[name] for name in (*COLUMNS, *JUDGE_COLUMNS)},
            **{f"{name}_bytes": _BASE64 for name in FILE_COLUMNS},
        },
        "required": list(COLUMNS),
        "additionalProperties": False,
        # a row without a face has no verdict cell filled, and a row of a face has all of them
        "if": {"properties": {"status": {"const": "ok"}}},
        "then": {"properties": {name: {"not": {"type": "null"}} for name in judged}},
        "else": {"properties": {name: {"type": "null"} for name in judged}},
    }


def _run() -> Schema:
    text: Schema = {"type": "string"}
    model: Schema = {
        "name": text,
        "sha256": _SHA256,
        "backbone": text,
        "calibration": {"type": "object"},
        "thresholds": {"type": "object", "required": ["low", "high"]},
        "min_face_px": {"type": "integer", "minimum": 1},
    }
    model = {name: _or_null(schema) for name, schema in model.items()}
    counts: Schema = {
        "images": _COUNT,
        "faces": _COUNT,
        "status": _COUNTS,
        "verdict": _COUNTS,
        "image_verdict": _COUNTS,
        "error_code": _COUNTS,
        "skipped": _or_null(_COUNTS),
        "provenance": _COUNTS,
        "known": _COUNT,
    }
    fields: Schema = {
        "run_id": text,
        "tool": {"const": "fakeface"},
        "tool_version": text,
        "started": {"type": "string", "format": "date-time"},
        "ended": {"type": "string", "format": "date-time"},
        "model": _strict(model),
        "device": text,
        "precision": {"enum": ["fp32", "bf16", "not used"]},
        "versions": {"type": "object", "additionalProperties": text},
        "options": {"type": "object"},
        "evidence": {"type": "object"},
        "counts": _strict(counts),
    }
    # null: unknown, as in a report made of a CSV, which has no header; or not the same in all runs
    # of a report that was merged
    certain = ("tool", "model", "counts")
    run = _strict({k: v if k in certain else _or_null(v) for k, v in fields.items()})
    # the images that each machine of a cluster judged
    run["properties"]["nodes"] = _COUNTS
    run["properties"]["merged"] = {"type": "array", "items": {"$ref": "#/$defs/run"}}
    return run


# no further fields: a misspelt or forgotten one fails the tests, which hold reports against this
def _strict(fields: Schema) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def report_schema() -> Schema:
    """The schema `fakeface schema` prints; `#/$defs/line` is one line of a JSON Lines report."""
    version: Schema = {"const": SCHEMA_VERSION}
    whole = {"schema_version": version, "run": {"$ref": "#/$defs/run"}}
    rows = {"rows": {"type": "array", "items": {"$ref": "#/$defs/row"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fakeface report",
        **_strict(whole | rows),
        "$defs": {
            "row": _row(),
            "run": _run(),
            "line": {"oneOf": [{"$ref": "#/$defs/row"}, _strict(whole)]},
        },
    }


# the fields of a report's header, and of what it says of the model
RUN_FIELDS: tuple[str, ...] = tuple(_run()["required"])
MODEL_FIELDS: tuple[str, ...] = tuple(_run()["properties"]["model"]["required"])
