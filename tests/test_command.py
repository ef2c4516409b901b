"""A command that is forked does what one does that is started cold."""

import os
import pathlib
import signal
import time

import psutil
import pytest

from tests.builders import PHOTOS
from tests.command import FORKS, fakeface, json_lines, start

pytestmark = pytest.mark.skipif(not FORKS, reason="needs Linux")


@pytest.mark.parametrize(
    "command", ["", "--version", "scan --help", "schema", "scan gone.jpg", "scan --nonsense"]
)
def test_what_is_said_and_the_exit_code_are_the_same(tmp_path: pathlib.Path, command: str) -> None:
    forked, cold = (fakeface(*command.split(), cwd=tmp_path, cold=cold) for cold in (False, True))
    assert (forked.returncode, forked.stdout) == (cold.returncode, cold.stdout)
    assert forked.stderr == cold.stderr


def test_a_scan_gives_the_same_rows(tmp_path: pathlib.Path) -> None:
    found = []
    for cold in (False, True):
        listing = os.fsencode(PHOTOS / "official_003.jpg")
        flags = ("--files-from", "-", "--report", "-")
        done = fakeface("scan", *flags, stdin=listing, cwd=tmp_path, cold=cold)
        [row], header = json_lines(done.stdout)
        for key in ("run_id", "elapsed_ms"):
            del row[key]
        found.append((row, header["options"]))
    assert found[0] == found[1]


def test_a_forked_command_is_a_process_with_its_own_streams_folder_and_signals(
    tmp_path: pathlib.Path,
) -> None:
    os.mkfifo(tmp_path / "list")
    with start("scan", "--files-from", tmp_path / "list", cwd=tmp_path) as process:
        seen = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        while seen.cwd() != str(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert seen.cwd() == str(tmp_path)
        assert process.poll() is None
        open_files = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
        assert open_files[0] == os.devnull
        assert open_files[1].startswith("pipe:")
        assert open_files[1] != open_files[2]
        process.kill()
        assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)
    assert seen not in psutil.Process().children(recursive=True)
