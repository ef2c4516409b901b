"""A scan asks for no network and needs none."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from fakefacecli.base.errors import ExitCode
from tests.builders import put
from tests.command import COMMAND, SMALL, fakeface, rows

NOT_COMPARED = {"run_id", "elapsed_ms"}


def alike(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in found]


LISTENER = """
import os, socket, sys

def hook(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        os._exit(99)
    if event == "socket.connect" and arguments[0].family != socket.AF_UNIX:
        os._exit(99)

sys.addaudithook(hook)
from fakefacecli.cli.app import main
if sys.argv[1:] == ["phone home"]:
    socket.create_connection(("192.0.2.1", 80))
main()
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, list[dict[str, str]]]:
    """A folder of two photographs and a broken file, and the rows that a plain scan gives."""
    folder = tmp_path_factory.mktemp("plain")
    put(folder / "a.jpg")
    put(folder / "b.jpg", 300)
    (folder / "c.jpg").write_bytes(b"no picture")
    report = tmp_path_factory.mktemp("report") / "out.csv"
    assert fakeface("scan", folder, "--report", report).returncode == ExitCode.SOME_UNREADABLE
    return folder, alike(rows(report))


def test_a_scan_needs_no_network(
    tmp_path: pathlib.Path, plain: tuple[pathlib.Path, list[dict[str, str]]]
) -> None:
    folder, wanted = plain
    alone = ["unshare", *(["-n"] if os.geteuid() == 0 else ["-rn"])]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no right to make a network namespace here")
    assert subprocess.run(
        [*alone, sys.executable, "-c", "import socket; socket.create_connection(('1.1.1.1', 53))"],
        capture_output=True,
        check=False,
    ).returncode, "the namespace has a network"
    flags = ["--report", str(tmp_path / "out.csv"), "--model", SMALL]
    command = [*alone, *COMMAND, "scan", str(folder), *flags]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert alike(rows(tmp_path / "out.csv")) == wanted


def test_a_scan_asks_for_no_network(
    tmp_path: pathlib.Path, plain: tuple[pathlib.Path, list[dict[str, str]]]
) -> None:
    folder, wanted = plain
    command = [sys.executable, "-c", LISTENER]
    assert subprocess.run([*command, "phone home"], check=False).returncode == 99
    flags = ["scan", str(folder), "--report", str(tmp_path / "out.csv"), "--model", SMALL]
    done = subprocess.run([*command, *flags], capture_output=True, check=False, text=True)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert alike(rows(tmp_path / "out.csv")) == wanted
