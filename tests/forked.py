"""The asking side of `tests.preloaded`: a Popen whose process is forked, not started anew."""

import functools
import json
import os
import select
import socket
import subprocess
import sys
from typing import Any

from tests.builders import ROOT


class ForkedProcess(subprocess.Popen[bytes]):
    """`fakeface ARGS` as `subprocess.Popen` would start it, 4 seconds of imports earlier."""

    def _execute_child(self, args: list[str], *how: Any) -> None:
        cwd, env = how[4:6]
        pipes = p2cread, _, _, c2pwrite, _, errwrite = how[9:15]
        request = {"args": args, "cwd": os.path.abspath(cwd or "."), "env": env}
        self._status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        streams = [
            number if stream == -1 else stream
            for number, stream in enumerate((p2cread, c2pwrite, errwrite))
        ]
        with theirs:
            text = json.dumps(request).encode()
            socket.send_fds(_server(), [text], [*streams, theirs.fileno()])
        self.pid = int(self._status.recv(100))
        self._child_created = True
        self._close_pipe_fds(*pipes)

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if wait_flags & os.WNOHANG and not select.select([self._status], [], [], 0)[0]:
            return 0, 0
        with self._status:
            return self.pid, int(self._status.recv(100))

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


@functools.cache
def _server() -> socket.socket:
    """The socket to this process's own server; it ends when the socket closes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-W", "error::ResourceWarning", "-m", "tests.preloaded"]
        subprocess.run(
            [*command, str(theirs.fileno())],
            check=True,
            cwd=ROOT,
            # no threads before a fork; the other two as in cli/app.py
            env={
                **os.environ,
                **{"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                **{"OMP_WAIT_POLICY": "PASSIVE", "THP_MEM_ALLOC_ENABLE": "1"},
                **{"NO_COLOR": "1", "COLUMNS": "100"},
            },
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    assert ours.recv(100) == b"ready"
    return ours
