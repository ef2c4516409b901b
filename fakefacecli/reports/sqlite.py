"""A report as an SQLite database: the table `rows`, and the table `run` with a row for each run."""

import errno
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import quote

from fakefacecli.base.errors import CannotWrite
from fakefacecli.reports.cells import INTEGERS, REALS, TABLE_COLUMNS, from_table, table_cells
from fakefacecli.reports.rows import Row

_INDEXED = ("path", "sha256", "verdict")
_PLAIN_TABLES = """
    SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
"""


def require_closed(path: str) -> None:
    """Raise CannotWrite where SQLite's own files lie beside the database at `path`.

    They belong to the old database. SQLite would write what they hold into the new one.
    """
    for ending in ("-wal", "-journal"):
        if os.path.lexists(path + ending):
            raise CannotWrite(
                f"cannot write {path}: {path + ending} is there, so another program has the old "
                "database open, or did not end well; close it, or name another file"
            )


def write_sqlite(path: str, header: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Fill the empty file at `path`; nothing is left beside it. Raises OSError."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            # whoever calls this drops the file if it was not finished: no journal is needed
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("BEGIN")
            db.execute(f"CREATE TABLE rows ({', '.join(map(_column, TABLE_COLUMNS))})")
            db.execute("CREATE TABLE run (run_id TEXT, header TEXT NOT NULL)")
            db.executemany(_INSERT, map(_values, rows))
            for name in _INDEXED:
                db.execute(f"CREATE INDEX rows_by_{name} ON rows ({name})")
            db.executemany("INSERT INTO run VALUES (?, ?)", _runs(header))
            db.execute("COMMIT")
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
        raise OSError(number, f"SQLite: {error}") from error


def read_sqlite(path: str) -> tuple[list[dict[str, Any]], frozenset[str], Iterator[Row]]:
    """The headers of its runs, the names of the columns, and their cells row by row.

    Raises OSError, or ValueError for what is no report.
    """
    with open(path, "rb"):  # SQLite says little of a file that is not there or closed
        pass
    try:
        # read-only: the file may be somebody's evidence
        where = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=ro"
        with closing(sqlite3.connect(where, uri=True)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            # a view of a stranger may hold any query, also one that never ends
            tables = {name for (name,) in db.execute(_PLAIN_TABLES)}
            if "rows" not in tables:
                raise ValueError("no table rows in it")
            found = db.execute("SELECT * FROM rows")
            names = [name for name, *_ in found.description]
            cells = [dict(zip(names, row, strict=True)) for row in found]
            said = db.execute("SELECT header FROM run").fetchall() if "run" in tables else []
    except sqlite3.Error as error:
        raise ValueError(f"no SQLite database of ours: {error}") from error
    return [json.loads(text) for (text,) in said], frozenset(names), map(from_table, cells)


def _column(name: str) -> str:
    kind = "INTEGER" if name in INTEGERS else "REAL" if name in REALS else "TEXT"
    return f'"{name}" {kind}'


_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * len(TABLE_COLUMNS))})"  # noqa: S608


def _values(row: Row) -> list[Any]:
    return list(map(table_cells(row).get, TABLE_COLUMNS))


def _runs(header: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    for run in header.get("merged") or [header]:
        yield run["run_id"], json.dumps(run)
