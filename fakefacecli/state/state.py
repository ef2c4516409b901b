"""What earlier runs judged: an image with the same bytes under the same settings is not judged
again.

Path, size and mtime say quickly which bytes a file held when it was last read; the verdict depends
on the bytes alone, so a renamed or copied file is known as well.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import ScanOptions
from fakefacecli.base.records import Content, FileFacts, ImageRef
from fakefacecli.base.verdicts import ErrorCode, Status
from fakefacecli.decode.file import Refused, read_file
from fakefacecli.decode.image import DecodeLimits, needs_too_much
from fakefacecli.models.judge import AnyCheckpoint
from fakefacecli.reports.plain import from_plain, to_plain
from fakefacecli.state.file import damaged, open_state, path_key, refusals
from fakefacecli.state.overlays import DrawnOverlays
from fakefacecli.state.settings import settings_number

_SAVE_SECONDS = 1.0
# as git distrusts a file as new as its index ("racy git"): FAT's clock, the coarsest, ticks in 2 s
_RACE_NS = 2_000_000_000
_MOST_BYTES = 1 << 29  # read here to be recognised; a larger file that changed is judged again
_EMPTY = hashlib.sha256(b"").digest()
# the file alone decides these, so they will be the same next time
_LASTING = frozenset(
    {
        *(ErrorCode.NOT_AN_IMAGE, ErrorCode.UNSUPPORTED, ErrorCode.TRUNCATED, ErrorCode.CORRUPT),
        *(ErrorCode.TOO_LARGE, ErrorCode.EMPTY),
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """An image judged before. `report` is None where it was also reported before and the options
    want only what is new."""

    report: ImageReport | None


class State:
    """The state of one run; the caller holds its lock. `versions` are those behind a score.

    Every method raises ModelRefused for a damaged file and CannotWrite when a write is refused.
    What was added is committed about once a second: a kill costs at most the last second.
    """

    def __init__(
        self,
        path: str,
        options: ScanOptions,
        checkpoint: AnyCheckpoint,
        versions: Mapping[str, str],
    ):
        self.path = path
        self.options = options
        self.run_id = ""
        self._began_ns = time.time_ns()
        self._saved = time.monotonic()
        self._db = open_state(path)
        with refusals(path):
            self._settings = settings_number(self._db, options, checkpoint, versions)
        self._overlays = DrawnOverlays(self._db, self._settings, options)

    def begin(self, run_id: str) -> None:
        """Say whose report the images found or added from now on go into."""
        self.run_id = run_id

    def find(self, ref: ImageRef) -> Found | None:
        """What was said of the file that `ref` names now; None when it has to be judged."""
        self._save_in_time()
        with refusals(self.path):
            facts, read_ns = self._facts(ref)
            if facts is None:
                return None
            row = self._db.execute(
                "SELECT report, pending FROM verdicts WHERE sha256 = ? AND settings = ?",
                (_key(facts), self._settings),
            ).fetchone()
            if row is None:
                return None
            text, pending = row
            new = pending is not None or self._is_new(ref.path, facts)
            if read_ns is not None:
                self._remember(ref.path, facts, read_ns)
            if self.options.since_last and not new:
                return Found(None)
            report = self._as_of_now(ref, facts, text)
            # new, though not read now: a run that was stopped has noted it, and this one takes it
            # over, so that `reported` clears it
            if new and read_ns is None:
                self._write(
                    "UPDATE files SET pending = ? WHERE path = ?",
                    (self.run_id, path_key(ref.path)),
                )
            if report is not None and pending not in (None, self.run_id):
                self._write(
                    "UPDATE verdicts SET pending = ? WHERE sha256 = ? AND settings = ?",
                    (self.run_id, _key(facts), self._settings),
                )
            return Found(report) if report else None

    def add(self, report: ImageReport) -> None:
        """Remember a judged image, unless another try might end differently."""
        facts = report.facts
        mark = facts.mtime_ns if report.ref.content is None else _version(report.ref.content)
        if not self._lasting(report) or facts.size is None or mark is None:
            return
        # what belongs to the picture alone; `_as_of_now` puts in the file it is found as next time
        bare = replace(
            report,
            ref=ImageRef(0, "", ""),
            facts=replace(facts, mtime_ns=None),
            findings=tuple(replace(finding, overlay=None) for finding in report.findings),
            elapsed_ms=0.0,
            known=None,  # by the lists of that run
        )
        outcome = bare.code or bare.label or bare.status
        with refusals(self.path):
            self._remember(report.ref.path, replace(facts, mtime_ns=mark), self._began_ns)
            # what an earlier run has reported stays reported, though it was judged again
            self._write(
                "INSERT INTO verdicts (sha256, settings, size, outcome, report, judged_at, pending)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256, settings) DO UPDATE SET"
                " report = excluded.report, judged_at = excluded.judged_at,"
                " pending = CASE WHEN pending IS NULL THEN NULL ELSE excluded.pending END",
                (
                    *(_key(facts), self._settings, facts.size, str(outcome)),
                    *(json.dumps(to_plain(bare), separators=(",", ":")), int(time.time())),
                    self.run_id,
                ),
            )
            for row in self._overlays.rows(report, _key(facts)):
                self._write("INSERT OR REPLACE INTO overlays VALUES (?, ?, ?, ?)", row)
        self._save_in_time()

    def save(self) -> None:
        """Commit what was added so far."""
        with refusals(self.path):
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        self._saved = time.monotonic()

    def reported(self) -> None:
        """Take note that this run's reports are in place: its images are no longer new."""
        with refusals(self.path):
            for table in ("verdicts", "files"):
                self._write(
                    f"UPDATE {table} SET pending = NULL WHERE pending = ?",  # noqa: S608 - ours
                    (self.run_id,),
                )
        self.save()

    def close(self) -> None:
        """Commit and let go; says nothing of a failure, which `save` has had its chance to tell."""
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _facts(self, ref: ImageRef) -> tuple[FileFacts | None, int | None]:
        """Which bytes the file holds: from memory if it looks unchanged, else by reading it.

        The number is a time before they were read; None when they were not.
        """
        if ref.content is not None:
            return self._facts_of_object(ref, ref.content), None
        path = ref.path
        try:
            now = os.stat(path)
        except (OSError, ValueError):
            return None, None
        if not stat.S_ISREG(now.st_mode):
            return None, None
        if not self.options.verify_hash:
            row = self._db.execute(
                "SELECT sha256, read_ns FROM files WHERE path = ? AND size = ? AND mtime_ns = ?",
                (path_key(path), now.st_size, now.st_mtime_ns),
            ).fetchone()
            # a write within one tick of the clock after our reading would leave the same time
            if row is not None and now.st_mtime_ns < row[1] - _RACE_NS:
                return FileFacts(row[0].hex(), now.st_size, now.st_mtime_ns), None
        before = time.time_ns()
        return self._read(path, now.st_size), before

    def _facts_of_object(self, ref: ImageRef, content: Content) -> FileFacts | None:
        """Which bytes an object holds, by the version that its store tells; it is not fetched."""
        version = _version(content)
        if version is None or self.options.verify_hash:
            return None
        row = self._db.execute(
            "SELECT sha256 FROM files WHERE path = ? AND size = ? AND mtime_ns = ?",
            (path_key(ref.path), content.size, version),
        ).fetchone()
        return FileFacts(row[0].hex(), content.size) if row else None

    def _read(self, path: str, size: int) -> FileFacts | None:
        # no verdict on a file of this size: the decoder is the first to read the bytes
        alike = self._db.execute(
            "SELECT 1 FROM verdicts WHERE size = ? AND settings = ? LIMIT 1",
            (size, self._settings),
        ).fetchone()
        if alike is None:
            return None
        try:
            data, facts = read_file(
                path, min(size, _MOST_BYTES), self.options.source.follow_symlinks
            )
        except Refused as refused:
            if refused.code is not ErrorCode.EMPTY or refused.facts is None:
                return None
            data, facts = b"", refused.facts
        return replace(facts, sha256=hashlib.sha256(data).hexdigest())

    def _as_of_now(self, ref: ImageRef, facts: FileFacts, text: str) -> ImageReport | None:
        """The stored report on the file as it lies there; None when an overlay has to be drawn."""
        try:
            plain = json.loads(text)
            plain["ref"] = [ref.index, ref.path, ref.name]
            plain["facts"][1:3] = facts.size, facts.mtime_ns
            report = from_plain(plain)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(self.path, "a report in it cannot be read") from error
        if not self._overlays.wanted:
            return report
        findings = self._overlays.put_in(ref, _key(facts), report.findings)
        return replace(report, findings=findings) if findings is not None else None

    def _lasting(self, report: ImageReport) -> bool:
        if report.status is not Status.ERROR:
            return report.facts.sha256 is not None
        limits = DecodeLimits(max_pixels=self.options.decode.max_pixels)
        if report.message == needs_too_much(limits):  # depends on the decoder's heap, too
            return False
        known = report.facts.sha256 is not None or report.code is ErrorCode.EMPTY
        return known and report.code in _LASTING

    def _remember(self, path: str, facts: FileFacts, read_ns: int) -> None:
        # a file whose bytes an earlier run has reported is not news for having been touched
        self._write(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
            " size = excluded.size, mtime_ns = excluded.mtime_ns, read_ns = excluded.read_ns,"
            " pending = CASE WHEN sha256 = excluded.sha256 AND pending IS NULL THEN NULL"
            " ELSE excluded.pending END, sha256 = excluded.sha256",
            (path_key(path), facts.size, facts.mtime_ns, _key(facts), read_ns, self.run_id),
        )

    def _is_new(self, path: str, facts: FileFacts) -> bool:
        """Whether no complete run has reported these bytes under this path."""
        row = self._db.execute(
            "SELECT pending FROM files WHERE path = ? AND sha256 = ?", (path_key(path), _key(facts))
        ).fetchone()
        return row is None or row[0] is not None

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        # one transaction for many images, as each commit waits for the disk; IMMEDIATE: a second
        # writer is refused now and not at the commit
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(statement, values)

    def _save_in_time(self) -> None:
        """Commit if the last time is a while ago; never between a file and its verdict."""
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()


def _version(content: Content) -> int | None:
    """What stands in the place of a file's time: a number for the version in the store."""
    if not content.version or content.size is None:
        return None
    # 63 bits: what an INTEGER of SQLite holds
    return int.from_bytes(hashlib.sha256(content.version.encode()).digest()[:8], "big") >> 1


def _key(facts: FileFacts) -> bytes:
    return bytes.fromhex(facts.sha256) if facts.sha256 else _EMPTY
