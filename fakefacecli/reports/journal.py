"""The run journal: every finished image, appended as one line, so that no work is lost.

The first line says what the run is. Each further one is the JSON of one `ImageReport`, written when
the image is finished. A kill or a full disk may leave the last line incomplete ("torn"): reading
stops there.
"""

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from typing import IO

from fakefacecli.base.errors import UsageError
from fakefacecli.base.files import atomic_write, cannot_write, in_the_way, open_plain
from fakefacecli.base.findings import ImageReport
from fakefacecli.reports.plain import Plain, from_plain, to_plain


class Journal:
    """An open journal. `path` names it in errors; every failed write is CannotWrite."""

    def __init__(self, path: str, handle: IO[bytes], last: int = -1, in_order: bool = True):
        self.path = path
        self._handle = handle
        self._unsynced = 0
        # resuming appends images that were judged again, behind others that come later in the scan
        self._last, self._in_order = last, in_order

    def head(self, facts: Plain) -> None:
        """Write the first line: what the run is, so that only the same run can resume."""
        self._write(facts)
        self.sync()

    def append(self, report: ImageReport) -> None:
        """Add one finished image."""
        self._in_order &= report.ref.index > self._last
        self._last = report.ref.index
        self._write(to_plain(report))

    def sync(self) -> None:
        """Make what was appended survive a power cut."""
        try:
            if self._unsynced:
                os.fsync(self._handle.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._unsynced = 0

    def reports(self) -> Iterator[ImageReport]:
        """Every image journalled so far, in scan order, without holding them all in memory."""
        # a handle of its own, so that closing it does not close the journal
        with open(os.dup(self._handle.fileno()), "rb") as lines:
            lines.seek(0)
            next(lines, None)
            for line in lines if self._in_order else _sorted(lines):
                yield from_plain(json.loads(line))

    def close(self) -> None:
        """Close the file; what was appended stays."""
        with contextlib.suppress(OSError):  # a full disk was reported by the write that met it
            self._handle.close()

    def _write(self, plain: Plain) -> None:
        try:
            self._handle.seek(0, os.SEEK_END)  # `reports` shares the file's position
            self._handle.write(_line(plain))
            self._handle.flush()  # with the system, it survives a kill; a power cut: see `sync`
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._unsynced += 1


def open_journal(path: str, head: Plain) -> Journal:
    """Start an empty journal at `path`, in place of any other; CannotWrite when that fails."""
    # a new file, not the old one emptied: that could be linked, or held open, by somebody else
    try:
        if os.path.lexists(path):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise in_the_way(path)
            os.unlink(path)
        journal = Journal(path, open(path, "x+b"))  # noqa: SIM115 - the journal closes it
    except OSError as error:
        raise cannot_write(path, error) from error
    journal.head(head)
    return journal


def resume_journal(path: str, head: Plain) -> tuple[Journal, Plain, set[str]]:
    """Open the journal of an interrupted run: it, its own head, and the paths it has finished.

    A torn last line and images that have changed since are removed, so that they are judged again.
    Without a journal this is `open_journal`. Raises UsageError when another kind of run wrote it.
    """
    if not os.path.lexists(path):
        return open_journal(path, head), head, set()
    try:
        with open(open_plain(path), "rb") as lines:
            _require_own(path, lines.fileno())
            found = _plain(lines.readline())
            # the run was killed before its first line was whole: nothing was finished
            if found is None or "fingerprint" not in found:
                return open_journal(path, head), head, set()
            if found["fingerprint"] != head["fingerprint"]:
                raise UsageError(
                    f"{path} was written with another model, other options or inputs; "
                    "resume with the same ones, or run without --resume to start over"
                )
            done: set[str] = set()
            last, in_order = -1, True
            # `lines` goes on reading the old file, while the new one is written beside it
            with atomic_write(path) as kept:
                kept.write(_line(found))
                for line, report in _finished(lines):
                    kept.write(line)
                    done.add(report.ref.path)
                    in_order &= report.ref.index > last
                    last = report.ref.index
        return Journal(path, open(open_plain(path), "r+b"), last, in_order), found, done
    except OSError as error:
        raise cannot_write(path, error) from error


def _finished(lines: IO[bytes]) -> Iterator[tuple[bytes, ImageReport]]:
    """The lines up to the first torn one, less those of images that have changed since."""
    for line in lines:
        try:
            report = from_plain(_plain(line) or {})
        except (KeyError, TypeError, ValueError):
            return
        if _unchanged(report):
            yield line, report


def _sorted(lines: IO[bytes]) -> Iterator[bytes]:
    """The lines by their images' place in the scan: images judged again are at the end."""
    # only places are held in memory and sorted, not the lines: a scan may have millions
    places = []
    while line := lines.readline():
        places.append((json.loads(line)["ref"][0], lines.tell() - len(line)))
    for _, place in sorted(places):
        lines.seek(place)
        yield lines.readline()


def _require_own(path: str, handle: int) -> None:
    """Refuse another user's journal in a folder that all may write to: its rows could be false."""
    shared = os.stat(os.path.dirname(path) or ".").st_mode & stat.S_IWOTH
    if shared and os.fstat(handle).st_uid != os.geteuid():
        raise in_the_way(path)


def _line(plain: Plain) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode() + b"\n"


def _plain(line: bytes) -> Plain | None:
    """A whole line's content; None for a torn one."""
    try:
        plain = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return plain if isinstance(plain, dict) else None


def _unchanged(report: ImageReport) -> bool:
    facts = report.facts
    # nothing to compare: the file could not be looked at then, or it is gone now. The row stays, as
    # in a run that was not interrupted
    if facts.size is None or facts.mtime_ns is None:
        return True
    try:
        now = os.stat(report.ref.path)
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns) == (facts.size, facts.mtime_ns)
