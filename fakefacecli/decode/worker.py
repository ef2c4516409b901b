"""The child's side: started by `decode.process`, reads jobs from its socket until that closes.

Never imports torch, nor anything that costs start-up time beyond numpy and Pillow.
"""

import contextlib
import importlib
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fakefacecli.base.child import die_with
from fakefacecli.decode import wire

_PRELOADED = (
    *("JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin", "GifImagePlugin"),
    "ImageCms",
)


def main(arguments: list[str]) -> None:
    """Serve the socket `arguments[0]` on behalf of the process `arguments[1]`."""
    descriptor, parent = map(int, arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # the scan decides when its workers end
        signal.signal(number, signal.SIG_IGN)
    die_with(parent)
    with socket.socket(fileno=descriptor) as pipe, contextlib.suppress(EOFError, OSError):
        orders = _received(pipe)
        try:
            decode, limits = _made_ready(orders)
        except Exception as error:  # noqa: BLE001  (the scan tells it: this run cannot go on)
            pipe.sendall(wire.packed({"kind": "broken", "why": repr(error)[:300]}))
            return
        pipe.sendall(wire.packed({"kind": "ready"}))
        while True:
            _serve(pipe, decode, limits, _received(pipe))


def _made_ready(orders: dict[str, Any]) -> tuple[Callable[..., object], Any]:
    from fakefacecli.decode.image import DecodeLimits

    module, _, function = orders["function"].partition(":")
    decode = getattr(importlib.import_module(module), function)
    for plugin in _PRELOADED:  # before the limit below, and off the first file's clock
        importlib.import_module(f"PIL.{plugin}")
    limits = DecodeLimits(**orders["limits"])
    _ = limits.lists  # read before the first file's clock runs, and refused now
    limit_memory(limits.memory_budget)
    return decode, limits


def _serve(
    pipe: socket.socket, decode: Callable[..., object], limits: Any, job: dict[str, Any]
) -> None:
    from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
    from fakefacecli.base.verdicts import ErrorCode
    from fakefacecli.decode.image import needs_too_much

    ref = ImageRef(job["index"], job["path"], job["name"])
    answer: object
    try:
        answer = decode(ref, replace(limits, begins=_Asking(pipe)))
    except MemoryError:
        answer = Unreadable(ref, ErrorCode.TOO_LARGE, needs_too_much(limits))
    except Exception:  # noqa: BLE001  (a decoder that breaks its promise: the scan gives it a row)
        answer = None
    pipe.sendall(wire.packed(wire.answer_header(answer)))
    if isinstance(answer, DecodedImage):
        for picture in answer.all_frames:
            pipe.sendall(picture.pixels.data.cast("B"))


class _Asking:
    """Tells the scan how many pixels a file will be, and waits for its word to go on."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._said = wire.FEW_PIXELS

    def __call__(self, pixels: int) -> None:
        if pixels > self._said:
            self._said = pixels
            self._pipe.sendall(wire.packed({"kind": "begins", "pixels": pixels}))
            _received(self._pipe)


def _received(pipe: socket.socket) -> dict[str, Any]:
    head = _exactly(pipe, wire.LENGTH_BYTES)
    return wire.unpacked(_exactly(pipe, wire.length(head)))


def _exactly(pipe: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = pipe.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def limit_memory(budget: int) -> None:
    """Let this process grow by `budget` bytes, where the system says how large it is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm", "rb") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return
    most = used + budget
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
