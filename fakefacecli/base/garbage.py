"""Python's garbage collector, which has nothing to find while a process starts or ends.

What modules and models are made of stays for the life of a process. The collector looks at it
again and again: in a scan of one photograph it took a fifth of the time of the imports, and one
second at the end.
"""

import contextlib
import gc
import threading
from collections.abc import Iterator


class _Collector:
    """Switches the collector off while anybody wants it off, on whatever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._was_on = True
        self._spared = False

    @contextlib.contextmanager
    def held(self, spare: bool) -> Iterator[None]:
        with self._lock:
            if self._holders == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                if spare and not self._spared:
                    self._spared = True
                    gc.freeze()
                self._holders -= 1
                if self._holders == 0 and self._was_on:
                    gc.enable()


_COLLECTOR = _Collector()


def collected_later(spare: bool = False) -> contextlib.AbstractContextManager[None]:
    """Inside, nothing is collected; what has no reference any more is freed as always.

    With `spare` all objects that are there at the end are left alone for good. That happens once
    in a process: in one that loads model after model, the later ones must be collected.
    """
    return _COLLECTOR.held(spare)


def never_collected() -> None:
    """Leave everything alone from here on, for a process that ends now."""
    gc.disable()
    gc.freeze()
