"""The list of what a scan passed over, a row for each path, written whole at its end."""

import csv
import shutil
import tempfile
from types import TracebackType
from typing import IO, Self

from fakefacecli.base.files import atomic_write, cannot_write
from fakefacecli.base.text import printable
from fakefacecli.reports.rows import BOM, guarded


class SkippedList:
    """A CSV file with the columns path and reason; names are written as in reports.

    Rows wait in a temporary file, as there may be millions. Without a `path` nothing is kept. With
    `bom` the file begins with a byte order mark.
    """

    def __init__(self, path: str | None, bom: bool = False):
        self.path = path
        self.bom = bom
        self._rows = _temporary(path) if path is not None else None
        self._write("path", "reason")

    def add(self, path: str, reason: str) -> None:
        """Note a path that was passed over; CannotWrite when there is no room for it."""
        self._write(str(guarded(printable(path))), reason)

    def commit(self) -> None:
        """Put the list in its place; CannotWrite leaves an older one as it was."""
        if self._rows is None or self.path is None:
            return
        self._rows.seek(0)
        with atomic_write(self.path, "w", encoding="utf-8", newline="") as handle:
            handle.write(BOM * self.bom)
            shutil.copyfileobj(self._rows, handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._rows is not None:
            self._rows.close()

    def _write(self, path: str, reason: str) -> None:
        if self._rows is None or self.path is None:
            return
        try:
            csv.writer(self._rows, lineterminator="\n").writerow((path, reason))
        except OSError as error:
            raise cannot_write(self.path, error) from error


def _temporary(path: str) -> IO[str]:
    try:
        return tempfile.TemporaryFile("w+", encoding="utf-8", newline="")
    except OSError as error:
        raise cannot_write(path, error) from error
