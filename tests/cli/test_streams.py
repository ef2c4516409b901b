"""Streams that are closed, full or without an end."""

import pathlib
import resource
import subprocess
from typing import Any

import pytest

from fakefacecli.base.errors import ExitCode
from fakefacecli.scan.listing import LISTING_BYTES
from tests.builders import put
from tests.command import COMMAND, SMALL, fakeface, rows, start

CLOSED: dict[str, tuple[str, tuple[str, ...], int]] = {
    "stdin": ("<&-", (), ExitCode.COMPLETE),
    "a listing on stdin": ("<&-", ("--files-from", "-"), ExitCode.COMPLETE),
    "stdout": (">&-", (), ExitCode.COMPLETE),
    "a report on stdout": (">&-", ("--report", "-"), ExitCode.CANNOT_WRITE),
    "stderr under a bar": ("2>&-", ("--progress", "on"), ExitCode.COMPLETE),
    "a full disk under the bar": ("2>/dev/full", ("--progress", "on"), ExitCode.COMPLETE),
    "all": ("<&- >&- 2>&-", ("--progress", "on"), ExitCode.COMPLETE),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_a_closed_stream_neither_fails_a_run_nor_shows_a_traceback(
    tmp_path: pathlib.Path, kind: str
) -> None:
    how, flags, code = CLOSED[kind]
    put(tmp_path / "in" / "a.jpg")
    files = [tmp_path / "in", "--report", tmp_path / "out.csv"]
    command = [*COMMAND, "scan", *files, "--model", SMALL, *flags]
    shell = ["sh", "-c", f'exec "$@" {how}', "sh", *map(str, command)]
    done = subprocess.run(shell, capture_output=True, check=False, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == ExitCode.COMPLETE:
        [row] = rows(tmp_path / "out.csv")
        assert row["status"] == "ok"


def test_a_reader_of_the_talk_that_goes_away_ends_nothing(tmp_path: pathlib.Path) -> None:
    for index in range(10):
        put(tmp_path / "in" / f"{index}.jpg")
    flags = ("--report", tmp_path / "out.csv", "--progress", "on", "--batch-size", 1)
    with start("scan", tmp_path / "in", *flags) as process:
        assert process.stderr is not None
        process.stderr.read(1)
        process.stderr.close()
        process.wait(60)
    assert process.returncode == ExitCode.COMPLETE
    assert len(rows(tmp_path / "out.csv")) == 10


def test_a_listing_without_an_end_is_refused() -> None:
    def bounded() -> None:
        most = 16 * LISTING_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    how: dict[str, Any] = {"timeout": 60, "preexec_fn": bounded}
    for flags in ((), ("-0",)):
        done = fakeface("scan", "--files-from", "/dev/zero", *flags, **how)
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert done.stderr.count("\n") == 1
        assert "MiB" in done.stderr
