"""Writing reports to files: as text piece by piece, or whole by the library of their format."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from fakefacecli.base.files import atomic_write, settle
from fakefacecli.base.options import ReportTarget
from fakefacecli.reports.parquet import write_parquet
from fakefacecli.reports.rows import Row, RowFacts, json_cells, writer_for
from fakefacecli.reports.sqlite import require_closed, write_sqlite


def write_whole(
    target: ReportTarget, handle: IO[Any], header: Mapping[str, Any], rows: Iterable[Row]
) -> None:
    """Fill the new file `handle`, which will replace `target`, a format that is no text.

    Raises OSError.
    """
    path = handle.name
    if target.format == "parquet":
        write_parquet(path, header, rows)
    elif target.format == "sqlite":
        require_closed(target.path)
        write_sqlite(path, header, rows)
    else:
        from fakefacecli.reports.page import (  # type: ignore[import-untyped, unused-ignore]
            write_page,
        )

        folder = os.path.dirname(target.path) or "."
        write_page(path, header, list(map(json_cells, rows)), folder)
    settle(handle)


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
        with atomic_write(target.path, "w", encoding="utf-8", newline="") as handle:
            handle.writelines(pieces(target, header, rows, members))
    else:
        with atomic_write(target.path) as handle:
            write_whole(target, handle, header, rows)
