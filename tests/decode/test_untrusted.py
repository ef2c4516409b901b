"""What strangers can put into a folder, driven through the real command: nobody gets in."""

import contextlib
import os
import pathlib
import pty
import re
import subprocess
import sys
import termios
import unicodedata
import uuid
from collections.abc import Iterator

import psutil
import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.text import exact, from_json
from fakefacecli.base.verdicts import ErrorCode
from tests import bad_files
from tests.builders import put
from tests.command import COMMAND, SMALL, fakeface, json_lines, powerless, rows, start

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
FACES = ("=1+1|' A0.jpg", "\x1b[31mred\nface.jpg", "@sub/\u202efdp.jpg", os.fsdecode(b"+\xff.jpg"))
ALL_FLAGGED = ("--threshold", "0,0", "--min-face", "20")

MODEL = ("--model", SMALL)


def name_in(cell: str) -> str:
    """The file a CSV cell names: the guard off, the escapes undone."""
    return exact(cell.removeprefix("'"))


def controls(text: str) -> set[str]:
    """What a terminal or a reader of the text could act on, beyond the ends of lines."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs")} - {"\n"}


# --- the corpus


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def corpus(uploads: pathlib.Path) -> bad_files.Corpus:
    """Every bad file, and faces under names that somebody chose with care."""
    made = bad_files.build(uploads)
    del made["folder.jpg"]  # it is walked, and empty
    for name in FACES:
        put(uploads / name)
        made[name] = None
    return dict(sorted(made.items(), key=lambda item: os.fsencode(item[0])))


@pytest.fixture(scope="module")
def scanned(
    uploads: pathlib.Path, corpus: bad_files.Corpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, subprocess.CompletedProcess[str]]:
    """One scan of it all, by names that are relative: they stand first in their cells."""
    out = tmp_path_factory.mktemp("out")
    done = fakeface(
        *("scan", "--files-from", "-", "-0", "--follow-symlinks", *ALL_FLAGGED),
        *("--report", out / "out.csv", "--report", out / "out.json", "--report", "-"),
        *("--overlays", out / "overlays", "--copy-flagged", out / "copies"),
        stdin=b"\0".join(map(os.fsencode, corpus)),
        cwd=uploads,
    )
    return out, done


Scanned = tuple[pathlib.Path, subprocess.CompletedProcess[str]]


def test_each_bad_file_has_its_row_with_its_code_in_order(
    corpus: bad_files.Corpus, scanned: Scanned
) -> None:
    out, done = scanned
    assert sum(code is not None for code in corpus.values()) >= 60
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    found: dict[str, str] = {}
    for row in rows(out / "out.csv"):
        found.setdefault(name_in(row["path"]), row["error_code"])
        assert (row["status"] == "error") == bool(row["error_code"])
    assert list(map(os.fsencode, found)) == list(map(os.fsencode, corpus))
    assert found == {name: str(code or "") for name, code in corpus.items()}


def test_the_three_reports_name_the_same_files(scanned: Scanned) -> None:
    out, done = scanned
    lines, header = json_lines(done.stdout)
    # JSON has the names as they are, CSV escapes what cannot be printed
    assert [from_json(row["path"], row.get("path_bytes")) for row in lines] == [
        name_in(row["path"]) for row in rows(out / "out.csv")
    ]
    assert header["counts"]["images"] == len({row["path"] for row in lines})


def test_an_error_row_carries_no_score(scanned: Scanned) -> None:
    silent = ("p_fake", "verdict", "image_verdict", "face", "faces", "detection_score", "overlay")
    errors = [row for row in rows(scanned[0] / "out.csv") if row["status"] == "error"]
    assert errors
    assert not [row for row in errors if any(row[name] for name in silent)]


def test_nothing_that_a_terminal_or_a_spreadsheet_runs_is_written(scanned: Scanned) -> None:
    out, done = scanned
    for text in (done.stdout, done.stderr, (out / "out.csv").read_text("utf-8")):
        assert controls(text) == set()
    assert done.stdout.isascii()
    assert (out / "out.json").read_bytes().isascii()
    assert controls((out / "out.json").read_text()) == set()
    for row in rows(out / "out.csv"):
        assert not [cell for cell in row.values() if cell.startswith(RISKY)]


def test_every_face_has_its_overlay_and_copy_whatever_it_is_called(
    corpus: bad_files.Corpus, scanned: Scanned
) -> None:
    out, _ = scanned
    faces = [row for row in rows(out / "out.csv") if row["status"] == "ok"]
    assert {name_in(row["path"]) for row in faces} >= set(FACES)
    for row in faces:
        with Image.open(out / name_in(row["overlay"])) as picture:
            assert picture.format == "JPEG"
    for name in FACES:
        assert (out / "copies" / name).stat().st_size > 1000


def test_a_terminal_meets_no_raw_name(tmp_path: pathlib.Path) -> None:
    evil = tmp_path / "\x1b]0;evil\x07"
    for name in ("\x1b[31mred.jpg", "new\nline.jpg", "\u202egpj.jpg", os.fsdecode(b"\xff.jpg")):
        put(evil / name)
    (evil / "\x1b[2Jbroken.jpg").write_bytes(b"no picture")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    flags = ("--progress", "on", *ALL_FLAGGED, "--overlays", evil / "out")
    with start("scan", evil, *flags, stderr=theirs, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while part := os.read(ours, 10_000):
                shown += part
    os.close(ours)
    assert process.returncode == ExitCode.SOME_UNREADABLE, shown
    assert b"img" in shown
    # the bar clears its line and rich sets styles; no colour and no title is among these
    rest = re.sub(rb"\x1b\[(?:[AK]|[012]m)", b"", shown)
    assert controls(rest.decode().replace("\r", "")) == set(), rest


def test_a_dry_run_prints_no_raw_name(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "\x1b[31mred\n.jpg")
    done = fakeface("scan", tmp_path, "--dry-run")
    assert controls(done.stdout + done.stderr) == set()
    assert exact(done.stdout.splitlines()[0]) == str(tmp_path / "\x1b[31mred\n.jpg")


# --- paths


@pytest.fixture
def deep(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A photograph at a path of 4,000 characters and a folder deeper than paths can say."""
    folder = tmp_path / "deep"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    left = 4000 - len(f"{folder}/face.jpg")
    sides = [100] * (left // 101 - 1)
    sides.append(left - 101 * len(sides) - 1)
    for number, side in enumerate([*sides, 200, 200]):
        if number == len(sides):
            with open(os.open("face.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
                file.write(put(tmp_path / "face.jpg").read_bytes())
        os.mkdir("d" * side, dir_fd=here)
        below = os.open("d" * side, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_a_path_of_4000_characters_is_judged_drawn_and_copied(
    tmp_path: pathlib.Path, deep: pathlib.Path
) -> None:
    done = fakeface(
        *("scan", deep, *ALL_FLAGGED, "--report", tmp_path / "out.csv"),
        *("--overlays", tmp_path / "overlays", "--copy-flagged", tmp_path / "copies"),
    )
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    too_deep, face = sorted(rows(tmp_path / "out.csv"), key=lambda row: row["status"])
    assert len(name_in(face["path"])) == 4000
    assert (face["status"], face["verdict"]) == ("ok", "flagged")
    with Image.open(tmp_path / name_in(face["overlay"])) as picture:
        assert picture.format == "JPEG"
    [copy] = (tmp_path / "copies").iterdir()
    assert copy.read_bytes() == (tmp_path / "face.jpg").read_bytes()
    assert (too_deep["error_code"], too_deep["path"].count("d") > 3900) == ("io_error", True)


def test_what_may_not_be_read_is_reported_and_not_skipped(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "in" / "fine.jpg")
    for name in ("file.jpg", "no_suffix", "folder/unseen.jpg"):
        put(tmp_path / "in" / name)
    for name in ("file.jpg", "no_suffix", "folder"):
        (tmp_path / "in" / name).chmod(0)
    before = powerless(tmp_path / "in" / "file.jpg")
    command = [*before, *COMMAND, "scan", str(tmp_path / "in"), "--report", "-", *MODEL]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    found, _ = json_lines(done.stdout)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    assert [(pathlib.Path(row["path"]).name, row["error_code"]) for row in found] == [
        ("file.jpg", "forbidden"),
        ("fine.jpg", None),
        ("folder", "forbidden"),
        ("no_suffix", "forbidden"),
    ]


def test_a_file_that_vanishes_while_it_waits_has_a_row(tmp_path: pathlib.Path) -> None:
    for index in range(30):
        put(tmp_path / f"{index:02}.jpg")
    flags = ("--report", "-", "--batch-size", 1, "--workers", 1)
    with start("scan", tmp_path, *flags) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        (tmp_path / "29.jpg").unlink()
        out, _ = process.communicate()
    found, _ = json_lines((first + out).decode())
    assert [row["error_code"] for row in found] == [*[None] * 29, "vanished"]
    assert process.returncode == ExitCode.SOME_UNREADABLE


# --- decoders that go wrong

RUNNER = """
from fakefacecli.cli.app import main
from fakefacecli.decode.pool import WorkerDecoder
WorkerDecoder.__init__.__kwdefaults__["function"] = "faults:decode"
main()
"""
FAULTS = """
import ctypes, os, signal, threading
from fakefacecli.decode.image import read_image

def decode(ref, limits):
    fault = os.path.basename(ref.path).partition(".")[0]
    if fault == "hang":
        threading.Event().wait()
    elif fault == "hang_in_c":
        ctypes.PyDLL(None).sleep(1000)
    elif fault == "segfault":
        ctypes.string_at(0)
    elif fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "exit":
        os._exit(0)
    elif fault == "memory":
        return [bytes(1 << 29) for _ in range(100)]  # asked for, never touched: no wait for pages
    return read_image(ref, limits)
"""
CODES = {
    "exit": ErrorCode.DECODER_CRASHED,
    "hang": ErrorCode.TIMEOUT,
    "hang_in_c": ErrorCode.TIMEOUT,
    "kill": ErrorCode.DECODER_CRASHED,
    "memory": ErrorCode.TOO_LARGE,
    "segfault": ErrorCode.DECODER_CRASHED,
}


def marked(mark: str) -> list[psutil.Process]:
    """Every process that has inherited `mark` in its environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("FAKEFACE_MARK") == mark:
                found.append(process)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_decoder_that_fails_costs_its_own_file_and_nothing_else(
    tmp_path: pathlib.Path, workers: int
) -> None:
    (tmp_path / "faults.py").write_text(FAULTS)
    (tmp_path / "runner.py").write_text(RUNNER)
    for fault in CODES:
        put(tmp_path / "in" / f"{fault}.jpg")
        put(tmp_path / "in" / f"{fault}_then.jpg")
    flags = [*MODEL, "--report", "-", "--timeout", "8", "--max-pixels", "10000000"]
    flags += ["--workers", str(workers)]
    mark = uuid.uuid4().hex
    done = subprocess.run(
        [sys.executable, tmp_path / "runner.py", "scan", tmp_path / "in", *flags],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "FAKEFACE_MARK": mark},
    )
    found, _ = json_lines(done.stdout)
    names = [pathlib.Path(row["path"]).stem for row in found]
    assert names == sorted(names, key=lambda name: f"{name}.jpg")
    assert {name: row["error_code"] for name, row in zip(names, found, strict=True)} == {
        **{f"{fault}_then": None for fault in CODES},
        **CODES,
    }
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert marked(mark) == []


def test_kill_9_in_the_middle_of_a_stuck_decode_leaves_no_process(tmp_path: pathlib.Path) -> None:
    (tmp_path / "faults.py").write_text(FAULTS)
    (tmp_path / "runner.py").write_text(RUNNER)
    for name in ("a.jpg", "hang.jpg", "hang_in_c.jpg"):
        put(tmp_path / "in" / name)
    mark = uuid.uuid4().hex
    flags = [*MODEL, "--report", "-", "--timeout", "600", "--batch-size", "1"]
    with subprocess.Popen(
        [sys.executable, tmp_path / "runner.py", "scan", tmp_path / "in", *flags],
        stdout=subprocess.PIPE,
        env={**os.environ, "FAKEFACE_MARK": mark},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        left = marked(mark)
        assert len(left) > 1
        process.kill()
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


# --- limits


def test_an_image_of_more_than_max_pixels_is_not_decoded(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "1_at_the_limit.jpg", 240)
    put(tmp_path / "2_above.jpg", 241)
    (tmp_path / "3_bomb.png").write_bytes(bad_files.greedy()["huge.png"][0])
    done = fakeface("scan", tmp_path, "--report", "-", "--max-pixels", 240 * 240)
    found, _ = json_lines(done.stdout)
    assert [row["error_code"] for row in found] == [None, *[ErrorCode.TOO_LARGE] * 2]
    assert "241x241 is 58,081 pixels, at most 57,600" in found[1]["error"]
    assert [row["p_fake"] is None for row in found] == [False, True, True]
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr


def test_nothing_a_test_here_started_is_left() -> None:
    assert not [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    ]
