"""Poor surroundings are told in one line, with a real process in each of them."""

import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.surroundings import fault_of_surroundings
from tests.builders import ROOT, put
from tests.command import COMMAND, SMALL

ENTRY = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from fakefacecli.__main__ import main; "
SCAN = ("scan", "--model", SMALL)


def run(*words: str, before: tuple[str, ...] = (), **how: object) -> tuple[int, str]:
    """Exit code and stderr of a fresh process, as the installed command starts one."""
    command = [*before, sys.executable, "-c", ENTRY + "main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **how)  # type: ignore[call-overload]
    return done.returncode, done.stderr


def test_a_deleted_current_folder_is_one_line(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "in" / "a.jpg")
    (tmp_path / "gone").mkdir()
    shell = ("sh", "-c", 'cd "$0"; rmdir "$0"; exec "$@"', str(tmp_path / "gone"))
    code, told = run(*SCAN, str(tmp_path / "in"), before=shell)
    assert (code, told.count("\n")) == (ExitCode.NOTHING_TO_DO, 1), told
    assert "current folder was deleted" in told


def test_a_system_without_proc_is_one_line(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "in" / "a.jpg")
    shell = ("unshare", "-m", "--propagation", "private", "sh", "-c", 'umount -l /proc; exec "$@"')
    if (
        not shutil.which("unshare")
        or subprocess.run([*shell, "sh", "true"], check=False).returncode
    ):
        pytest.skip("no right to take /proc away here")
    code, told = run(*SCAN, str(tmp_path / "in"), before=(*shell, "sh"))
    assert (code, told.count("\n")) == (ExitCode.INTERNAL, 1), told
    assert "mount -t proc" in told


@pytest.mark.parametrize("megabytes", [60, 400, 1500])
def test_too_little_memory_is_one_line(megabytes: int, tmp_path: pathlib.Path) -> None:
    put(tmp_path / "in" / "a.jpg")
    most = megabytes << 20

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    code, told = run(*SCAN, str(tmp_path / "in"), preexec_fn=limited)
    assert (code, told.count("\n")) == (ExitCode.INTERNAL, 1), told
    assert "memory" in told


def test_faults_of_our_own_keep_their_traceback() -> None:
    assert fault_of_surroundings(ValueError("2 found, wanted 1")) is None
    assert fault_of_surroundings(FileNotFoundError(2, "No such file", "a.jpg")) is None
    wrapped = RuntimeError("scan failed")
    wrapped.__cause__ = OSError(12, "Cannot allocate memory")
    assert "not enough memory" in str(fault_of_surroundings(wrapped))


@pytest.mark.parametrize("module", ["fakefacecli.cli.app", "typer", "signal"])
def test_ctrl_c_while_it_is_imported_is_one_line_and_130(module: str) -> None:
    # the interrupt comes when `module` begins to be imported, however slow the machine is
    code = f"""
import os, sys
sys.modules.pop("signal", None)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), 2)
sys.meta_path.insert(0, Finder())
"""
    command = [sys.executable, "-c", code + ENTRY + "main()", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.SIGINT, "fakeface: stopped by SIGINT\n")


def test_nothing_slow_is_imported_before_ctrl_c_is_taken_care_of() -> None:
    code = (
        f"import sys; before = set(sys.modules); sys.path.insert(0, {str(ROOT)!r}); "
        "import fakefacecli.__main__; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "signal" in imported
    assert not imported & {"importlib.metadata", "typing", "typer", "re", "socket", "contextlib"}


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    shell = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    with subprocess.Popen([*shell, *COMMAND, "docs"], stdout=subprocess.PIPE, cwd=ROOT) as process:
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.COMPLETE
    assert b"report" in out
