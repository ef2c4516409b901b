"""What can go wrong with a run, and the exit code each case ends in.

A bad image is never one of these: it is a row (`records.Unreadable`). Messages carry names as the
system has them; `console.complain` makes them printable.
"""

import signal
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `fakeface`; the help of `fakeface scan` prints `EXIT_CODE_MEANINGS`."""

    # part of the interface: scripts rely on these numbers, so none of them changes its meaning
    COMPLETE = 0
    INTERNAL = 1
    USAGE = 2
    SOME_UNREADABLE = 3
    NOTHING_TO_DO = 4
    MODEL_REFUSED = 5
    LOCKED = 6
    CANNOT_WRITE = 7
    FAIL_ON = 10
    FAIL_ON_AND_UNREADABLE = 13  # 10 + 3
    # as shells report a process that a signal ended: 128 + its number
    SIGINT = 130
    SIGTERM = 143


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.COMPLETE: "complete: every input was read and reported",
    ExitCode.INTERNAL: "unexpected internal error",
    ExitCode.USAGE: "wrong usage",
    ExitCode.SOME_UNREADABLE: "complete, but some inputs could not be read: their rows say why",
    ExitCode.NOTHING_TO_DO: "nothing to do: an input path is missing, or holds no image",
    ExitCode.MODEL_REFUSED: "model, calibration or configuration missing, damaged or refused",
    ExitCode.LOCKED: "another run holds the lock of this report or state",
    ExitCode.CANNOT_WRITE: "the report or the overlays cannot be written, or the reader of stdout "
    "went away (--report - | head -1); the old report is intact",
    ExitCode.FAIL_ON: "--fail-on matched",
    ExitCode.FAIL_ON_AND_UNREADABLE: "--fail-on matched, and some inputs could not be read",
    ExitCode.SIGINT: "interrupted by SIGINT; --resume continues",
    ExitCode.SIGTERM: "interrupted by SIGTERM; --resume continues",
}


class FakeFaceError(Exception):
    """A run that cannot go on. The text says what was found, what was wanted, what to do."""

    exit_code = ExitCode.INTERNAL


class UsageError(FakeFaceError):
    """Flags that contradict each other or cannot be read."""

    exit_code = ExitCode.USAGE


class NothingToDo(FakeFaceError):
    """An input path is missing, or no input holds an image."""

    exit_code = ExitCode.NOTHING_TO_DO


class ModelRefused(FakeFaceError):
    """A checkpoint, its card or the configuration is missing, damaged or not ours."""

    exit_code = ExitCode.MODEL_REFUSED


class Locked(FakeFaceError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class CannotWrite(FakeFaceError):
    """The report, the journal or an overlay cannot be written."""

    exit_code = ExitCode.CANNOT_WRITE


class DeviceFull(FakeFaceError):
    """Not even one face at a time fits the device's memory."""

    def __init__(self) -> None:
        super().__init__(
            "one face alone does not fit the device's memory; free memory or use --device cpu"
        )


class Interrupted(FakeFaceError):
    """A signal asked the run to stop. `number` is SIGINT's or SIGTERM's."""

    def __init__(self, number: int, more: str = ""):
        super().__init__(f"stopped by {signal.Signals(number).name}{more}")
        self.number = number
        self.exit_code = ExitCode(128 + number)

    def resumable(self) -> "Interrupted":
        """The same, of a run that left a journal."""
        return Interrupted(self.number, "; no report was replaced; --resume goes on from here")
