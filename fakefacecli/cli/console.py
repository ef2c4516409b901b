"""Messages on stderr, and the one place where errors and signals become exit codes."""

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

from fakefacecli.base.errors import ExitCode, FakeFaceError, Interrupted
from fakefacecli.base.surroundings import fault_of_surroundings
from fakefacecli.base.text import printable
from fakefacecli.cli.streams import sturdy_streams, to_stdout

P = ParamSpec("P")

# after a signal a run ends before its next step. A step that takes longer than this is cut off, so
# that the run ends within the 5 seconds the documentation promises. It may be cut off anywhere: the
# journal is complete after every line
_GRACE_SECONDS = 4.0


def error_boundary(command: Callable[P, ExitCode | None]) -> Callable[P, None]:
    """Turn what `command` returns or raises into one line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with sturdy_streams():
            code = code_of(*args, **kwargs)
        # an exception, because typer ignores what a command returns
        raise typer.Exit(int(code))

    def code_of(*args: P.args, **kwargs: P.kwargs) -> ExitCode:
        try:
            _let_interrupts_be_raised()
            code = command(*args, **kwargs) or ExitCode.COMPLETE
            sys.stdout.flush()  # a full disk may be noticed only now
        except FakeFaceError as error:
            complain(str(error))
            code = error.exit_code
        except (typer.Exit, typer.Abort):  # typer's own way to end, no error
            raise
        except KeyboardInterrupt:  # outside `stoppable`: nothing was begun
            complain("stopped by SIGINT")
            code = ExitCode.SIGINT
        except Exception as error:  # noqa: BLE001 - the boundary: anything else is a bug of ours
            code = _unexpected(error)
        return code

    return run


def _let_interrupts_be_raised() -> None:
    # until here Ctrl-C ended the process at once (__main__). A command may have to clean up
    if getattr(signal.getsignal(signal.SIGINT), "__module__", "") == "fakefacecli.__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _unexpected(error: Exception) -> ExitCode:
    fault = fault_of_surroundings(error)
    if fault:
        complain(str(fault))
        return fault.exit_code
    for line in traceback.format_exc().splitlines():
        complain(line)
    complain("internal error; please report the lines above")
    return ExitCode.INTERNAL


def start(app: Callable[[], None]) -> None:
    """Run a whole command line."""
    # around `error_boundary`, because typer itself prints --help and wrong usage: where stdout is
    # full or closed, they end with the same exit code as a report
    with sturdy_streams():
        try:
            app()
        except FakeFaceError as error:
            complain(str(error))
            sys.exit(int(error.exit_code))
        except Exception as error:  # noqa: BLE001 - as in `error_boundary`, outside any command
            sys.exit(int(_unexpected(error)))


def complain(line: str) -> None:
    """One line on stderr, inside `error_boundary`; names in it are as the system has them.

    They are made printable here and nowhere before: twice would double the backslashes.
    """
    print(f"fakeface: {printable(line)}", file=sys.stderr, flush=True)  # noqa: T201


def say(text: str) -> None:
    """Report text to stdout, at once; CannotWrite when its reader is gone or the disk is full."""
    to_stdout(text.encode("utf-8"))


@contextlib.contextmanager
def stoppable(
    grace_s: float = _GRACE_SECONDS, last_words: str = "no report was replaced"
) -> Iterator[Callable[[], None]]:
    """Let SIGINT and SIGTERM end the block at its next step: it calls the function that it gets.

    After a signal that function raises Interrupted. A second signal, or a step that takes longer
    than `grace_s` seconds, ends the process at once, with the `last_words`. Decoder processes end
    with it either way.
    """
    got: list[int] = []
    timers: list[threading.Timer] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        # nothing is raised here: a handler runs between any two instructions, also between the
        # writing of a file and the line that notes it
        if got:
            _die(number, last_words)
        got.append(number)
        timer = threading.Timer(grace_s, _die, (number, last_words))
        timer.daemon = True  # a run that ends in time does not wait for its timer
        timers.append(timer)
        timer.start()

    def stop() -> None:
        if got:
            raise Interrupted(got[0])

    # put back at the end, for what else this process does: tests run many commands in one
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


def _die(number: int, words: str) -> NoReturn:
    # not `complain`: print is not safe here, the signal may have come in the middle of another one
    with contextlib.suppress(OSError):
        os.write(2, f"fakeface: stopped at once; {printable(words)}\n".encode())
    # not sys.exit, which would wait for the very threads that do not end
    os._exit(128 + number)
