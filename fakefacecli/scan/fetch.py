"""Fetching what lies in stores, ahead of the decoder, into files that only this run reads.

The scan's own process fetches; decoder processes, which read bytes of strangers, get a file and
never a key.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from fakefacecli.base.errors import FakeFaceError
from fakefacecli.base.files import local_faults
from fakefacecli.base.protocols import Decoder
from fakefacecli.base.records import Content, DecodedImage, FileFacts, ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.remote.failures import problem_of, tried
from fakefacecli.remote.readers import Readers, awaited
from fakefacecli.scan.fetched_folder import FetchedFolder

READERS = 16  # requests at a time: each waits for the network most of the time
_AHEAD = 2 * READERS
# what an object of unknown size is taken for, as a part of the room for all of them
_GUESSED_PART = 8

T = TypeVar("T")
Arrived = ImageRef | Unreadable


class _GivenUp(FakeFaceError):
    """Nobody wants the object any more."""


class FetchingDecoder:
    """A `protocols.Decoder` that fetches each ref with a `content` before `inner` decodes it.

    An object of more than `most` bytes is too large; about `room` bytes of objects wait for their
    turn. What cannot be fetched is an `Unreadable`. `stop` is called while one is awaited.
    """

    def __init__(
        self, inner: Decoder, most: int, room: int, stop: Callable[[], None] = lambda: None
    ):
        self._inner, self._stop = inner, stop
        self._most, self._room = min(most, room), room
        self._held = 0
        self._closing = threading.Event()
        self._folder = FetchedFolder()
        self._readers = Readers(self._arrived, READERS)

    def decode(self, items: Iterable[ImageRef | T]) -> Iterator[DecodedImage | Unreadable | T]:
        """One answer per item, in order, as `inner` gives it; its file is gone by then."""
        answers: Iterator[DecodedImage | Unreadable | T] = self._inner.decode(self._fetched(items))
        for answer in answers:
            if isinstance(answer, DecodedImage | Unreadable) and answer.ref.local:
                self._folder.remove(answer.ref.local)
                self._held -= self._reserved(answer.ref.content)
                yield _of_the_store(answer)
            else:
                yield answer

    def close(self) -> None:
        """Drop what is on its way and remove all files; the inner decoder is closed as well."""
        self._closing.set()
        self._inner.close()
        self._readers.close()
        self._folder.close()

    def _fetched(self, items: Iterable[ImageRef | T]) -> Iterator[Arrived | T]:
        waiting: deque[Future[Arrived] | ImageRef | T] = deque()
        left = iter(items)
        while True:
            while not waiting or (len(waiting) < _AHEAD and self._held < self._room):
                item = next(left, None)
                if item is None:
                    break
                waiting.append(self._begun(item))
            if not waiting:
                return
            first = waiting.popleft()
            yield self._awaited(first) if isinstance(first, Future) else first

    def _begun(self, item: ImageRef | T) -> "Future[Arrived] | ImageRef | T":
        if not isinstance(item, ImageRef) or item.content is None:
            return item
        self._held += self._reserved(item.content)
        return self._readers.begin(item)

    def _awaited(self, future: "Future[Arrived]") -> Arrived:
        arrived = awaited(future, self._stop)
        if isinstance(arrived, Unreadable):
            self._held -= self._reserved(arrived.ref.content)
        return arrived

    def _reserved(self, content: Content | None) -> int:
        if content is None:
            return 0
        return min(
            self._most, self._room // _GUESSED_PART if content.size is None else content.size
        )

    def _arrived(self, ref: ImageRef) -> Arrived:
        content = ref.content
        assert content is not None  # noqa: S101 - for the type checker: `_begun` has looked
        facts = FileFacts(size=content.size)
        if content.size is not None and content.size > self._most:
            return Unreadable(ref, ErrorCode.TOO_LARGE, self._too_large(content.size), facts)
        if content.size == 0:
            return Unreadable(ref, ErrorCode.EMPTY, "the object is empty", facts)
        path = self._folder.place(ref.index)
        try:
            got = tried(lambda: self._write(content, path), self._check)
        except FakeFaceError:
            raise
        except Exception as error:  # noqa: BLE001 - what libraries of stores raise is without end
            self._folder.remove(path)
            return Unreadable(ref, *problem_of(error, "object"), facts)
        wrong = self._wrong(content, got)
        if wrong:
            self._folder.remove(path)
            return Unreadable(ref, *wrong, facts)
        return replace(ref, local=path)

    def _wrong(self, content: Content, got: int) -> tuple[ErrorCode, str] | None:
        if content.size is not None and got > content.size:
            return ErrorCode.IO_ERROR, "the object grew while it was fetched"
        return (ErrorCode.TOO_LARGE, self._too_large(None)) if got > self._most else None

    def _too_large(self, size: int | None) -> str:
        found = f"{size:,}" if size is not None else f"more than {self._most:,}"
        return f"the object has {found} bytes, at most {self._most:,} are fetched"

    def _write(self, content: Content, path: str) -> int:
        """Fetch the object into the file, from the start; the number of bytes that came."""
        pieces = content.pieces(self._most + 1)
        got = 0
        with local_faults(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "wb", buffering=0) as file:
            for piece in pieces:
                self._check()
                got += len(piece)
                with local_faults(path):
                    rest = memoryview(piece)
                    while rest:
                        rest = rest[file.write(rest) :]
        return got

    def _check(self) -> None:
        if self._closing.is_set():
            raise _GivenUp


def _of_the_store(answer: DecodedImage | Unreadable) -> DecodedImage | Unreadable:
    """The answer without the time of the file that it was fetched into."""
    facts = replace(answer.facts, mtime_ns=None)
    if isinstance(answer, Unreadable):
        return replace(answer, facts=facts)
    return replace(
        answer, facts=facts, others=tuple(replace(one, facts=facts) for one in answer.others)
    )
