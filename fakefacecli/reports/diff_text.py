"""Differences of two reports as CSV, JSON or JSON Lines; names and cells as in reports."""

import csv
import io
import json
from collections.abc import Iterator, Sequence

from fakefacecli.base.options import ReportTarget
from fakefacecli.base.text import in_json, printable
from fakefacecli.reports.diff import CHANGE_COLUMNS, Change
from fakefacecli.reports.rows import BOM, SCHEMA_VERSION, Row, guarded
from fakefacecli.reports.runs import Header

_NAMES = ("path", "old_path")


def diff_pieces(
    target: ReportTarget, changes: Sequence[Change], headers: tuple[Header, Header]
) -> Iterator[str]:
    """The text of the changes in the format of `target`; JSON also holds the `headers`."""
    rows = [change.row for change in changes]
    if target.format == "csv":
        yield BOM * target.bom + ",".join(CHANGE_COLUMNS) + "\n"
        yield from map(_csv_row, rows)
    elif target.format == "jsonl":
        yield from (json.dumps(_json_row(row)) + "\n" for row in rows)
    else:
        old, new = headers
        whole = {"schema_version": SCHEMA_VERSION, "old": old, "new": new}
        yield json.dumps(whole | {"changes": list(map(_json_row, rows))}, indent=1) + "\n"


def _csv_row(row: Row) -> str:
    cells = row | {name: printable(row[name]) for name in _NAMES if row[name]}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(guarded, cells.values()))
    return text.getvalue()


def _json_row(row: Row) -> Row:
    cells = dict(row)
    for name in _NAMES:
        if row[name]:
            cells[name], data = in_json(row[name])
            cells |= {f"{name}_bytes": data} if data else {}
    return cells
