"""How much memory the pictures of a scan may take at once, and who has to wait for it."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

from fakefacecli.base.errors import UsageError

STEP_S = 0.1  # how long a wait lasts before it asks whether it is still wanted
# bytes of a pixel while a decoder is at it (Pillow's picture, what becomes of it, and the copy that
# crosses to the scan); and while it is judged (the pixels and the detector's summed-area table)
DECODING_BYTES = 14
JUDGING_BYTES = 15
_SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_CGROUPS = "/sys/fs/cgroup"


class Memory:
    """Counts what decoders, waiting pictures and lanes hold, in bytes: at most `limit` together.

    Who works on a picture takes its bytes before and gives them back after; what waits, rests and
    is not at work. Where nothing else is at work, work on the picture that all others wait for is
    let in whatever its size: so one picture that is larger than the limit ends no run.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a limit of {limit} bytes found, wanted 1 or more")
        self.limit = limit
        self._change = threading.Condition()
        self._taken = 0
        self._at_work = 0
        self._urgent = 0

    def take(
        self,
        size: int,
        check: Callable[[], None] = lambda: None,
        urgent: Callable[[], bool] = lambda: True,
    ) -> None:
        """Wait until work of `size` bytes may begin; `check` is called meanwhile and may raise.

        `urgent` says whether all others wait for this work.
        """
        with self._change:
            while not self._fits(size, urgent()):
                waits = urgent()
                self._urgent += waits
                try:
                    self._change.wait(STEP_S)
                finally:
                    self._urgent -= waits
                check()
            self._taken += size
            self._at_work += 1

    def rest(self, size: int, left: int = 0) -> None:
        """The work that took `size` is done; `left` bytes of it go on waiting for their turn."""
        with self._change:
            self._taken += left - size
            self._at_work -= 1
            self._change.notify_all()

    def leave(self, left: int) -> None:
        """What waited is gone, or another's turn has come."""
        with self._change:
            self._taken -= left
            self._change.notify_all()

    @contextlib.contextmanager
    def held(self, size: int, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Work of `size` bytes that ends by itself, whatever else waits."""
        self.take(size, check)
        try:
            yield
        finally:
            self.rest(size)

    def _fits(self, size: int, urgent: bool) -> bool:
        if urgent and not self._at_work:
            return True
        # who is not urgent lets those who are go first
        return self._taken + size <= self.limit and (urgent or not self._urgent)


def parse_size(text: str) -> int:
    """Bytes from a number with a suffix: 2G, 512M, 1.5g; UsageError for anything else."""
    digits = text.strip().upper().removesuffix("IB").removesuffix("B")
    suffix = digits[-1:] if digits[-1:] in _SUFFIXES else ""
    try:
        size = float(digits.removesuffix(suffix)) * _SUFFIXES[suffix]
        if not 1 <= size < 1 << 60:  # NaN fails too
            raise ValueError
    except ValueError:
        raise UsageError(
            f"--max-memory {text}: wanted bytes, such as 2G or 512M (K, M, G and T are powers of "
            "1024)"
        ) from None
    return int(size)


def default_limit() -> int:
    """A quarter of the memory that this process may use: the machine's, or its cgroup's."""
    import psutil

    return max(1, min(psutil.virtual_memory().total, *_cgroup_limits()) // 4)


def _cgroup_limits(root: str = _CGROUPS, own: str = "/proc/self/cgroup") -> list[int]:
    """The limits in bytes of this process's control groups and of those above them."""
    found = [1 << 62]
    with contextlib.suppress(OSError), open(own, encoding="utf-8") as lines:
        for line in lines:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controllers not in ("", "memory"):
                continue
            # version 2 has no controllers here, version 1 a tree for each
            top = os.path.join(root, controllers)
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            parts = [part for part in path.split("/") if part]
            for count in range(len(parts) + 1):
                with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                    where = os.path.join(top, *parts[:count], name)
                    with open(where, encoding="utf-8") as handle:
                        found.append(int(handle.read()))
    return found
