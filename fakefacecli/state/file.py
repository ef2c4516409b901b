"""The state's SQLite file: opening it, and telling in one line what is wrong with it."""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from typing import Literal

from fakefacecli.base.addresses import is_url
from fakefacecli.base.errors import CannotWrite, FakeFaceError, Locked, ModelRefused, NothingToDo
from fakefacecli.base.files import require_folder

Verb = Literal["read", "write"]  # what is wanted of a state

APPLICATION = 0x46414B45  # "FAKE" in SQLite's application_id: other programs' files are refused
VERSION = 1
_BUSY_SECONDS = 5.0  # our own runs hold a lock first; an open sqlite3 shell may hold the file

_REFUSED_WRITE = frozenset(
    {
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH),
    }
)

# A verdict is kept once for a picture, however many files hold it: `files` says which bytes a path
# held when it was last read, `verdicts` what was said of those bytes, `overlays` which pictures on
# disk show that.
#
# `settings` is all that a verdict depends on besides the image's bytes; `read_ns` is a time before
# the bytes behind `sha256` were read; `pending` is the run whose report of this verdict, or of this
# file with these bytes, still has to come out
_SCHEMA = (
    "CREATE TABLE settings (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE,"
    " model TEXT NOT NULL, model_sha256 TEXT NOT NULL)",
    "CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
    " sha256 BLOB NOT NULL, read_ns INTEGER NOT NULL, pending TEXT) WITHOUT ROWID",
    "CREATE INDEX files_pending ON files (pending) WHERE pending IS NOT NULL",
    "CREATE TABLE verdicts (sha256 BLOB NOT NULL, settings INTEGER NOT NULL, size INTEGER NOT NULL,"
    " outcome TEXT NOT NULL, report TEXT NOT NULL, judged_at INTEGER NOT NULL, pending TEXT,"
    " PRIMARY KEY (sha256, settings))",
    "CREATE INDEX verdicts_by_size ON verdicts (size, settings)",
    "CREATE INDEX verdicts_pending ON verdicts (pending) WHERE pending IS NOT NULL",
    "CREATE TABLE overlays (path BLOB PRIMARY KEY, sha256 BLOB NOT NULL,"
    " settings INTEGER NOT NULL, mtime_ns INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


def open_state(path: str, create: bool = True, verb: Verb = "write") -> sqlite3.Connection:
    """Open the state at `path`; a missing one is made, or NothingToDo unless `create`.

    Raises ModelRefused for a damaged file, another program's or another version's; CannotWrite
    where no file can be written, and ModelRefused where it cannot be read and `verb` says that
    reading is all that is wanted. Transactions are the caller's business.
    """
    if os.path.lexists(path) or not create:
        require_state(path, verb)
    else:
        require_folder(path)
    with refusals(path, verb), contextlib.ExitStack() as stack:
        db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        stack.callback(db.close)
        # SQLite opens an empty file as an empty database: only a look inside tells
        blank = _is_blank(db)
        if not (blank and create):
            _require_ours(db, path)
        # WAL: a kill at any moment leaves the last commit; NORMAL: a power cut may cost the newest
        # commits, which are judged again then
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if blank:
            _make_schema(db)
        stack.pop_all()
    return db


def require_state(path: str, verb: Verb = "write") -> None:
    """Raise NothingToDo when `path` is not there, CannotWrite when it is no regular file.

    SQLite would wait on a FIFO and write to a device, and say little of a file that is closed: to
    read it there must be permission. ModelRefused takes CannotWrite's place then.
    """
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        raise NothingToDo(f"no state at {path}; fakeface scan --state makes one") from None
    except OSError as error:
        raise _cannot(verb, path, (error.strerror or "failed").lower()) from error
    if stat.S_ISDIR(kind):
        raise _cannot(verb, path, "it is a folder; name a file")
    if not stat.S_ISREG(kind):
        raise _cannot(verb, path, "not a regular file; name another")
    if verb == "read":
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise _cannot(verb, path, (error.strerror or "failed").lower()) from error


@contextlib.contextmanager
def refusals(path: str, verb: Verb = "write") -> Iterator[None]:
    """Turn whatever SQLite raises in the block into a FakeFaceError that names `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _refusal(path, error, verb) from error


def damaged(path: str, what: str) -> ModelRefused:
    """The one wording for a state that cannot be what we wrote."""
    return ModelRefused(
        f"state {path}: damaged ({what}); delete it to start over, or name another file"
    )


def path_key(path: str) -> bytes:
    """How the state names a file: its absolute path, in the bytes that the system has for it.

    What lies in a store is named by its URL.
    """
    if is_url(path):
        return os.fsencode(path)
    return os.fsencode(os.path.abspath(path))


def _cannot(verb: Verb, path: str, why: str) -> FakeFaceError:
    words = f"cannot {verb} the state {path}: {why}"
    return CannotWrite(words) if verb == "write" else ModelRefused(words)


def _refusal(path: str, error: sqlite3.Error, verb: Verb) -> FakeFaceError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code
    what = str(error)
    if code == sqlite3.SQLITE_NOTADB:
        return _foreign(path)
    if code in _REFUSED_WRITE:
        return _cannot(verb, path, f"{what}; name another file")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked(f"another program holds the state {path}; wait for it to end")
    return damaged(path, what)


def _foreign(path: str) -> ModelRefused:
    return ModelRefused(f"{path} is no state of fakeface; name another file")


def _is_blank(db: sqlite3.Connection) -> bool:
    """Nothing in it yet: new, or of a run that was killed before it wrote the schema."""
    tables, application = _one(db, "SELECT count(*) FROM sqlite_master"), _application(db)
    return not tables and not application and not _one(db, "PRAGMA user_version")


def _require_ours(db: sqlite3.Connection, path: str) -> None:
    if _application(db) != APPLICATION:
        raise _foreign(path)
    version = _one(db, "PRAGMA user_version")
    if version != VERSION:
        raise ModelRefused(
            f"state {path}: version {version} found, this fakeface reads {VERSION}; "
            "delete it to start over, or name another file"
        )
    found = _one(db, "PRAGMA quick_check(1)")
    if found != "ok":
        raise damaged(path, str(found).splitlines()[-1])


def _make_schema(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        db.execute(statement)
    db.execute("COMMIT")


def _application(db: sqlite3.Connection) -> object:
    return _one(db, "PRAGMA application_id")


def _one(db: sqlite3.Connection, query: str) -> object:
    return db.execute(query).fetchone()[0]
