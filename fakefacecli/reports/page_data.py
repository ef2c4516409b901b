"""What the HTML report shows of its rows: counts, order, and the cells that its script reads."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fakefacecli.base.text import from_json, printable
from fakefacecli.base.verdicts import Evidence, Label, Status
from fakefacecli.reports.rows import FILE_COLUMNS, Row

# a browser holds this many rows well; the CSV and JSON reports always have all
MOST_ROWS = 50_000
# cells that say nothing to a reader of the page
_LEFT_OUT = {"schema_version", "run_id", "elapsed_ms", *(f"{name}_bytes" for name in FILE_COLUMNS)}


@dataclass(frozen=True, slots=True)
class PageCounts:
    """Of a run: images by status and verdict, faces by verdict, error codes."""

    images: int
    faces: int
    status: Counter[str]
    image_verdict: Counter[str]
    verdict: Counter[str]
    error_code: Counter[str]


@dataclass(frozen=True, slots=True)
class PageData:
    """The rows of a page, `same` holding the cells that are the same in all of them.

    `rows` have their cells in the order of `columns`. `review` are the numbers of the rows that a
    person should look at, by group, the most urgent first. `overlays` are the saved pictures' paths
    of all rows as the system has them, None without one. `rows_left_out` were too many.
    """

    columns: list[str]
    same: dict[str, Any]
    rows: list[list[Any]]
    review: dict[str, list[int]]
    overlays: list[str | None]
    counts: PageCounts
    errors: list[Row] = field(default_factory=list)
    rows_left_out: int = 0

    @property
    def review_length(self) -> int:
        """How many rows a person should look at."""
        return sum(map(len, self.review.values()))


def gather(rows: Sequence[Row]) -> PageData:
    """Sort out `rows`, which are as in a JSON report or as `rows.rows_of` makes them."""
    kept = _kept(rows)
    overlays = [_system_name(row, "overlay") for row in kept]
    shown = [_shown(row) for row in kept]
    names = list(dict.fromkeys(name for row in shown for name in row))
    first = shown[0] if shown else {}
    same = {
        name: first[name]
        for name in names
        if name in first and all(name in row and row[name] == first[name] for row in shown)
    }
    columns = [name for name in names if name not in same]
    return PageData(
        columns=columns,
        same=same,
        rows=[[row.get(name) for name in columns] for row in shown],
        review=_review(shown),
        overlays=overlays,
        counts=_counts(rows),
        errors=[row for row in shown if row["status"] == Status.ERROR],
        rows_left_out=len(rows) - len(kept),
    )


def _kept(rows: Sequence[Row]) -> list[Row]:
    if len(rows) <= MOST_ROWS:
        return list(rows)
    # the least serious are left out; those that stay keep their order
    order = sorted(range(len(rows)), key=lambda number: _seriousness(rows[number]))
    return [rows[number] for number in sorted(order[:MOST_ROWS])]


def _seriousness(row: Row) -> tuple[int, float]:
    group = _group(row)
    rank = list(_GROUPS).index(group) if group else len(_GROUPS) + (row["status"] != Status.ERROR)
    return rank, -(row["p_fake"] or 0.0)


# in the order in which people should look at them
_GROUPS = ("flagged", "evidence", "inconclusive")


def _group(row: Row) -> str | None:
    """The group of a row that a person should look at; None for other rows."""
    if row["verdict"] == Label.FLAGGED:
        return "flagged"
    others = set((row.get("image_evidence") or "").split(";")) - {"", Evidence.SCORE}
    if others:
        return "evidence"
    return "inconclusive" if row["verdict"] == Label.INCONCLUSIVE else None


def _review(rows: Iterable[Row]) -> dict[str, list[int]]:
    found: dict[str, list[tuple[float, int]]] = {group: [] for group in _GROUPS}
    for number, row in enumerate(rows):
        group = _group(row)
        if group:
            found[group].append((-(row["p_fake"] or 0.0), number))
    return {group: [number for _, number in sorted(those)] for group, those in found.items()}


def _shown(row: Row) -> Row:
    """The cells for the page; each text printable, so that nothing invisible reaches a reader."""
    shown = {name: cell for name, cell in row.items() if name not in _LEFT_OUT}
    for name in FILE_COLUMNS:
        exact = _system_name(row, name)
        shown[name] = exact and printable(exact)
    if shown.get("members"):  # their names come from a model's card
        shown["members"] = {printable(name): logit for name, logit in shown["members"].items()}
    return {
        name: printable(cell) if isinstance(cell, str) and name not in FILE_COLUMNS else cell
        for name, cell in shown.items()
    }


def _system_name(row: Row, column: str) -> str | None:
    """The file name as the system has it, of a row of JSON or one that is not written yet."""
    name, data = row.get(column), row.get(f"{column}_bytes")
    return from_json(name, data) if name and data else name


def _counts(rows: Sequence[Row]) -> PageCounts:
    images: dict[str, Row] = {}
    for row in rows:
        images.setdefault(row["path"], row)
    return PageCounts(
        images=len(images),
        faces=sum(row["face"] is not None for row in rows),
        status=Counter(row["status"] for row in images.values()),
        image_verdict=Counter(row["image_verdict"] for row in images.values()),
        verdict=Counter(row["verdict"] for row in rows),
        error_code=Counter(row["error_code"] for row in images.values() if row["error_code"]),
    )
