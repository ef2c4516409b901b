"""From what a report file holds back to rows as `rows_of` makes them: names exact, numbers typed.

Whatever a file holds that no report of ours has is a ValueError, whose text says what was found and
what was wanted.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from fakefacecli.base.text import exact, from_json
from fakefacecli.base.verdicts import (
    DetectorName,
    ErrorCode,
    Integrity,
    Label,
    ProvenanceKind,
    Status,
)
from fakefacecli.reports.rows import (
    COLUMNS,
    FILE_COLUMNS,
    JUDGE_COLUMNS,
    SCHEMA_VERSION,
    Row,
    json_cells,
)

INTEGERS = frozenset(
    (
        *("schema_version", "bytes", "width", "height", "orientation", "faces", "face"),
        *("frame", "frames", "frames_judged", "turn", "pdq_quality", "known_distance", "cluster"),
    )
)
REALS = frozenset(
    (
        *("x1", "y1", "x2", "y2", "face_px", "detection_score", "p_fake"),
        *("threshold_low", "threshold_high", "elapsed_ms", "roll", "p_fake_min", "p_fake_max"),
    )
)
TABLE_COLUMNS = (*COLUMNS, *JUDGE_COLUMNS, *(f"{name}_bytes" for name in FILE_COLUMNS))
# what counts and comparisons rest on
_CLOSED: dict[str, type[StrEnum]] = {
    "status": Status,
    "verdict": Label,
    "image_verdict": Label,
    "provenance": ProvenanceKind,
    "error_code": ErrorCode,
}
_LARGEST = 2**63 - 1  # what a column of Parquet or SQLite holds
_DIGITS = re.compile(r"-?[0-9]{1,19}")
_SHOWN = 60  # characters of a cell in a message


def loaded(cells: Mapping[str, Any], name_form: str) -> Row:
    """The row, each of COLUMNS typed; None where the file has none, or an empty cell.

    `name_form` is "printable" for names as in CSV, "json" for names as in JSON. Other columns than
    COLUMNS and `members` are left out. Raises ValueError.
    """
    row: Row = dict.fromkeys(COLUMNS)
    row |= {name: typed(name, cells[name]) for name in COLUMNS if name in cells}
    for name in FILE_COLUMNS:
        if row[name] is not None:
            data = None if name_form == "printable" else cells.get(f"{name}_bytes")
            row[name] = _exact_name(name, row[name], data, name_form)
    if row["path"] is None:
        raise ValueError("no path found, wanted the name of a file")
    if row["schema_version"] not in (SCHEMA_VERSION, None):
        raise ValueError(
            f"schema_version {row['schema_version']} found, this fakeface reads {SCHEMA_VERSION}"
        )
    _fill_in(row, cells)
    members = _members(cells.get("members"))
    return row | {"members": members} if members else row


def _fill_in(row: Row, cells: Mapping[str, Any]) -> None:
    """What is certain of an older version, which did not write the column."""
    if "c2pa" not in cells:
        row["c2pa"] = str(Integrity.NOT_CHECKED)
    if "detector" not in cells and row["face"] is not None:
        row["detector"] = str(DetectorName.MTCNN)  # there was no other


def table_cells(row: Row) -> Row:
    """The row as a table holds it: as in JSON, but `members` is a text, the JSON of its object."""
    cells = json_cells(row)
    if cells.get("members") is not None:
        cells["members"] = json.dumps(cells["members"])
    return cells


def from_table(cells: Mapping[str, Any]) -> Row:
    """Undo what `table_cells` did to `members`; ValueError when that is no JSON."""
    found = dict(cells)
    if isinstance(found.get("members"), str):
        found["members"] = json.loads(found["members"])
    return found


def typed(name: str, cell: Any) -> Any:
    """The cell of column `name`: None, an int, a float or a str. Raises ValueError."""
    if cell is None or (isinstance(cell, str) and not cell):
        return None
    if name in INTEGERS:
        return _integer(name, cell)
    if name in REALS:
        return _real(name, cell)
    if not isinstance(cell, str):
        raise _unfit(name, cell, "a text")
    if name in _CLOSED and cell not in list(_CLOSED[name]):
        raise _unfit(name, cell, f"one of {', '.join(_CLOSED[name])}")
    return cell


def _integer(name: str, given: Any) -> int:
    cell = given
    if isinstance(cell, str) and _DIGITS.fullmatch(cell):
        cell = int(cell)
    if not isinstance(cell, int) or isinstance(cell, bool):
        # a table that pandas has written again may say 640.0, where another cell is empty
        try:
            real = _real(name, cell)
        except ValueError:
            real = math.nan
        cell = int(real) if real.is_integer() else None
    if cell is None or abs(cell) > _LARGEST:
        raise _unfit(name, given, "a whole number")
    return int(cell)


def _real(name: str, cell: Any) -> float:
    try:
        number = float(cell)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if isinstance(cell, bool) or not math.isfinite(number):
        raise _unfit(name, cell, "a number")
    return number


def _exact_name(column: str, cell: str, data: Any, name_form: str) -> str:
    try:
        name = exact(cell) if name_form == "printable" else from_json(cell, data)
        os.fsencode(name)  # no other text can name a file
    except (ValueError, TypeError, AttributeError):
        raise _unfit(column, cell, "the name of a file") from None
    return name


def _members(cell: Any) -> dict[str, float] | None:
    if cell is None:
        return None
    if not isinstance(cell, dict) or not all(isinstance(name, str) for name in cell):
        raise _unfit("members", cell, "the logit of each network by its name")
    return {name: _real(f"the logit of {name}", logit) for name, logit in cell.items()}


def _unfit(name: str, cell: Any, wanted: str) -> ValueError:
    shown = cell if isinstance(cell, str | int | float) else type(cell).__name__
    return ValueError(f"{name} {str(shown)[:_SHOWN]} found, wanted {wanted}")
