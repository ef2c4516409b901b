"""`python -m tests.preloaded FD`: forks a `fakeface` per request, with its imports already done.

Importing torch and the rest takes 4 seconds of CPU time, and the tests start some 300 commands.
A child here is a process of its own like any other: pid, signals, exit status, working directory,
environment, open files. What an interpreter reads only as it starts (PYTHONPATH, resource limits,
what `/proc` shows of the command line and the environment) needs a cold start.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

_AHEAD = (
    *("torch", "torchvision", "facenet_pytorch", "pytorch_grad_cam", "cv2", "numpy"),
    *("PIL.Image", "PIL.ImageDraw", "PIL.ImageFont", "PIL.ImageOps", "safetensors.torch"),
    *("tqdm", "rich.console", "rich.table", "sqlite3", "fakefacecli.cli.app"),
)


def main() -> None:
    """Serve the socket whose number is sys.argv[1] until its other end closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    if os.fork():  # to be nobody's child: tests count the children of pytest
        os._exit(0)
    for name in _AHEAD:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()
    request = _serve(control)
    control.close()
    if request is not None:
        _become(request)
        _end(_run())


def _run() -> int:
    try:
        runpy.run_module("fakefacecli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001  (an interpreter does so too)
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> NoReturn:
    """End as an interpreter does, but leave the modules: to take torch apart takes 0.4 seconds."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what is open still has its ResourceWarning
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    os._exit(code)


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork and bury children until the socket closes; None then, in a child its request."""
    running: dict[int, tuple[int, socket.socket]] = {}
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    control.send(b"ready")
    while True:
        for key, _ in selector.select():
            if key.fileobj is not control:
                descriptor = int(key.fd)
                pid, asker = running.pop(descriptor)
                selector.unregister(descriptor)
                os.close(descriptor)
                with asker, contextlib.suppress(OSError):
                    asker.send(str(os.waitpid(pid, 0)[1]).encode())
                continue
            text, (*streams, answer) = _received(control)
            if not text:  # pytest is gone
                for pid, _ in running.values():
                    os.kill(pid, signal.SIGKILL)
                return None
            pid = os.fork()
            if not pid:
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                selector.close()
                for _, asker in running.values():
                    asker.close()
                request: dict[str, Any] = json.loads(text)
                return request
            for stream in streams:
                os.close(stream)
            asker = socket.socket(fileno=answer)
            asker.send(str(pid).encode())
            descriptor = os.pidfd_open(pid)
            running[descriptor] = pid, asker
            selector.register(descriptor, selectors.EVENT_READ)


def _received(control: socket.socket) -> tuple[bytes, list[int]]:
    text, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 4)
    return text, descriptors or [-1]


def _become(request: dict[str, Any]) -> None:
    """Be as a process that was just started for `request`."""
    os.closerange(3, 1024)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]
    sys.argv[1:] = request["args"]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


if __name__ == "__main__":
    main()
