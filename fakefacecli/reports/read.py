"""Reading a report in any of its formats that is no page: its header, and rows with typed cells."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from fakefacecli.base.addresses import is_url, shown
from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.verdicts import Status
from fakefacecli.reports.cells import TABLE_COLUMNS, loaded
from fakefacecli.reports.parquet import read_parquet
from fakefacecli.reports.rows import COLUMNS, CSV_MEMBER, Row
from fakefacecli.reports.runs import header_for, merged_header
from fakefacecli.reports.sqlite import read_sqlite

READABLE = ("csv", "json", "jsonl", "parquet", "sqlite")
# columns that every version has written
_ALWAYS = COLUMNS[: COLUMNS.index("elapsed_ms") + 1]
_OF_FACES = ("face", "x1", "y1", "x2", "y2", "p_fake", "verdict")

Cells = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was read: each row has all of COLUMNS, and `members` where a judge has them.

    `columns` are those that the file has, by the names they have in it. `header` is None where the
    file has none, as a CSV. `complete` is False for JSON Lines without their last line.
    """

    path: str
    header: Cells | None
    rows: list[Row]
    columns: frozenset[str]
    complete: bool = True


def read_report(path: str) -> Report:
    """Read the report of the format that the suffix of `path`, or of a URL, names.

    Columns that are not known are left out, those that are missing are None. Raises NothingToDo
    when there is no such file, UsageError, which names the file and the line or row, for what is
    no report.
    """
    if is_url(path):
        from fakefacecli.remote.download import downloaded

        with downloaded(path) as here:
            return replace(_read_file(here, shown(path)), path=shown(path))
    return _read_file(path, path)


def _read_file(path: str, name: str) -> Report:
    """Read the file at `path`; messages have its `name`."""
    suffix = os.path.splitext(path)[1].lower().removeprefix(".")
    read = {
        "csv": _read_csv,
        "json": _read_json,
        "jsonl": _read_json_lines,
        "parquet": _read_parquet,
        "sqlite": _read_sqlite,
    }.get(suffix)
    if read is None:
        wanted = ", ".join(f".{name}" for name in READABLE)
        raise UsageError(f"{name}: its suffix is none of {wanted}; a page cannot be read back")
    if os.path.lexists(path) and not os.path.isfile(path):  # a FIFO would be waited for
        raise UsageError(f"{name}: not a regular file; name a report")
    try:
        return read(path)
    except FileNotFoundError:
        raise NothingToDo(f"{name}: no such file") from None
    except OSError as error:
        raise UsageError(f"{name}: {(error.strerror or 'unreadable').lower()}") from error
    except RecursionError:
        raise UsageError(f"{name}: not a report of fakeface scan (nested too deep)") from None
    except ValueError as error:
        raise UsageError(f"{name}: not a report of fakeface scan ({error})") from error


def require_whole(report: Report) -> None:
    """Raise UsageError unless it has all that a report of any version has, and nothing else."""
    missing = [name for name in _ALWAYS if name not in report.columns]
    if missing:
        raise UsageError(f"{report.path}: no column {missing[0]}; wanted a report of fakeface scan")
    more = sorted(
        name for name in report.columns - set(TABLE_COLUMNS) if not name.startswith(CSV_MEMBER)
    )
    if more:
        raise UsageError(
            f"{report.path}: column {more[0]} is none of a report of this version; take it out, "
            "or use the version that wrote it"
        )
    for number, row in enumerate(report.rows, 1):
        there = {row[name] is not None for name in _OF_FACES}
        if there != {row["status"] == Status.OK}:
            raise UsageError(
                f"{report.path}: row {number}: status {row['status']} found, but the cells of a "
                f"face do not fit it; wanted all of {', '.join(_OF_FACES)} with ok, else none"
            )
        if row["face"] is not None and not (row["x1"] < row["x2"] and row["y1"] < row["y2"]):
            raise UsageError(
                f"{report.path}: row {number}: a box without an area found, wanted x1 < x2 and "
                "y1 < y2"
            )


