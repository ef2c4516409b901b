"""One run per report: an flock beside it, which the system drops when its holder dies."""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator

from fakefacecli.base.errors import Locked
from fakefacecli.base.files import cannot_write, in_the_way, open_plain, require_folder

# a pid; after a crash of the machine the file may hold zeros instead
_OURS = re.compile(rb"[0-9\0]{0,20}\n?\Z")
_READ_BYTES = 32
_PATIENCE_S = 1.0  # a holder writes its pid right after it has the lock


@contextlib.contextmanager
def locked(target: str) -> Iterator[None]:
    """Hold the lock of `target` for the block.

    Raises Locked at once, naming the holder's pid, when another run has it; CannotWrite when the
    lock file cannot be made, or something that is no lock has its name. The file that a killed run
    left is not locked any more, and is used again.
    """
    require_folder(target)
    path = f"{target}.lock"
    try:
        handle = _acquire(path, target)
    except OSError as error:
        # a folder that refuses files: people know the name they typed, not that of the lock
        raise cannot_write(path if os.path.lexists(path) else target, error) from error
    try:
        try:
            # written first and cut afterwards: at no time is the file without a pid for `_holder`
            os.ftruncate(handle, os.pwrite(handle, f"{os.getpid()}\n".encode(), 0))
        except OSError as error:
            raise cannot_write(path, error) from error
        yield
    finally:
        with contextlib.suppress(OSError):
            # before the close, while the lock is ours: afterwards another run may hold this file
            os.unlink(path)
        os.close(handle)


def _acquire(path: str, target: str) -> int:
    while True:
        handle = open_plain(path, os.O_CREAT)
        try:
            # never write into a file of somebody else's that only has this name
            if not _OURS.match(os.pread(handle, _READ_BYTES, 0)):
                raise in_the_way(path)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # between our open and our flock the former holder may have removed this very file
            if _is_at(path, handle):
                return handle
        except BlockingIOError:
            holder = _holder(handle)
            os.close(handle)
            raise Locked(
                f"another run (pid {holder}) is writing {target}; "
                "wait for it to end, or name another report"
            ) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(path: str, handle: int) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.lstat(path), os.fstat(handle))
    return False


def _holder(handle: int) -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if pid := os.pread(handle, _READ_BYTES, 0).strip(b"\0\n").decode("ascii", "replace"):
            return pid
        time.sleep(0.02)
    return "unknown"
