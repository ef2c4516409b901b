"""One run per report: an flock beside it, which the system drops when its holder dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from fakefacecli.errors import Locked
from fakefacecli.files import cannot_write
from fakefacecli.text import printable


@contextlib.contextmanager
def locked(target: str) -> Iterator[None]:
    """Hold the lock of `target` for the block.

    Raises Locked at once, naming the holder's pid, when another run has it; CannotWrite when the
    lock file cannot be made. A lock file left by a killed run is no lock and is taken over.
    """
    path = f"{target}.lock"
    handle = _acquire(path, target)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # while it is still ours
        os.close(handle)


def _acquire(path: str, target: str) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise Locked(
                f"another run (pid {printable(holder)}) is writing {printable(target)}; "
                "wait for it to end, or name another report"
            ) from None
        with contextlib.suppress(OSError):
            # between our open and our flock the former holder may have removed this very file
            if os.path.samestat(os.stat(path), os.fstat(handle)):
                return handle
        os.close(handle)
