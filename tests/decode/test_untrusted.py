"""What strangers can put into a folder, driven through the real command: nobody gets in."""

import contextlib
import os
import pathlib
import pickle
import pty
import re
import resource
import shutil
import subprocess
import sys
import termios
import unicodedata
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.records import ErrorCode
from fakefacecli.base.text import exact
from fakefacecli.scan.source import LISTING_BYTES
from tests import bad_files
from tests.builders import PHOTOS, ROOT
from tests.command import COMMAND, fakeface, json_lines, powerless, rows, start
from tests.models import test_checkpoint

PHOTO = PHOTOS / "official_003.jpg"
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
FACES = ("=1+1|' A0.jpg", "\x1b[31mred\nface.jpg", "@sub/\u202efdp.jpg", os.fsdecode(b"+\xff.jpg"))
NOT_COMPARED = {"run_id", "elapsed_ms"}
ALL_FLAGGED = ("--threshold", "0,0", "--min-face", "20")


def name_in(cell: str) -> str:
    """The file a CSV cell names: the guard off, the escapes undone."""
    return exact(cell.removeprefix("'"))


def controls(text: str) -> set[str]:
    """What a terminal or a reader of the text could act on, beyond the ends of lines."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs")} - {"\n"}


def put(path: pathlib.Path, size: int = 240) -> pathlib.Path:
    """A small photograph of a face at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(PHOTO) as picture:
        picture.resize((size, size)).save(path, "JPEG")
    return path


