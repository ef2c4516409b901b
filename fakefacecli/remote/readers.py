"""Threads that wait for stores, so that many requests are on their way at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

STEP_S = 0.1
_JOIN_S = 1.0

T = TypeVar("T")
R = TypeVar("R")


class Readers(Generic[T, R]):
    """`count` threads that do `work` for what is handed to them, until `close`.

    They are daemons: a server that does not answer must not keep a run from ending, as the threads
    of concurrent.futures would.
    """

    def __init__(self, work: Callable[[T], R], count: int):
        self._work, self._count = work, count
        self._jobs: SimpleQueue[tuple[T, Future[R]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def begin(self, item: T) -> "Future[R]":
        """Have the work for `item` done; its future has the answer, or what the work raised."""
        if len(self._threads) < self._count:
            self._threads.append(threading.Thread(target=self._serve, daemon=True))
            self._threads[-1].start()
        future: Future[R] = Future()
        self._jobs.put((item, future))
        return future

    def close(self) -> None:
        """Begin nothing more, and wait a moment for what is under way."""
        while not self._jobs.empty():
            self._jobs.get()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(_JOIN_S / self._count)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            item, future = job
            try:
                future.set_result(self._work(item))
            except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
                future.set_exception(error)


def awaited(future: "Future[R]", stop: Callable[[], None]) -> R:
    """The answer of a future; `stop` is called meanwhile, and may raise."""
    while True:
        stop()
        try:
            return future.result(STEP_S)
        except TimeoutError:
            if future.done():  # it is the work's own
                raise
