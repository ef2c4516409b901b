"""The folder of a run's fetched files: its own, empty again at its end."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time

from fakefacecli.base.files import cannot_write

_PREFIX = "fakeface-fetched-"
_LOCK = "lock"
_YOUNG_S = 60.0  # a folder of this age may be about to be locked


class FetchedFolder:
    """A private folder among the temporary files (TMPDIR), made at once; CannotWrite.

    What runs that were killed have left is removed: their folders are not locked any more.
    """

    def __init__(self) -> None:
        _sweep()
        try:
            self.path = tempfile.mkdtemp(prefix=_PREFIX)
            self._lock = os.open(
                os.path.join(self.path, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            raise cannot_write(tempfile.gettempdir(), error) from error

    def place(self, number: int) -> str:
        """The path for the file of this number."""
        return os.path.join(self.path, str(number))

    def remove(self, path: str) -> None:
        """Remove one file of the folder."""
        with contextlib.suppress(OSError):
            os.unlink(path)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def _sweep() -> None:
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_ours(entry):
                _remove_unlocked(entry.path)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        found = entry.stat(follow_symlinks=False)
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return ours and time.time() - found.st_mtime > _YOUNG_S
    return False


def _remove_unlocked(path: str) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(os.path.join(path, _LOCK), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)
