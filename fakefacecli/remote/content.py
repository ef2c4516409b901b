"""The bytes of one object, read in pieces, with nothing believed of its size."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.addresses import is_web
from fakefacecli.remote.failures import Cut, Slow

PIECE_BYTES = 8 << 20
# over all pieces of an object, at one try: a server that drips must not hold a reader for ever
LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class RemoteContent:
    """An object of a store: where it is, its `size` in bytes and its version as the store has them.

    Either is unknown, None and "", where the store was not asked. The version is an ETag, or a
    time, or both.
    """

    system: Any
    path: str
    size: int | None = None
    version: str = ""
    # of an archive, whose members share one open file
    lock: AbstractContextManager[object] | None = None

    def __repr__(self) -> str:
        return f"RemoteContent({self.size}, {self.version!r})"  # the path may hold a signature

    @property
    def _is_web(self) -> bool:
        return is_web(self.path)

    def start(self, most: int) -> bytes:
        """The first `most` bytes, or fewer where there are no more. Raises what the store does."""
        if self.size == 0:
            return b""
        if self._is_web:
            return next(self._streamed(most), b"")[:most]
        with self.lock or contextlib.nullcontext():
            return bytes(self.system.cat_file(self.path, start=0, end=most))

    def pieces(self, most: int) -> Iterator[bytes]:
        """All bytes, in order, but no more than `most`; Cut, Slow, or what the store raises."""
        with self.lock or contextlib.nullcontext():
            yield from self._bounded(most)

    def _bounded(self, most: int) -> Iterator[bytes]:
        began, got = time.monotonic(), 0
        wanted = most if self.size is None else min(most, self.size + 1)
        for piece in self._streamed(wanted) if self._is_web else self._ranges(wanted):
            got += len(piece)
            yield piece[: len(piece) - max(0, got - most)]
            if time.monotonic() - began > LONGEST_S:
                raise Slow
        if self.size is not None and got < min(self.size, most):
            raise Cut

    def _ranges(self, wanted: int) -> Iterator[bytes]:
        if not wanted or self.size == 0:
            return
        # one request for most pictures; a file system's own `open` would ask for the size as well
        first = bytes(self.system.cat_file(self.path, start=0, end=min(wanted, PIECE_BYTES)))
        yield first
        got = len(first)
        if got < PIECE_BYTES or got >= wanted:
            return
        # the rest by one handle, which notices where the store can tell that the object changed
        with self.system.open(self.path, "rb", block_size=PIECE_BYTES, cache_type="none") as file:
            file.seek(got)
            while got < wanted and (piece := file.read(min(PIECE_BYTES, wanted - got))):
                got += len(piece)
                yield piece

    def _streamed(self, wanted: int) -> Iterator[bytes]:
        # of a web server, which may ignore ranges, as one stream that is left at the limit. The
        # size is none of the file: it keeps fsspec from asking for it
        with self.system.open(self.path, "rb", block_size=0, size=1) as file:
            got = 0
            while got < wanted and (piece := file.read(min(PIECE_BYTES, wanted - got))):
                got += len(piece)
                yield piece
