"""The header of a report whose runs are known only by their rows, or are several."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fakefacecli.base.verdicts import ErrorCode, Label, ProvenanceKind, Status
from fakefacecli.reports.rows import Row
from fakefacecli.reports.schema import MODEL_FIELDS, RUN_FIELDS

Header = dict[str, Any]
# the options in which the shards of one scan may differ: where they ran, and what they wrote
SHARDS_OWN = frozenset(
    {
        *("shard", "reports", "overlays", "copy_flagged", "state", "list_skipped", "manifest"),
        *("contact_sheet", "workers", "device", "precision", "batch_size", "max_memory", "resume"),
        *("csv_bom", "fail_on", "verify_hash"),
        *("engine", "ray_address", "actors", "gpus_per_actor"),
    }
)


def header_for(header: Mapping[str, Any] | None, rows: Sequence[Row]) -> Header:
    """The header of a report: its own, each field that it lacks null, or one made of its rows.

    Raises ValueError when the header says something else than a scan's.
    """
    if header is None:
        return merged_header(runs_in(header, rows), rows)
    model, counts = header.get("model") or {}, header.get("counts") or {}
    _require(header, model, counts)
    of_runs = {
        "merged": [header_for(run, _of_run(run, rows)) for run in header.get("merged") or ()]
    }
    return {
        **dict.fromkeys(RUN_FIELDS),
        **header,
        "tool": "fakeface",
        "model": {**dict.fromkeys(MODEL_FIELDS), **model},
        # an older version counted less
        "counts": {**counts_of(rows), **counts},
        **(of_runs if of_runs["merged"] else {}),
    }


def runs_in(header: Mapping[str, Any] | None, rows: Sequence[Row]) -> list[Header]:
    """The headers of the runs in a report, in their order; none where nothing is known of any."""
    if header is not None:
        whole = header_for(header, rows)
        return list(whole.get("merged") or [whole])
    of_runs: dict[str | None, list[Row]] = {}
    for row in rows:
        of_runs.setdefault(row["run_id"], []).append(row)
    return [_made(run_id, of) for run_id, of in of_runs.items()]


def merged_header(runs: Sequence[Header], rows: Sequence[Row]) -> Header:
    """One header for the `rows` of several runs: what they all say, null where they differ.

    Counts are those of the rows. With more than one run "merged" holds the header of each.
    """
    if len(runs) == 1:
        return runs[0]
    counts = counts_of(rows)
    skipped = [run["counts"]["skipped"] for run in runs]
    if runs and None not in skipped:
        counts["skipped"] = dict(sorted(sum(map(Counter, skipped), Counter()).items()))
    return {
        **{name: _common(run[name] for run in runs) for name in RUN_FIELDS},
        "tool": "fakeface",
        "options": _options(runs),
        "model": {name: _common(run["model"][name] for run in runs) for name in MODEL_FIELDS},
        "started": _outer(min, [run["started"] for run in runs]),
        "ended": _outer(max, [run["ended"] for run in runs]),
        "counts": counts,
        **({"merged": list(runs)} if runs else {}),
    }


def shard_of(run: Mapping[str, Any]) -> tuple[int, int] | None:
    """The number and the count of the shard that a run scanned; None where it was no shard."""
    shard = (run.get("options") or {}).get("shard")
    if not isinstance(shard, dict):
        return None
    number, count = shard.get("number"), shard.get("count")
    return (number, count) if isinstance(number, int) and isinstance(count, int) else None


def _options(runs: Sequence[Header]) -> Any:
    """The options that all runs had; of shards those of their scan."""
    if not runs or not all(map(shard_of, runs)):
        return _common(run["options"] for run in runs)
    names = dict.fromkeys(name for run in runs for name in run["options"])
    return {name: _common(run["options"].get(name) for run in runs) for name in names}


def counts_of(rows: Iterable[Row]) -> dict[str, Any]:
    """The counts of a header, from the rows; what was passed over is not known from them."""
    faces = 0
    verdicts: Counter[str] = Counter()
    images: dict[str, Counter[str]] = {name: Counter() for name in _OF_IMAGES}
    known = 0
    for row in rows:
        if row["face"] is not None:
            faces += 1
            verdicts[row["verdict"]] += 1
        if row["face"] in (None, 1):  # the first row of an image
            known += row["known"] is not None and row["known"].lower() != "real"
            for name, counted in images.items():
                counted[row[name]] += 1
    every = {
        name: {str(key): images[name][key] for key in kind} for name, kind in _OF_IMAGES.items()
    }
    return {
        "images": sum(images["status"].values()),
        "faces": faces,
        "status": every["status"],
        "verdict": {str(key): verdicts[key] for key in Label},
        "image_verdict": every["image_verdict"],
        "error_code": {code: number for code, number in every["error_code"].items() if number},
        "skipped": None,
        "provenance": every["provenance"],
        "known": known,
    }


_OF_IMAGES = {
    "status": Status,
    "image_verdict": Label,
    "error_code": ErrorCode,
    "provenance": ProvenanceKind,
}


def _require(header: Mapping[str, Any], model: Any, counts: Any) -> None:
    """Raise ValueError where the header says something else than this module builds on."""
    skipped = counts.get("skipped") or {} if isinstance(counts, dict) else None
    runs = header.get("merged") or []
    if not isinstance(model, dict) or not isinstance(skipped, dict):
        raise ValueError("the model or the counts in its header are not those of a scan")
    if not all(isinstance(number, int) for number in skipped.values()):
        raise ValueError("the counts in its header are no whole numbers")
    if not isinstance(runs, list) or not all(
        isinstance(run, dict) and not run.get("merged") for run in runs
    ):
        raise ValueError("the runs in its header are no headers")
    if not isinstance(header.get("run_id"), str | None):
        raise ValueError("the run_id in its header is no text")


def _of_run(run: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["run_id"] == run.get("run_id")]


def _made(run_id: str | None, rows: Sequence[Row]) -> Header:
    """What the rows of a run tell of it."""
    thresholds = _common(
        (row["threshold_low"], row["threshold_high"]) for row in rows if row["face"]
    )
    return {
        **dict.fromkeys(RUN_FIELDS),
        "run_id": run_id,
        "tool": "fakeface",
        "model": {
            **dict.fromkeys(MODEL_FIELDS),
            "name": _common(row["model"] for row in rows),
            "sha256": _common(row["model_sha256"] for row in rows),
            "thresholds": thresholds and dict(zip(("low", "high"), thresholds, strict=True)),
        },
        "counts": counts_of(rows),
    }


def _common(values: Iterable[Any]) -> Any:
    """The value that all have; None where they differ, or where there is none."""
    found = list(values)
    return found[0] if found and all(value == found[0] for value in found) else None


def _outer(choose: Any, times: Sequence[Any]) -> Any:
    # of the form that a header has them in, all in UTC: texts in the order of time
    return choose(times) if times and all(isinstance(time, str) for time in times) else None
