"""Running the real command in a process of its own."""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.forked import ForkedProcess

MEASURED = (
    *("x1", "y1", "x2", "y2", "face_px", "detection_score"),
    *("p_fake", "p_fake_min", "p_fake_max"),
)
NOT_COMPARED = {"run_id", "elapsed_ms", *MEASURED}
FORKS = hasattr(os, "pidfd_open")  # Linux
# of the networks that come with fakeface the one that a CPU judges with in a small part of the time
SMALL = "inception-resnet-v1"
_TAKE_A_MODEL = {"scan", "explain", "evaluate", "bench", "calibrate", "embed"}
COMMAND = (sys.executable, "-W", "error::ResourceWarning", "-m", "fakefacecli")


def start(
    *args: object,
    before: tuple[str, ...] = (),
    cold: bool = False,
    default_model: bool = False,
    **how: Any,
) -> subprocess.Popen[bytes]:
    """Start `fakeface ARGS`, after the words `before`; pipes, no colour, no progress bar.

    It is forked from a process that has imported everything, which saves 4 seconds, unless it is
    to be `cold` or needs a start of its own: `env` may hold what only the interpreter reads.
    Where the arguments name no model it is SMALL, unless the `default_model` matters.
    """
    cold = cold or bool(before) or not FORKS or bool(how.keys() & {"env", "preexec_fn"})
    how = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"},
        **how,
    }
    words = [os.fspath(a) if isinstance(a, pathlib.Path) else str(a) for a in args]
    names_one = {"--model", "--compare"}.intersection(words)
    if words and words[0] in _TAKE_A_MODEL and not names_one and not default_model:
        words[1:1] = ["--model", SMALL]
    if cold:
        return subprocess.Popen([*before, *COMMAND, *words], **how)
    return ForkedProcess(words, **how)


def fakeface(
    *args: object, stdin: bytes | None = None, timeout: float = 300, **how: Any
) -> subprocess.CompletedProcess[str]:
    """Run `fakeface ARGS` to its end; stdout and stderr as text."""
    if stdin is not None:
        how["stdin"] = subprocess.PIPE
    with start(*args, **how) as process:
        out, err = process.communicate(stdin, timeout=timeout)
    return subprocess.CompletedProcess(
        process.args, process.returncode, (out or b"").decode(), (err or b"").decode()
    )


def powerless(path: pathlib.Path) -> tuple[str, ...]:
    """What to put before a command so that it may not read `path`, of mode 0; or the test skips."""
    if os.geteuid() != 0:
        return ()
    words = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    test = [*words, "test", "!", "-r", str(path)]
    if shutil.which("setpriv") and not subprocess.run(test, check=False).returncode:
        return words
    pytest.skip("root reads everything, and setpriv cannot take that from it here")


def rows(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a CSV report."""
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def json_lines(text: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and run header of a JSON Lines report."""
    *lines, last = map(json.loads, text.splitlines())
    return lines, last["run"]


def assert_same(one: pathlib.Path, other: pathlib.Path) -> None:
    """Two CSV reports: the same rows in the same order, text exact, what is measured to 1e-4."""
    mine, theirs = rows(one), rows(other)
    assert [row["path"] for row in mine] == [row["path"] for row in theirs]
    for a, b in zip(mine, theirs, strict=True):
        assert {k: v for k, v in a.items() if k not in NOT_COMPARED} == {
            k: v for k, v in b.items() if k not in NOT_COMPARED
        }
        for name in MEASURED:
            assert bool(a[name]) == bool(b[name])
            assert not a[name] or float(a[name]) == pytest.approx(float(b[name]), abs=1e-4)
