"""Where the page's files lie: one private folder, gone at the end, each session's part before."""

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

from fakefacecli.base.errors import UsageError

STALE_S = 3600.0  # files of a session whose end nobody saw are gone after this time


class Places:
    """`root` (mode 0700) with `cache`, what browsers may fetch, and `work`, what they may not.

    What a session brings or is given is noted under its name, and removed by `end`, unless another
    session has it too. Several threads may call.
    """

    def __init__(self) -> None:
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="fakeface-ui-"))
        self.cache = os.path.join(self.root, "cache")
        self.work = os.path.join(self.root, "work")
        for folder in (self.cache, self.work):
            os.mkdir(folder, 0o700)
        self._lock = threading.Lock()
        self._noted: defaultdict[str, set[str]] = defaultdict(set)
        self._kept: frozenset[str] = frozenset()

    def keep(self) -> None:
        """What is in the cache by now is nobody's, and stays to the end."""
        self._kept = frozenset(os.path.join(self.cache, name) for name in os.listdir(self.cache))

    def note(self, session: str | None, path: str) -> None:
        """`path`, in a folder of the cache, belongs to `session`; other paths are passed over."""
        below = os.path.relpath(os.path.realpath(path), os.path.realpath(self.cache))
        first = below.split(os.sep)[0]
        own = os.path.join(self.cache, first)
        if session and first not in (os.curdir, os.pardir) and own not in self._kept:
            with self._lock:
                self._noted[session].add(own)

    def end(self, session: str | None) -> None:
        """Remove what `session` alone had."""
        with self._lock:
            own = self._noted.pop(session or "", set())
            own -= set().union(*self._noted.values())
        for path in own:
            _remove(path)

    def new_folder(self, session: str | None) -> str:
        """A folder for what `session` may download."""
        folder = os.path.join(self.cache, secrets.token_hex(16))
        os.mkdir(folder, 0o700)
        self.note(session, folder)
        return folder

    @contextlib.contextmanager
    def workplace(self) -> Iterator[str]:
        """A new folder under `work`, relative to it, which vanishes with all that is in it."""
        name = f"upload-{secrets.token_hex(4)}"
        os.mkdir(os.path.join(self.work, name), 0o700)
        try:
            yield name
        finally:
            _remove(os.path.join(self.work, name))

    def stored(self) -> int:
        """Bytes of all files."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total

    def sweep(self, older_than_s: float = STALE_S) -> None:
        """Remove what lies in the cache for longer than that."""
        before = time.time() - older_than_s
        with contextlib.suppress(OSError), os.scandir(self.cache) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    old = entry.stat(follow_symlinks=False).st_mtime < before
                    if old and entry.path not in self._kept:
                        _remove(entry.path)

    def remove(self) -> None:
        """Remove everything."""
        _remove(self.root)


def allowed_folder(wanted: str, allowed: tuple[str, ...]) -> str:
    """The real path of the folder `wanted`, if it lies in one of the real paths `allowed`.

    Raises UsageError, with the same words whether there is such a folder or not.
    """
    real = os.path.realpath(wanted) if os.path.isabs(wanted) and "\0" not in wanted else ""
    for folder in allowed:
        if real and os.path.commonpath([real, folder]) == folder and os.path.isdir(real):
            return real
    raise UsageError(
        "no folder of this name that may be scanned here; wanted the whole path of a folder that "
        "the operator allowed (--allow-folder), or of one in it"
    )


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