def _read_csv(path: str) -> Report:
    rows = []
    with open(path, newline="", encoding="utf-8-sig") as handle:
        lines = csv.reader(handle)
        try:
            names = next(lines, None)
            if names is None:
                raise ValueError("the file is empty")
            if len(set(names)) < len(names):
                raise ValueError("line 1: two columns have the same name")
            for cells in lines:
                if len(cells) != len(names):
                    raise ValueError(f"{len(cells)} cells found, wanted {len(names)}")
                rows.append(loaded(_of_csv(dict(zip(names, cells, strict=True))), "printable"))
        except UnicodeDecodeError as error:
            raise ValueError(f"after line {lines.line_num}: no UTF-8") from error
        except (csv.Error, ValueError) as error:
            raise ValueError(f"line {lines.line_num}: {error}") from error
    return Report(path, None, _with_members(rows), frozenset(names))


def _of_csv(cells: dict[str, str]) -> Cells:
    """The cells without the apostrophe of `rows.guarded`, and a judge's logits in one."""
    plain: Cells = {name: cell.removeprefix("'") for name, cell in cells.items()}
    members = {
        name.removeprefix(CSV_MEMBER): plain.pop(name)
        for name in cells
        if name.startswith(CSV_MEMBER)
    }
    said = {name: logit for name, logit in members.items() if logit}
    return plain | {"members": said or None}


def _read_json(path: str) -> Report:
    with open(path, encoding="utf-8-sig") as handle:
        found = json.load(handle)
    if not isinstance(found, dict) or not isinstance(found.get("rows"), list):
        raise ValueError("no list of rows")
    header = found.get("run")
    numbered = ((f"row {n}", row) for n, row in enumerate(found["rows"], 1))
    return _report(path, _header(header) if header is not None else None, numbered)


def _read_json_lines(path: str) -> Report:
    header: Cells | None = None
    ends_so = True  # a torn last line is what a killed run leaves

    def rows() -> Iterator[tuple[str, Any]]:
        nonlocal header, ends_so
        with open(path, encoding="utf-8-sig", newline="\n") as handle:
            for number, line in enumerate(handle, 1):
                at = f"line {number}"
                if header is not None:
                    raise ValueError(f"{at}: more than one report; give each in a file of its own")
                try:
                    cells = json.loads(line)
                except ValueError:
                    ends_so = line.endswith("\n")
                    if ends_so:
                        raise ValueError(f"{at}: no JSON") from None
                    return
                if isinstance(cells, dict) and "run" in cells:
                    header = _header(cells["run"])
                else:
                    yield at, cells

    report = _report(path, None, rows())
    if header is None and not report.rows and not ends_so:
        raise ValueError("line 1: no JSON")
    return Report(path, header, report.rows, report.columns, complete=header is not None)


def _read_parquet(path: str) -> Report:
    header, columns, cells = read_parquet(path)
    rows = ((f"row {n}", row) for n, row in enumerate(cells, 1))
    report = _report(path, header and _header(header), rows)
    return Report(path, report.header, report.rows, columns)


def _read_sqlite(path: str) -> Report:
    runs, columns, cells = read_sqlite(path)
    rows = ((f"row {n}", row) for n, row in enumerate(cells, 1))
    report = _report(path, None, rows)
    headers = list(map(_header, runs))
    header = headers[0] if headers else None
    if len(headers) > 1:
        # only the headers of the runs are kept: the one of them all follows from these
        whole = header_for({"merged": headers}, report.rows)
        header = merged_header(whole["merged"], report.rows)
    return Report(path, header, report.rows, columns)


def _report(path: str, header: Cells | None, found: Iterator[tuple[str, Any]]) -> Report:
    """The report of cells as JSON has them, each with where they stand in the file."""
    rows: list[Row] = []
    named: set[str] = set()
    missing: set[str] = set()
    for at, cells in found:
        if not isinstance(cells, dict):
            raise ValueError(f"{at}: {type(cells).__name__} found, wanted an object")
        named |= cells.keys()
        missing |= set(COLUMNS) - cells.keys()
        try:
            rows.append(loaded(cells, "json"))
        except ValueError as error:
            raise ValueError(f"{at}: {error}") from error
    # with no row nothing is missing
    columns = frozenset({*named, *COLUMNS} - missing)
    return Report(path, header, _with_members(rows), columns)


def _header(said: Any) -> Cells:
    if not isinstance(said, dict):
        raise ValueError(f"{type(said).__name__} found, wanted the header of a run")
    return said


def _with_members(rows: list[Row]) -> list[Row]:
    """The rows, each with `members` if one of them has it, as a scan writes them."""
    if any("members" in row for row in rows):
        for row in rows:
            row.setdefault("members", None)
    return rows
