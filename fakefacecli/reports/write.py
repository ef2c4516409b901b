"""Writing reports to files: as text piece by piece, or whole by the library of their format."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from fakefacecli.base.files import atomic_write, settle
from fakefacecli.base.options import ReportTarget
from fakefacecli.models.bundled import BUNDLED, find_model
from fakefacecli.models.judge_file import card_facts
from fakefacecli.reports.parquet import write_parquet
from fakefacecli.reports.rows import Row, RowFacts, json_cells, writer_for
from fakefacecli.reports.sqlite import require_closed, write_sqlite


def write_whole(
    target: ReportTarget,
    handle: IO[Any],
    header: Mapping[str, Any],
    rows: Iterable[Row],
    card: Mapping[str, Any] | None = None,
) -> None:
    """Fill the new file `handle`, which will replace `target`, a format that is no text.

    `card` is the model's, for the page; without it that of the bundled model which the header
    names, if it is one. Raises OSError.
    """
    path = handle.name
    if target.format == "parquet":
        write_parquet(path, header, rows)
    elif target.format == "sqlite":
        require_closed(target.file)
        write_sqlite(path, header, rows)
    else:
        from fakefacecli.reports.page import page_pieces

        folder = os.path.dirname(target.file) or "."
        card = card or _bundled_card(header)
        for piece in page_pieces(header, list(map(json_cells, rows)), folder, card):
            handle.write(piece.encode("utf-8"))
    settle(handle)


def _bundled_card(header: Mapping[str, Any]) -> dict[str, Any] | None:
    sha256 = (header.get("model") or {}).get("sha256")
    name = next((name for name, model in BUNDLED.items() if model.sha256 == sha256), None)
    return card_facts(find_model(name)) if name else None


def pieces(
    target: ReportTarget, header: Mapping[str, Any], rows: Iterable[Row], members: tuple[str, ...]
) -> Iterator[str]:
    """The text of a report in the format of `target`; a CSV has a column for each of `members`."""
    writer = writer_for(target, RowFacts("", "", "", members=members))
    yield writer.start(header)
    yield from map(writer.put, rows)
    yield writer.end(header)


def write_report(
    target: ReportTarget, header: Mapping[str, Any], rows: Iterable[Row], members: tuple[str, ...]
) -> None:
    """Write the report to its file, whole or not at all. Raises CannotWrite."""
    if target.is_text:
        with atomic_write(target.file, "w", encoding="utf-8", newline="") as handle:
            handle.writelines(pieces(target, header, rows, members))
    else:
        with atomic_write(target.file) as handle:
            write_whole(target, handle, header, rows)
