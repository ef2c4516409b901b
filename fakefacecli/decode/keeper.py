"""The threads behind `decode.pool`: each owns one worker process and replaces it when lost."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue

from fakefacecli.base.memory import DECODING_BYTES, Memory
from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.process import STEP_S, GivenUp, Gone, Late, WorkerProcess
from fakefacecli.decode.wire import Garbled

WAITING_BYTES = 400 << 20  # decoded pixels that may wait in this process for their turn

Answer = DecodedImage | Unreadable


class Room:
    """Counts the bytes of pixels that wait; the item whose turn it is always gets in."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._taken = 0
        self._turn = 0

    def enter(self, number: int, size: int, unwanted: Callable[[], bool]) -> None:
        """Wait until `size` bytes for item `number` fit in; raises GivenUp once `unwanted()`."""
        with self._change:
            # all the others wait for the item whose turn it is, so it must never wait for them:
            # were it held back until they make room, nobody would ever go on
            while number != self._turn and self._taken + size > WAITING_BYTES:
                if unwanted():
                    raise GivenUp
                self._change.wait(STEP_S)  # not for ever: nobody notifies when a scan is stopped
            self._taken += size

    def is_next(self, number: int) -> bool:
        """Whether it is the turn of item `number`."""
        return number == self._turn

    def leave(self, size: int) -> None:
        """The item whose turn it was is gone, and with it the `size` bytes it had entered with."""
        with self._change:
            self._taken -= size
            self._turn += 1
            self._change.notify_all()


class Job:
    """One ref on its way. `done` is set once it has an `answer` or a `failure`, or is unwanted."""

    def __init__(
        self, ref: ImageRef, number: int, room: Room, memory: Memory, closing: threading.Event
    ):
        self.ref = ref
        self.done = threading.Event()
        self.cancelled = False
        self.size = 0  # bytes of pixels that there is room for, whether they arrived or not
        self.answer: Answer | None = None
        self.failure: Exception | None = None
        self._number, self._room, self._closing = number, room, closing
        self._memory = memory
        self._decoding = self._resting = 0  # bytes of the scan's memory

    def unwanted(self) -> bool:
        return self.cancelled or self._closing.is_set()

    def begin(self, pixels: int) -> None:
        """Wait until there is memory to decode so many pixels; raises GivenUp once unwanted."""
        self.decoded()
        size = max(1, pixels) * DECODING_BYTES  # 0 would stand for not decoding
        self._memory.take(size, self._check, lambda: self._room.is_next(self._number))
        self._decoding = size

    def decoded(self, left: int = 0) -> None:
        """The decoder is done with the file, of which `left` bytes of pixels wait."""
        if self._decoding:
            self._resting = left
            self._memory.rest(self._decoding, left)
            self._decoding = 0

    def gone(self) -> None:
        """Its pixels, if any, wait no longer."""
        self._memory.leave(self._resting)
        self._resting = 0

    def _check(self) -> None:
        if self.unwanted():
            raise GivenUp

    def make_room(self, size: int) -> None:
        # before the wait for room: who has to wait for a turn is not at work
        self.decoded(size)
        self._room.enter(self._number, size, self.unwanted)
        self.size = size


class Keeper(threading.Thread):
    """Takes jobs from a queue until it finds None there; its process ends with it."""

    def __init__(
        self,
        limits: DecodeLimits,
        function: str,
        jobs: SimpleQueue[Job | None],
        closing: threading.Event,
    ):
        super().__init__(name="fakeface-decode", daemon=True)
        self._limits, self._function = limits, function
        self._jobs, self._closing = jobs, closing
        self._worker: WorkerProcess | None = None

    def run(self) -> None:
        # inherited by the process: Ctrl-C must not reach it before it can ignore it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._start_early()
            while (job := self._jobs.get()) is not None:
                self._serve(job)
        finally:
            self._drop()

    def _start_early(self) -> None:
        try:
            self._start()
        except Exception:  # noqa: BLE001  (the first job tries again, and reports it)
            self._drop()

    def _start(self) -> WorkerProcess:
        self._worker = WorkerProcess(self._limits, self._function, self._closing.is_set)
        return self._worker

    def _serve(self, job: Job) -> None:
        try:
            if not job.unwanted():
                job.answer = self._answer(job)
        except GivenUp:
            self._drop()
        except Exception as error:  # noqa: BLE001  (raised again where the answer is awaited)
            self._drop()
            job.failure = error
        finally:
            job.decoded()
            job.done.set()

    def _answer(self, job: Job) -> Answer:
        if self._worker is not None and not self._worker.alive:
            self._drop()  # it was lost between two files: neither of them is to blame
        worker = self._worker or self._start()
        try:
            return worker.ask(job.ref, job.unwanted, job.begin, job.make_room)
        except Late:
            self._drop()
            seconds = self._limits.timeout_s
            message = f"decoding was stopped after {seconds:g} s"
            return Unreadable(job.ref, ErrorCode.TIMEOUT, message, decode_ms=seconds * 1000.0)
        except Gone:
            # the process is not started again here, but by the next file's `_answer`
            how, self._worker = worker.bury(), None
            return Unreadable(job.ref, ErrorCode.DECODER_CRASHED, f"the decoder {how}")
        except Garbled:
            # what else is on the socket cannot be trusted to belong to the next file
            self._drop()
            message = "the decoder gave no usable answer"
            return Unreadable(job.ref, ErrorCode.DECODER_CRASHED, message)

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None
