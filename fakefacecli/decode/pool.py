"""Decoding in worker processes: a stuck, crashed or greedy decoder costs its own file only.

A thread per worker owns one process and its socket, and processes share nothing. A pool whose
workers share one pipe stalls for good when one of them is killed while it sends: in a trial with
results of 60 MB pebble 5.2.3 did so in four runs of five, and its timeouts did not end it.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from fakefacecli.base.memory import Memory, default_limit
from fakefacecli.base.records import ImageRef
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.keeper import Answer, Job, Keeper, Room
from fakefacecli.decode.process import STEP_S

READ_IMAGE = "fakefacecli.decode.image:read_image"
_JOIN_S = 10.0  # far more than a keeper needs; a process that the kernel cannot end is left behind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Passing(Generic[T]):
    """An item that is not for the workers, in its place in the line."""

    item: T


class WorkerDecoder:
    """A `protocols.Decoder`: `workers` processes, answers in order, at most `ahead` items ahead.

    The processes start at once and live until `close`. `ahead` may be a function, which is asked
    when decoding begins: what it depends on can take longer to load than the processes. `stop` is
    called before each answer and every 0.1 s while one is awaited; what it raises leaves `decode`.
    `function` names what a worker calls for each file, "module:function", with the signature of
    `decode.image.read_image`.
    Large files wait until `memory` has room for them (a quarter of all memory where None).
    """

    def __init__(
        self,
        workers: int,
        limits: DecodeLimits,
        ahead: int | Callable[[], int] | None = None,
        *,
        stop: Callable[[], None] = lambda: None,
        function: str = READ_IMAGE,
        memory: Memory | None = None,
    ):
        if workers < 1 or (isinstance(ahead, int) and ahead < 1):
            raise ValueError(f"{workers} workers, {ahead} ahead found, wanted at least 1 of each")
        self._ahead = 2 * workers + 2 if ahead is None else ahead
        self._stop = stop
        self._memory = memory or Memory(default_limit())
        self._busy = False
        self._closing = threading.Event()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._keepers = [
            Keeper(limits, function, self._jobs, self._closing) for _ in range(workers)
        ]
        for keeper in self._keepers:
            keeper.start()

    def decode(self, items: Iterable[ImageRef | T]) -> Iterator[Answer | T]:
        """One answer per item, in order; what is no ImageRef passes through in its place.

        Raises FakeFaceError when workers do not start, RuntimeError after `close` or while another
        `decode` of this decoder is unfinished, and whatever `items` or `stop` raise.
        """
        if self._busy:
            raise RuntimeError("this decoder has another decode() unfinished")
        self._busy = True
        waiting: deque[Job | _Passing[T]] = deque()
        try:
            yield from self._in_order(items, waiting)
        finally:
            for place in waiting:
                if isinstance(place, Job):
                    place.cancelled = True
                    place.gone()
            self._busy = False

    def close(self) -> None:
        """End every worker process and thread, at work or not; returns once they are gone."""
        self._closing.set()
        for _ in self._keepers:
            self._jobs.put(None)  # wakes one keeper that waits for a job
        for keeper in self._keepers:
            keeper.join(_JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _in_order(
        self, items: Iterable[ImageRef | T], waiting: deque[Job | _Passing[T]]
    ) -> Iterator[Answer | T]:
        room = Room()
        ahead = self._ahead if isinstance(self._ahead, int) else self._ahead()
        places = (self._placed(*numbered, room) for numbered in enumerate(items))
        while True:
            # taking an item from `places` puts its job into the queue: the workers are at it while
            # the oldest answer is awaited below
            waiting.extend(itertools.islice(places, ahead - len(waiting)))
            if not waiting:
                return
            self._stop()
            place = waiting[0]
            answer = place.item if isinstance(place, _Passing) else self._awaited(place)
            waiting.popleft()
            # before the yield: the caller owns the pixels now, and may keep them for long
            room.leave(place.size if isinstance(place, Job) else 0)
            if isinstance(place, Job):
                place.gone()
            yield answer

    def _placed(self, number: int, item: ImageRef | T, room: Room) -> Job | _Passing[T]:
        if not isinstance(item, ImageRef):
            return _Passing(item)
        job = Job(item, number, room, self._memory, self._closing)
        self._jobs.put(job)
        return job

    def _awaited(self, job: Job) -> Answer:
        while not job.done.wait(STEP_S) and not self._closing.is_set():
            self._stop()
        if job.failure is not None:
            raise job.failure
        if job.answer is None:
            raise RuntimeError("this decoder was closed")
        return job.answer
