"""The shards of one scan, put together: none missing, none twice, in the order of the whole."""

import json
import os
import re
from collections.abc import Sequence
from typing import Any

from fakefacecli.base.addresses import is_chained, is_url
from fakefacecli.base.errors import UsageError
from fakefacecli.base.evidence import PerceptualHash
from fakefacecli.reports.clusters import Clusters
from fakefacecli.reports.rows import Row
from fakefacecli.reports.runs import SHARDS_OWN, Header, shard_of

# their listings are in the order of whole keys, those of all others folder by folder
_FLAT = ("s3://", "s3a://", "gs://", "gcs://")
_NAMED = 10


def together(runs: Sequence[Header], rows: Sequence[Row], *, partial: bool) -> list[Row]:
    """The rows of several runs; those of all the shards of one scan in the order of its whole.

    Their near-duplicates are numbered anew. Raises UsageError where one of them is there twice, or
    missing and not `partial`, or of another scan.
    """
    if not any(map(shard_of, runs)):
        return list(rows)
    scans: dict[str, list[Header]] = {}
    for run in runs:
        if shard_of(run):
            scans.setdefault(_scan(run), []).append(run)
    _refuse_others(list(scans.values()))
    for of_scan in scans.values():
        _require_all(of_scan, partial)
    if len(scans) > 1 or not all(map(shard_of, runs)):
        return list(rows)
    inputs = (runs[0]["options"] or {}).get("paths") or []
    return _numbered(sorted(rows, key=lambda row: _place(row["path"], inputs)))


def _scan(run: Header) -> str:
    """What all shards of a scan have in common: inputs, model, and what may change a row."""
    _, count = shard_of(run) or (0, 0)
    options = {k: v for k, v in (run["options"] or {}).items() if k not in SHARDS_OWN}
    what = [count, run["model"]["sha256"], run["model"]["thresholds"], options, run["evidence"]]
    return json.dumps(what, sort_keys=True)


def _refuse_others(scans: Sequence[Sequence[Header]]) -> None:
    """Raise UsageError for parts of different scans, unless each has all its parts."""
    if len(scans) < 2 or all(_is_whole(of) for of in scans):
        return
    one, other = (_described(of[0]) for of in scans[:2])
    raise UsageError(
        f"{one} and {other} are of different scans: inputs, model, thresholds, lists and number of "
        "shards must be the same; run the shards with the same command"
    )


def _is_whole(runs: Sequence[Header]) -> bool:
    parts = {shard_of(run) or (0, 0) for run in runs}
    return len(parts) == max(count for _, count in parts)


def _require_all(runs: Sequence[Header], partial: bool) -> None:
    numbers: dict[int, str] = {}
    count = 0
    for run in runs:
        number, count = shard_of(run) or (0, 0)
        if number in numbers:
            raise UsageError(
                f"shard {number}/{count} is there twice, from runs {numbers[number]} and "
                f"{run['run_id']}; give each shard once"
            )
        numbers[number] = str(run["run_id"])
    missing = [number for number in range(1, count + 1) if number not in numbers]
    if missing and not partial:
        named = ", ".join(map(str, missing[:_NAMED])) + (", ..." if missing[_NAMED:] else "")
        raise UsageError(
            f"of {count} shards {len(missing)} are missing: {named}; give all of them, or join "
            "what is there with --partial"
        )


def _described(run: Header) -> str:
    number, count = shard_of(run) or (0, 0)
    return f"shard {number}/{count} (run {run['run_id']})"


Place = tuple[int, tuple[bytes, ...]]


def _place(path: str, inputs: Sequence[Any]) -> Place:
    """Where an input comes in a scan of `inputs`; what was listed comes last, by its name."""
    for rank, root in enumerate(inputs):
        rest = _below(path, str(root))
        if rest is not None:
            # as a walk goes: by folders, whose names are compared one by one
            flat = str(root).startswith(_FLAT)
            parts = (os.fsencode(rest),) if flat else tuple(map(os.fsencode, rest.split("/")))
            return rank, parts
    return len(inputs), tuple(map(os.fsencode, path.split("/")))


def _below(path: str, root: str) -> str | None:
    """The rest of `path` below `root`, "" for the root itself; None for what lies elsewhere."""
    tail = ""
    if is_url(root) and is_chained(root):
        root, _, tail = root.partition("::")
        path, _, path_tail = path.partition("::")
        if path_tail != tail:
            return None
        if re.search(r"[*?\[]", root):
            root = root.partition("://")[0] + "://"
    if path == root:
        return ""
    root = root if root.endswith("/") else f"{root}/"
    return path.removeprefix(root) if path.startswith(root) else None


def _numbered(rows: Sequence[Row]) -> list[Row]:
    """The rows with the clusters of one run over all of them."""
    clusters, numbered = Clusters(), []
    path, number = None, None
    for row in rows:
        if row["path"] != path:
            path, number = row["path"], None
            if row["pdq"] is not None and row["pdq_quality"] is not None:
                number = clusters.number_of(PerceptualHash(row["pdq"], row["pdq_quality"]))
        numbered.append(row | {"cluster": number})
    return numbered
