"""The scan's side of one worker process: start it, ask it about a file, watch its deadline."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fakefacecli.base import errors
from fakefacecli.base.child import interpreter
from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
from fakefacecli.decode import wire
from fakefacecli.decode.image import DecodeLimits

STEP_S = 0.1  # how long any wait lasts before it looks whether it is still wanted
START_S = 60.0  # a worker needs 0.2 s; on a machine that swaps, far more
BURIAL_S = 5.0
_WORKER = "from fakefacecli.decode.worker import main; main(sys.argv[1:])"


class Late(Exception):
    """The deadline passed without an answer."""


class Gone(Exception):
    """The process ended, or closed its socket, without an answer."""


class GivenUp(Exception):
    """Nobody wants the answer any more."""


class Patience:
    """Seconds that may be waited; raises Late once they are spent, GivenUp once `unwanted()`.

    One wait never counts for more than two steps: a scan that was stopped with Ctrl-Z had its
    workers stopped too, and must not blame their files when it goes on.
    """

    def __init__(self, seconds: float, unwanted: Callable[[], bool]):
        self._left = seconds
        self._unwanted = unwanted

    def spend(self, seconds: float) -> None:
        if self._unwanted():
            raise GivenUp
        self._left -= min(seconds, 2 * STEP_S)
        if self._left <= 0.0:
            raise Late


class WorkerProcess:
    """One process and the socket to it. Any exception of `ask` leaves it fit only for `kill`.

    Only the thread that made it may use it, and must outlive it: on Linux the process dies with
    the thread that started it.
    """

    def __init__(self, limits: DecodeLimits, function: str, unwanted: Callable[[], bool]):
        self._limits = limits
        # a socket and not two pipes: both ways in one, and no wait on it is without an end
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(STEP_S)
        try:
            with theirs:
                self._process = _started(theirs.fileno())
        except OSError as error:
            self._socket.close()
            raise _no_start(error.strerror or type(error).__name__) from error
        try:
            plain = {name: value for name, value in asdict(limits).items() if name != "begins"}
            self._say({"function": function, "limits": plain})
            said = self._header(Patience(START_S, unwanted))
        except (Gone, Late, wire.Garbled) as error:
            raise _no_start(self.bury()) from error
        except GivenUp:
            self.kill()
            raise
        if said.get("kind") != "ready":
            self.kill()
            raise _no_start(str(said.get("why")))

    @property
    def alive(self) -> bool:
        """False once the process has ended."""
        return self._process.poll() is None

    def ask(
        self,
        ref: ImageRef,
        unwanted: Callable[[], bool],
        begin: Callable[[int], None],
        make_room: Callable[[int], None],
    ) -> DecodedImage | Unreadable:
        """The worker's answer about `ref`.

        `begin(pixels)` may wait before they are decoded, `make_room(bytes)` before they are
        fetched. Raises Late, Gone, GivenUp, wire.Garbled.
        """
        # never what it was fetched with: this process reads bytes of strangers
        job = {"index": ref.index, "path": ref.local or ref.path, "name": ref.name}
        self._say(job)
        # waiting for memory is no fault of the file: only what its worker does counts
        patience, said = Patience(self._limits.timeout_s, unwanted), 0
        header = self._header(patience)
        while said := wire.pixels_ahead(header, said, self._limits.max_pixels):
            begin(said)
            self._say({"kind": "go"})
            header = self._header(patience)
        pictures = [
            wire.empty_pixels(size) for size in wire.shapes(header, self._limits.max_pixels)
        ]
        if pictures:
            make_room(sum(pixels.nbytes for pixels in pictures))
        # the decoding is over: what its bytes take to cross has a clock of its own
        for pixels in pictures:
            self._fill(pixels.data.cast("B"), Patience(START_S, unwanted))
        return wire.answer(header, ref, pictures)

    def bury(self) -> str:
        """After Gone: say in words how the process ended, "ended with status 3" say."""
        try:
            status = self._process.wait(2 * STEP_S)  # its socket closes a moment before it ends
        except subprocess.TimeoutExpired:
            self.kill()
            return "closed its socket"
        self._socket.close()
        if status >= 0:
            return f"ended with status {status}"
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-status, f'signal {-status}')}"

    def kill(self) -> None:
        """End the process now, whatever it does."""
        self._socket.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel, on a dead disk
            self._process.wait(BURIAL_S)

    def _say(self, header: dict[str, Any]) -> None:
        try:
            self._socket.sendall(wire.packed(header))
        except OSError as error:  # TimeoutError too: an idle worker takes a job at once
            raise Gone from error

    def _header(self, patience: Patience) -> dict[str, Any]:
        head = bytearray(wire.LENGTH_BYTES)
        self._fill(memoryview(head), patience)
        body = bytearray(wire.length(head))
        self._fill(memoryview(body), patience)
        return wire.unpacked(body)

    def _fill(self, view: memoryview, patience: Patience) -> None:
        while view:
            began = time.monotonic()
            try:
                count = self._socket.recv_into(view)
                if count == 0:
                    raise Gone
            except TimeoutError:
                count = 0
                # a process forked by another thread may hold a copy of the other end: no EOF then
                if not self.alive:
                    raise Gone from None
            except ConnectionError as error:
                raise Gone from error
            view = view[count:]
            patience.spend(time.monotonic() - began)


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  (our own interpreter and code)
        interpreter(_WORKER, str(descriptor), str(os.getpid())),
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # native decoders print
        stderr=subprocess.DEVNULL,
        # read when numpy is imported; a pool of threads in each worker costs start-up and memory
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # pages of 2 MB under large pictures: a quarter of the decoding was page faults
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        },
    )


def _no_start(why: str) -> errors.FakeFaceError:
    return errors.FakeFaceError(f"a decode worker does not start: {why}")
