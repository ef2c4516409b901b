"""The state as a file: locked, spoilt, full, killed; never half written."""

import contextlib
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

import pytest

from fakefacecli.base.errors import CannotWrite, ExitCode
from fakefacecli.base.lock import locked
from fakefacecli.state.upkeep import read_stats
from tests import builders
from tests.builders import PHOTOS
from tests.command import fakeface
from tests.state.samples import judged, opened


def test_exit_6_while_another_run_holds_the_state(
    tmp_path: pathlib.Path, state: pathlib.Path
) -> None:
    (tmp_path / "link.db").symlink_to(state)
    with locked(str(state)):
        for name in (state, tmp_path / "link.db"):
            done = fakeface("scan", PHOTOS, "--state", name)
            assert done.returncode == ExitCode.LOCKED, done.stderr
            assert f"pid {os.getpid()}" in done.stderr
        done = fakeface("state", "prune", state, "--missing")
        assert done.returncode == ExitCode.LOCKED
        assert fakeface("state", "stats", state).returncode == ExitCode.COMPLETE


def spoil(state: pathlib.Path, how: str) -> None:
    data = bytearray(state.read_bytes())
    if how == "text":
        data = bytearray(b"path,sha256\n" * 200)
    elif how == "cut":
        del data[len(data) // 2 :]
    elif how == "overwritten":
        data[4096:8192] = random.Random(1).randbytes(4096)
    elif how == "another program's":
        state.unlink()
    else:
        data[60:64] = (99).to_bytes(4, "big")  # SQLite keeps user_version there
    if how == "another program's":
        with contextlib.closing(sqlite3.connect(state)) as db:
            db.execute("CREATE TABLE files (path)")
    else:
        state.write_bytes(data)


@pytest.mark.parametrize("how", ["text", "cut", "overwritten", "another program's", "newer"])
def test_exit_5_is_a_file_that_is_no_sound_state(
    tmp_path: pathlib.Path, state: pathlib.Path, how: str
) -> None:
    spoil(state, how)
    spoilt = state.read_bytes()
    (tmp_path / "o.csv").write_text("old")
    (tmp_path / "o.csv.journal").write_text("an interrupted run's")
    scan = ("scan", PHOTOS, "--state", state, "--report", tmp_path / "o.csv")
    for command in (scan, ("state", "stats", state), ("state", "prune", state, "--missing")):
        done = fakeface(*command)
        assert done.returncode == ExitCode.MODEL_REFUSED, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "state.db" in done.stderr
        assert "another file" in done.stderr
    assert state.read_bytes() == spoilt
    assert (tmp_path / "o.csv").read_text() == "old"
    assert (tmp_path / "o.csv.journal").read_text() == "an interrupted run's"


def test_exit_7_is_a_state_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "no" / "state.db", tmp_path, tmp_path / "pipe", "/dev/full"):
        done = fakeface("scan", PHOTOS, "--state", place, timeout=20)
        assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_full_disk_under_the_state_is_told(tmp_path: pathlib.Path) -> None:
    with opened(tmp_path / "s.db") as state:
        state._db.execute("PRAGMA max_page_count = 12")
        with pytest.raises(CannotWrite, match=r"s\.db.*full"):
            for number in range(1000):
                state.add(judged(tmp_path, f"{number}.jpg", f"{number}".encode()))
            state.save()


def test_the_state_cannot_be_a_file_of_the_report(tmp_path: pathlib.Path) -> None:
    (tmp_path / "o.csv.journal").write_text("an interrupted run's")
    report = tmp_path / "o.csv"
    for name in (report, f"{report}.journal"):
        done = fakeface("scan", PHOTOS, "--report", report, "--state", name)
        assert done.returncode == ExitCode.USAGE, done.stderr
    assert (tmp_path / "o.csv.journal").read_text() == "an interrupted run's"


ADD_FOREVER = """
import pathlib, sys
from tests.state.samples import judged, opened
folder = pathlib.Path(sys.argv[1])
with opened(folder / "s.db") as state:
    print("open", flush=True)
    for number in range(10**6):
        state.add(judged(folder, f"{number % 500}.jpg", f"{sys.argv[2]} {number}".encode()))
        if number % 20 == 0:
            state.save()
"""


def test_kill_9_at_random_moments_leaves_a_sound_state(tmp_path: pathlib.Path) -> None:
    chance, before = random.Random(20261121), 0
    for turn in range(8):
        command = [sys.executable, "-c", ADD_FOREVER, str(tmp_path), str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=builders.ROOT) as process:
            assert process.stdout is not None
            if turn % 2:  # half of them while the file is opened or made
                process.stdout.readline()
            time.sleep(chance.random() * (0.3 if turn % 2 else 1.5))
            process.kill()
        if (tmp_path / "s.db").exists():
            with opened(tmp_path / "s.db"):
                verdicts = read_stats(str(tmp_path / "s.db")).verdicts
            assert verdicts >= before
            before = verdicts
    assert before > 0
