import os
import pathlib
import subprocess
import sys

import pytest

from fakefacecli.base.errors import CannotWrite, Locked
from fakefacecli.base.lock import locked

HOLD = """
import sys, time
from fakefacecli.base.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(target: pathlib.Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_the_firsts_pid(tmp_path: pathlib.Path) -> None:
    with holder(tmp_path / "out.csv") as process:
        try:
            with (
                pytest.raises(Locked, match=f"pid {process.pid}"),
                locked(str(tmp_path / "out.csv")),
            ):
                pytest.fail("the lock was not held")
        finally:
            process.kill()


def test_a_lock_left_by_a_killed_run_is_taken_over(tmp_path: pathlib.Path) -> None:
    with holder(tmp_path / "out.csv") as process:
        process.kill()
    assert (tmp_path / "out.csv.lock").exists()
    with locked(str(tmp_path / "out.csv")):
        assert (tmp_path / "out.csv.lock").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "out.csv.lock").exists()


def test_a_lock_that_cannot_be_made_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CannotWrite, match=r"out\.csv"), locked(str(tmp_path / "no" / "out.csv")):
        pytest.fail("there is no such folder")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "dangling", "hard link", "file"])
def test_what_is_no_lock_is_refused_and_stays(tmp_path: pathlib.Path, kind: str) -> None:
    lock, precious = tmp_path / "out.csv.lock", tmp_path / "precious"
    precious.write_text("12345 precious\n")
    if kind == "folder":
        lock.mkdir()
    elif kind == "pipe":
        os.mkfifo(lock)
    elif kind in ("link", "dangling"):
        lock.symlink_to(precious if kind == "link" else tmp_path / "nowhere")
    elif kind == "hard link":
        lock.hardlink_to(precious)
    else:
        lock.write_text("a list of locks")
    with (
        pytest.raises(CannotWrite, match="not fakeface's"),
        locked(str(tmp_path / "out.csv")),
    ):
        pytest.fail("that was no lock")
    assert precious.read_text() == "12345 precious\n"
    assert lock.lstat()
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_that_a_power_cut_left_is_taken_over(tmp_path: pathlib.Path) -> None:
    for rest in (b"", b"\0\0\0\0", b"4711", b"4711\n"):
        (tmp_path / "out.csv.lock").write_bytes(rest)
        with locked(str(tmp_path / "out.csv")):
            assert (tmp_path / "out.csv.lock").read_text() == f"{os.getpid()}\n"
