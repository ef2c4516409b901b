"""Talking to people on stderr, and the one place where errors and signals become exit codes."""

import contextlib
import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn, ParamSpec

import typer

from fakefacecli.errors import CannotWrite, ExitCode, FakeFaceError, Interrupted
from fakefacecli.text import printable

P = ParamSpec("P")

# a signalled run ends between two steps; should a step take longer, it is cut off here, well
# inside the 5 seconds promised: the journal is whole after every line
_GRACE_SECONDS = 4.0


def told(command: Callable[P, ExitCode | None]) -> Callable[P, None]:
    """Turn what `command` returns or raises into one line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs) or ExitCode.COMPLETE
        except FakeFaceError as error:
            complain(str(error))
            code = error.exit_code
        except (typer.Exit, typer.Abort):
            raise
        except Exception:  # noqa: BLE001 - the boundary: anything else is a bug of ours
            for line in traceback.format_exc().splitlines():
                complain(printable(line))
            complain("internal error; please report the lines above")
            code = ExitCode.INTERNAL
        raise typer.Exit(int(code))

    return run


def complain(line: str) -> None:
    """One line on stderr, if there still is one."""
    with contextlib.suppress(OSError, ValueError):
        print(f"fakeface: {line}", file=sys.stderr, flush=True)  # noqa: T201


def say(text: str) -> None:
    """Report text to stdout, at once; CannotWrite when its reader is gone or the disk is full."""
    try:
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
    except OSError as error:
        # the interpreter flushes stdout once more on its way out, which must not fail again
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise CannotWrite("the reader of the report on stdout went away") from None
        why = (error.strerror or "failed").lower()
        raise CannotWrite(f"cannot write the report to stdout: {why}") from None


@contextlib.contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Let SIGINT and SIGTERM end the block in order: the function given raises Interrupted then.

    A second signal ends the process at once. Decoder processes die with it either way.
    """
    got: list[int] = []
    timers: list[threading.Timer] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if got:
            _die(number)
        got.append(number)
        timer = threading.Timer(_GRACE_SECONDS, _die, (number,))
        timer.daemon = True
        timers.append(timer)
        timer.start()

    def stop() -> None:
        if got:
            raise Interrupted(got[0])

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _die(number: int) -> NoReturn:
    os._exit(128 + number)