def alike(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in found]


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
    assert [exact(row["path"]) for row in lines] == [
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
    command = [*before, *COMMAND, "scan", str(tmp_path / "in"), "--report", "-"]
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
        return [bytearray(1 << 29) for _ in range(100)]
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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_decoder_that_fails_costs_its_own_file_and_nothing_else(
    tmp_path: pathlib.Path, workers: int
) -> None:
    (tmp_path / "faults.py").write_text(FAULTS)
    (tmp_path / "runner.py").write_text(RUNNER)
    for fault in CODES:
        put(tmp_path / "in" / f"{fault}.jpg")
        put(tmp_path / "in" / f"{fault}_then.jpg")
    flags = ["--report", "-", "--timeout", "2", "--max-pixels", "10000000"]
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
    flags = ["--report", "-", "--timeout", "600", "--batch-size", "1"]
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


# --- no network

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


def test_bundled_weights_that_were_changed_are_refused(tmp_path: pathlib.Path) -> None:
    shutil.copytree(
        ROOT / "fakefacecli",
        tmp_path / "fakefacecli",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    [weights] = (tmp_path / "fakefacecli" / "models" / "weights").iterdir()
    with open(weights, "r+b") as handle:
        handle.seek(-1000, os.SEEK_END)
        byte = handle.read(1)
        handle.seek(-1000, os.SEEK_END)
        handle.write(bytes([byte[0] ^ 1]))
    put(tmp_path / "in" / "a.jpg")
    for command in (["scan", "in", "--report", "out.csv"], ["models", "verify"]):
        done = fakeface(*command, cwd=tmp_path, cold=True)
        assert done.returncode == ExitCode.MODEL_REFUSED
        [line] = done.stderr.splitlines()
        assert "sha256" in line
        assert "reinstall" in line
    assert not (tmp_path / "out.csv").exists()


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
    command = [*alone, *COMMAND, "scan", str(folder), "--report", str(tmp_path / "out.csv")]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert alike(rows(tmp_path / "out.csv")) == wanted


def test_a_scan_asks_for_no_network(
    tmp_path: pathlib.Path, plain: tuple[pathlib.Path, list[dict[str, str]]]
) -> None:
    folder, wanted = plain
    command = [sys.executable, "-c", LISTENER]
    assert subprocess.run([*command, "phone home"], check=False).returncode == 99
    flags = ["scan", str(folder), "--report", str(tmp_path / "out.csv")]
    done = subprocess.run([*command, *flags], capture_output=True, check=False, text=True)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert alike(rows(tmp_path / "out.csv")) == wanted


# --- untrusted models


def bad_model(kind: str, folder: pathlib.Path) -> pathlib.Path:
    path = folder / f"{kind}.safetensors"
    if kind == "pickle":
        path = folder / "model.pt"
        path.write_bytes(pickle.dumps(test_checkpoint.Bomb(str(folder / "ran"))))
    elif kind == "truncated":
        path.write_bytes(pathlib.Path(test_checkpoint.MODEL.path).read_bytes()[:1_000_000])
    elif kind == "huge header":
        path.write_bytes(test_checkpoint.BYTES["huge-header"])
    else:
        state, card = test_checkpoint.bundled()
        weight = state["logits.weight"]
        changed = weight.repeat(2, 1) if kind == "shape" else weight * float("nan")
        test_checkpoint.save(path, {**state, "logits.weight": changed}, card)
    return path


@pytest.mark.parametrize("kind", ["pickle", "truncated", "huge header", "shape", "nan"])
def test_an_untrusted_model_is_refused_in_one_line(tmp_path: pathlib.Path, kind: str) -> None:
    report = tmp_path / "out.csv"
    report.write_text("the previous report")
    model = bad_model(kind, tmp_path)
    done = fakeface("scan", PHOTOS, "--report", report, "--model", model)
    assert done.returncode == ExitCode.MODEL_REFUSED, done.stderr
    assert done.stderr.count("\n") == 1
    assert model.name in done.stderr
    assert report.read_text() == "the previous report"
    assert not (tmp_path / "ran").exists()


# --- what lies where the output should go


def plant(place: pathlib.Path, kind: str, precious: pathlib.Path) -> None:
    precious.write_text("precious")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(precious)


@pytest.mark.parametrize("name", ["out.csv", "out.csv.lock", "out.csv.journal"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_planted_beside_the_report_is_not_opened(
    tmp_path: pathlib.Path, name: str, kind: str
) -> None:
    plant(tmp_path / name, kind, tmp_path / "precious")
    for more in ((), ("--resume",)):
        done = fakeface("scan", PHOTO, "--report", tmp_path / "out.csv", *more, timeout=60)
        assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "precious").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {name, "precious"}


def test_of_two_reports_none_is_replaced_when_one_has_no_room(tmp_path: pathlib.Path) -> None:
    for name in ("a.csv", "b.json"):
        (tmp_path / name).write_text("the previous report")
    for index in range(4):
        put(tmp_path / "in" / f"{index}.jpg")
    done = fakeface(
        *("scan", tmp_path / "in", "--report", tmp_path / "a.csv"),
        *("--report", tmp_path / "b.json"),
        # room for the journal and the shorter report
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
    )
    assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
    assert "b.json: file too large" in done.stderr
    assert (tmp_path / "a.csv").read_text() == "the previous report"
    assert (tmp_path / "b.json").read_text() == "the previous report"
    again = fakeface(
        *("scan", tmp_path / "in", "--report", tmp_path / "a.csv"),
        *("--report", tmp_path / "b.json", "--resume"),
    )
    assert again.returncode == ExitCode.COMPLETE
    assert "4  of them finished before" in " ".join(again.stderr.split(" " * 1))
    assert len(rows(tmp_path / "a.csv")) == 4


SHARED_PLACES = {
    "overlays over the inputs": ("--overlays", "{}"),
    "overlays above the inputs": ("--overlays", "{}/.."),
    "copies over the inputs": ("--copy-flagged", "{}"),
    "overlays beside an input file": ("--overlays", "{}", "{}/a.jpg"),
    "copies beside an input file": ("--copy-flagged", "{}", "{}/a.jpg"),
    "overlays above an input file": ("--overlays", "{}/..", "{}/a.jpg"),
    "a report among the copies": ("--copy-flagged", "out", "--report", "out/out.csv"),
    "overlays among the copies": ("--copy-flagged", "out", "--overlays", "out/overlays"),
    "copies among the overlays": ("--overlays", "out", "--copy-flagged", "out"),
}


@pytest.mark.parametrize("kind", SHARED_PLACES)
def test_no_output_can_take_an_inputs_or_a_reports_place(tmp_path: pathlib.Path, kind: str) -> None:
    put(tmp_path / "in" / "a.jpg")
    (tmp_path / "out").mkdir()
    flags = [flag.replace("{}", str(tmp_path / "in")) for flag in SHARED_PLACES[kind]]
    inputs = () if flags[-1].endswith("a.jpg") else (tmp_path / "in",)
    done = fakeface("scan", *inputs, *flags, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert done.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "out", "a.jpg"}


COLLIDING = {
    "overlays and report": ("--overlays", "a.csv", "--report", "a.csv"),
    "copies and report": ("--copy-flagged", "./b.csv", "--report", "b.csv"),
    "overlays below the report": ("--overlays", "c.csv/sub", "--report", "c.csv"),
    "overlays and journal": ("--overlays", "d.csv.journal", "--report", "d.csv"),
    "copies and lock": ("--copy-flagged", "e.csv.lock", "--report", "e.csv"),
    "overlays and state": ("--overlays", "f.db", "--state", "f.db"),
    "overlays and the state's lock": ("--overlays", "g.db.lock", "--state", "g.db"),
    "copies below the state": ("--copy-flagged", "h.db/deep/er", "--state", "h.db"),
    "copies and SQLite's log": ("--copy-flagged", "i.db-wal", "--state", "i.db"),
    "overlays and the second report": (
        "--overlays",
        "j.json",
        "--report",
        "-",
        "--report",
        "j.json",
    ),
}


@pytest.mark.parametrize("kind", COLLIDING)
def test_a_folder_where_a_file_has_to_be_is_refused_before_anything_is_scored(
    tmp_path: pathlib.Path, kind: str
) -> None:
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    (tmp_path / "out").mkdir()
    flags = COLLIDING[kind]
    for more in ((), ("--dry-run",)):
        done = fakeface("scan", PHOTO, *flags, *more, cwd=tmp_path / "out", env=env)
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert done.stderr.count("\n") == 1
        for words in (flags[0], flags[1], flags[2], flags[-1]):
            assert words in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


# --- streams

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
    command = [*COMMAND, "scan", tmp_path / "in", "--report", tmp_path / "out.csv", *flags]
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


def test_nothing_a_test_here_started_is_left() -> None:
    assert not [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    ]
