"""The command's side of `decode.inspection`: a process of its own that reads one untrusted file."""

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fakefacecli.base.child import interpreter
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.inspection import SECTIONS

_CHILD = "from fakefacecli.decode.inspection import main; main(sys.argv[1:])"
_STEP_S = 0.1
_MOST_BYTES = 64 << 20  # of all sections; a large file's metadata are a few MB
_START_S = 30.0  # Python and its libraries, on a machine that swaps

Sections = dict[str, dict[str, Any]]


def enquire(path: str, limits: DecodeLimits, stop: Callable[[], None]) -> Sections:
    """Every section of the file at `path`: {"value": ..., "error": words or None}.

    A section that never came says why. `stop` is called every 0.1 s, and what it raises ends the
    process and leaves.
    """
    end, theirs = os.pipe()
    with os.fdopen(end, "rb", buffering=0) as pipe:
        try:
            process = _started(theirs, path, limits)
        finally:
            os.close(theirs)
        try:
            text, why = _read(pipe.fileno(), limits.timeout_s, stop)
        finally:
            process.kill()
            process.wait()
    sections = _sections(text)
    missing = [name for name in SECTIONS if name not in sections]
    if "file" in sections and sections["file"]["error"]:
        return sections
    for name in missing:
        sections[name] = {"value": None, "error": why if name == missing[0] else "not read"}
    return sections


def _started(descriptor: int, path: str, limits: DecodeLimits) -> subprocess.Popen[bytes]:
    plain = {name: value for name, value in asdict(limits).items() if name != "begins"}
    arguments = (str(descriptor), str(os.getpid()), json.dumps(plain), path)
    return subprocess.Popen(  # noqa: S603  (our own interpreter and code)
        interpreter(_CHILD, *arguments),
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # native libraries print
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def _read(descriptor: int, seconds: float, stop: Callable[[], None]) -> tuple[bytes, str]:
    """What was written until the end or the deadline, and why no more."""
    text, left, began = bytearray(), _START_S, False
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while left > 0.0:
            stop()
            since = time.monotonic()
            if selector.select(_STEP_S):
                part = os.read(descriptor, 1 << 16)
                if not part:
                    return bytes(text), "the library that read it crashed"
                text += part
                # the file's own clock starts with its first section
                left, began = (left if began else seconds), True
                if len(text) > _MOST_BYTES:
                    return bytes(text), f"more than {_MOST_BYTES >> 20} MiB of it"
            # a command that was stopped with Ctrl-Z must not blame the file when it goes on
            left -= min(time.monotonic() - since, 2 * _STEP_S)
    return bytes(text), f"reading was stopped after {seconds:g} s"


def _sections(text: bytes) -> Sections:
    """The whole lines of `text` that are sections."""
    found: Sections = {}
    for line in text.split(b"\n")[:-1]:
        try:
            said = json.loads(line)
            name, value, error = said["section"], said["value"], said["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if name in SECTIONS and (error is None or isinstance(error, str)):
            found[name] = {"value": value, "error": error}
    return found
