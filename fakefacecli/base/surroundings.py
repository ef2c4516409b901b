"""Faults of the place a command runs in, told from faults of its own."""

import errno
import os
import resource
import sys
from collections.abc import Iterator

from fakefacecli.base.errors import ExitCode, FakeFaceError, NothingToDo

_PROC = "/proc/self"
_MOUNT = "mount it: mount -t proc proc /proc"
# what libraries say when the system gives them no memory, and raise as something else
_NO_MEMORY = (
    *("failed to map segment", "cannot allocate memory", "can't allocate memory"),
    *("not enough memory", "std::bad_alloc", "can't start new thread", "cannot apply additional"),
)


class PoorSurroundings(FakeFaceError):
    """The system gives too little for a run: no memory, or no /proc."""

    exit_code = ExitCode.INTERNAL


def fault_of_surroundings(error: BaseException) -> FakeFaceError | None:
    """What to say instead of a traceback; None where `error` is none of these faults."""
    if isinstance(error, FileNotFoundError) and _folder_is_gone():
        return NothingToDo("the current folder was deleted; cd to one that is there, and try again")
    if any(map(_is_memory, _chain(error))):
        return PoorSurroundings(f"not enough memory{_limit()}; nothing was replaced")
    if sys.platform == "linux" and not os.path.exists(_PROC):
        return PoorSurroundings(f"{_PROC} is missing ({_first_line(error)}); {_MOUNT}")
    return None


def require_proc() -> None:
    """Raise PoorSurroundings on a Linux without /proc, where torch fails in its own words."""
    if sys.platform == "linux" and not os.path.exists(_PROC):
        raise PoorSurroundings(f"{_PROC} is missing, and torch needs it; {_MOUNT}")


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    said = str(error).lower()
    known = isinstance(error, ImportError | OSError | RuntimeError)
    return known and any(words in said for words in _NO_MEMORY)


def _limit() -> str:
    """How much this process may have, where somebody has limited it."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return "; close other programs, or use a smaller --batch-size"
    return f": this process may have {most / 1e9:.1f} GB of addresses; raise it (ulimit -v)"


def _first_line(error: BaseException) -> str:
    said = str(error).splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
