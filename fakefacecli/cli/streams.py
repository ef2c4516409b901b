"""A broken stderr does not end a run, and a broken stdout ends it with exit code 7."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from fakefacecli.base.errors import CannotWrite


@contextlib.contextmanager
def sturdy_streams() -> Iterator[None]:
    """Inside, writing to stderr always works, writing to stdout works or raises CannotWrite.

    Streams that the caller closed (`2>&-`) lead to the null device. Otherwise the next file that is
    opened would get their number, and a library's message on stderr would be written into it.
    """
    stdout: Any = sys.stdout
    # `console.start` has done it already, unless a command is called without it, as in a test
    if isinstance(stdout, _Strict):
        yield
        return
    _fill_gaps()
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = before[0] or _nowhere(0, "r")
    sys.stdout = cast(TextIO, _Strict(before[1]))
    sys.stderr = cast(TextIO, _Patient(before[2] or _nowhere(2, "w")))
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def silence(stream: TextIO | None) -> None:
    """Lead a broken stream to the null device.

    Python flushes stdout and stderr once more when it exits. If that failed, it would print a
    traceback and end with exit code 120.
    """
    # AttributeError, ValueError: a stream that is None, closed or without a file
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        finally:
            os.close(nowhere)


def to_stdout(data: bytes) -> None:
    """Write `data` to stdout as it is, at once; CannotWrite when that does not work."""
    stdout: Any = sys.stdout
    (stdout if isinstance(stdout, _Strict) else _Strict(stdout)).write_bytes(data)


@contextlib.contextmanager
def reports_alone() -> Iterator[None]:
    """Inside, only `to_stdout` writes to stdout; what a library prints there is dropped."""
    before = sys.stdout
    strict = before if isinstance(before, _Strict) else _Strict(before)
    sys.stdout = cast(TextIO, _ReportsAlone(strict))
    try:
        yield
    finally:
        sys.stdout = before


class _Patient:
    """A stream for messages: once it is broken, what is written is lost, without an error."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            silence(self._stream)
            return len(text)  # "all written", or print and tqdm would fail

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Strict:
    """A stream for results: CannotWrite once its reader is gone, its disk full or it was closed."""

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        self._broken = "" if stream else "cannot write to stdout: it is closed"

    def write(self, text: str) -> int:
        with self._guarded() as stream:
            try:
                return stream.write(text)
            except UnicodeEncodeError:  # a terminal or pipe in a locale without Unicode
                return stream.write(text.encode("ascii", "backslashreplace").decode())

    def flush(self) -> None:
        if self._stream is not None:
            with self._guarded() as stream:
                stream.flush()

    def write_bytes(self, data: bytes) -> None:
        with self._guarded() as stream:
            stream.flush()  # the text printed before comes before these bytes
            stream.buffer.write(data)
            stream.buffer.flush()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[TextIO]:
        if self._stream is None or self._broken:
            raise CannotWrite(self._broken)
        try:
            yield self._stream
            return
        except BrokenPipeError:
            self._broken = "the reader of stdout went away"
        except OSError as error:
            self._broken = f"cannot write to stdout: {(error.strerror or 'failed').lower()}"
        silence(self._stream)
        # not only this time but on each further write: typer may catch the first error
        raise CannotWrite(self._broken)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _ReportsAlone(_Strict):
    """A stream for results and nothing else."""

    def __init__(self, strict: _Strict):
        self._strict = strict

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return

    def write_bytes(self, data: bytes) -> None:
        self._strict.write_bytes(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strict, name)


def _fill_gaps() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


# for a stream that Python made None because the caller had closed it; its number is filled by now
def _nowhere(number: int, mode: str) -> TextIO:
    return open(number, mode, encoding="utf-8", closefd=False)  # type: ignore[return-value]
