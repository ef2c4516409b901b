"""Which overlays on disk are those of images the state knows.

A file in the right place is not enough: it may show what the image was before it changed.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace

from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.options import Explain, ScanOptions
from fakefacecli.base.records import ImageRef
from fakefacecli.overlay.writer import overlay_name
from fakefacecli.state.file import path_key

Row = tuple[bytes, bytes, int, int]


class DrawnOverlays:
    """Looks overlays up in the table of that name; `settings` is the number of this run's.

    `wanted` says whether the options ask for any.
    """

    def __init__(self, db: sqlite3.Connection, settings: int, options: ScanOptions):
        self._db = db
        self._settings = settings
        self._folder = options.pictures
        self._explain = options.explain
        self.wanted = options.pictures is not None and options.explain is not Explain.NONE

    def put_in(
        self, ref: ImageRef, sha256: bytes, findings: tuple[FaceFinding, ...]
    ) -> tuple[FaceFinding, ...] | None:
        """The findings with the names of the overlays wanted; None when one has to be drawn."""
        named = []
        for number, finding in enumerate(findings, 1):
            name = None
            if self._explain.covers(finding.verdict.label):
                name = self._drawn(ref, number, finding.frame, sha256)
                if name is None:
                    return None
            named.append(replace(finding, overlay=name))
        return tuple(named)

    def rows(self, report: ImageReport, sha256: bytes) -> Iterator[Row]:
        """The rows to add for the overlays that were drawn with `report`."""
        for finding in report.findings:
            path = self._path(finding.overlay) if finding.overlay else ""
            mtime_ns = _mtime_ns(path)
            if mtime_ns is not None:
                yield path_key(path), sha256, self._settings, mtime_ns

    def _drawn(self, ref: ImageRef, number: int, frame: int, sha256: bytes) -> str | None:
        """The name of the overlay; a state of an older version knows it without digits."""
        for digits in (sha256.hex(), None):
            name = overlay_name(ref, number, digits, frame)
            if self._is_drawn(name, sha256):
                return name
        return None

    def _is_drawn(self, name: str, sha256: bytes) -> bool:
        path = self._path(name)
        row = self._db.execute(
            "SELECT mtime_ns FROM overlays WHERE path = ? AND sha256 = ? AND settings = ?",
            (path_key(path), sha256, self._settings),
        ).fetchone()
        # the table is not enough: the picture may have been deleted or replaced since
        return row is not None and row[0] == _mtime_ns(path)

    def _path(self, name: str) -> str:
        return os.path.join(self._folder or "", *name.split("/"))


def _mtime_ns(path: str) -> int | None:
    """When the regular file at `path` was written; None when there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_mtime_ns if stat.S_ISREG(found.st_mode) else None
