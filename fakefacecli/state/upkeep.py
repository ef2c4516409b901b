"""What a state holds, and removing from it what is no longer needed."""

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fakefacecli.base.addresses import is_url
from fakefacecli.state.file import open_state, refusals

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class StateStats:
    """What a state holds; times in seconds since 1970, None when it is empty.

    `models` are (name, sha256, verdicts).
    """

    images: int
    verdicts: int
    outcomes: dict[str, int]
    models: tuple[tuple[str, str, int], ...]
    bytes: int
    oldest: int | None
    newest: int | None


@dataclass(frozen=True, slots=True)
class Stale:
    """What `take_out` takes out: whatever is stale in any of these ways.

    `older_than_days` counts from the judgement; `missing` are images whose file is gone;
    `other_than` are the sha256 of the models whose verdicts stay. None and False take nothing.
    """

    older_than_days: float | None = None
    missing: bool = False
    other_than: Sequence[str] | None = None


def read_stats(path: str) -> StateStats:
    """Count what the state at `path` holds; raises what `open_state` does."""
    db = open_state(path, create=False, verb="read")
    try:
        with refusals(path, "read"):
            images, _ = _counts(db)
            verdicts, oldest, newest = db.execute(
                "SELECT count(*), min(judged_at), max(judged_at) FROM verdicts"
            ).fetchone()
            outcomes = db.execute(
                "SELECT outcome, count(*) FROM verdicts GROUP BY outcome ORDER BY 2 DESC, 1"
            )
            models = db.execute(
                "SELECT model, model_sha256, count(*) FROM verdicts"
                " JOIN settings ON settings.id = settings GROUP BY 2 ORDER BY 3 DESC, 1"
            )
            sizes = (os.path.getsize(p) for p in (path, f"{path}-wal") if os.path.exists(p))
            return StateStats(
                *(images, verdicts, dict(outcomes), tuple(models), sum(sizes), oldest, newest)
            )
    finally:
        db.close()


def take_out(path: str, stale: Stale) -> tuple[int, int]:
    """Take out what is stale and shrink the file; how many images and verdicts went.

    The caller holds the state's lock. Raises what `open_state` does; then nothing was taken out.
    """
    db = open_state(path, create=False)
    try:
        with refusals(path):
            db.execute("BEGIN IMMEDIATE")
            images, verdicts = _counts(db)
            _drop(db, stale)
            _sweep(db)
            images_left, verdicts_left = _counts(db)
            db.execute("COMMIT")
            # not inside a transaction; then the log is emptied too, or it would keep the old size
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return images - images_left, verdicts - verdicts_left
    finally:
        db.close()


def _drop(db: sqlite3.Connection, stale: Stale) -> None:
    if stale.older_than_days is not None:
        limit = time.time() - stale.older_than_days * _DAY_SECONDS
        db.execute("DELETE FROM verdicts WHERE judged_at <= ?", (limit,))
    if stale.other_than is not None:
        db.execute(
            "DELETE FROM verdicts WHERE settings IN"
            " (SELECT id FROM settings WHERE model_sha256 NOT IN"
            " (SELECT value FROM json_each(?)))",
            (json.dumps(list(stale.other_than)),),
        )
    if stale.missing:
        paths = [row[0] for row in db.execute("SELECT path FROM files")]
        gone = [(path,) for path in paths if _is_gone(path)]
        db.executemany("DELETE FROM files WHERE path = ?", gone)
        db.execute("DELETE FROM verdicts WHERE sha256 NOT IN (SELECT sha256 FROM files)")


def _sweep(db: sqlite3.Connection) -> None:
    """Remove rows that led only to verdicts which are gone."""
    db.execute("DELETE FROM files WHERE sha256 NOT IN (SELECT sha256 FROM verdicts)")
    db.execute("DELETE FROM settings WHERE id NOT IN (SELECT settings FROM verdicts)")
    db.execute(
        "DELETE FROM overlays WHERE (sha256, settings) NOT IN"
        " (SELECT sha256, settings FROM verdicts)"
    )


def _counts(db: sqlite3.Connection) -> tuple[int, int]:
    row = db.execute("SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM verdicts)")
    images, verdicts = row.fetchone()
    return images, verdicts


def _is_gone(path: bytes) -> bool:
    """Surely gone: a file behind a closed folder, for one, may still be there.

    So may what lies in a store, which is not asked here.
    """
    if is_url(os.fsdecode(path)):
        return False
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
