"""Signals, kills, locks, full disks: the report is whole and right, or the run says it is not."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.lock import locked
from tests.builders import PHOTOS
from tests.command import assert_same, fakeface, json_lines, rows, start

COUNT = 40
KILLS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Small photographs, each a little different, and two files that cannot be read."""
    folder = tmp_path_factory.mktemp("in")
    names = sorted(path.name for path in PHOTOS.iterdir())
    for index in range(COUNT - 2):
        with Image.open(PHOTOS / names[index % len(names)]) as picture:
            picture.resize((240 + index,) * 2).save(folder / f"{index:03}.jpg")
    (folder / "010-broken.jpg").write_bytes(b"no picture")
    (folder / "020-cut.jpg").write_bytes((folder / "000.jpg").read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def uninterrupted(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    report = tmp_path_factory.mktemp("whole") / "out.csv"
    assert fakeface("scan", folder, "--report", report).returncode == ExitCode.SOME_UNREADABLE
    assert len({row["path"] for row in rows(report)}) == COUNT
    return report


def journalled(report: pathlib.Path) -> int:
    """How many images the journal beside `report` holds."""
    with contextlib.suppress(OSError):
        return max(0, (report.parent / f"{report.name}.journal").read_bytes().count(b"\n") - 1)
    return 0


def wait_for(report: pathlib.Path, images: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until `images` are journalled, or the run is over."""
    deadline = time.monotonic() + 120
    while journalled(report) < images and process.poll() is None:
        assert time.monotonic() < deadline, "the scan makes no progress"
        time.sleep(0.01)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_within_5_s_and_resume_continues(
    tmp_path: pathlib.Path,
    folder: pathlib.Path,
    uninterrupted: pathlib.Path,
    number: signal.Signals,
) -> None:
    report = tmp_path / "out.csv"
    report.write_text("the previous report")
    flags = ("scan", folder, "--report", report, "--batch-size", 2)
    with start(*flags) as process:
        wait_for(report, 5, process)
        children = family(process)
        sent = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 5
    assert process.returncode == 128 + number
    assert b"Traceback" not in err
    assert b"--resume" in err
    assert report.read_text() == "the previous report"
    assert_gone(children)
    done = journalled(report)
    assert 5 <= done < COUNT
    again = fakeface(*flags, "--resume")
    assert again.returncode == ExitCode.SOME_UNREADABLE, again.stderr
    assert str(done) in again.stderr
    assert_same(report, uninterrupted)
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv"}


def test_a_second_signal_kills_at_once(tmp_path: pathlib.Path, folder: pathlib.Path) -> None:
    report = tmp_path / "out.csv"
    with start("scan", folder, "--report", report, "--batch-size", 8) as process:
        wait_for(report, 1, process)  # while torch loads, two signals may be told as one
        children = family(process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert time.monotonic() - sent < 1
    assert process.returncode in (ExitCode.SIGTERM, -signal.SIGTERM)
    assert not report.exists()
    assert_gone(children)


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_and_repeats_nothing(
    tmp_path: pathlib.Path, folder: pathlib.Path
) -> None:
    report = tmp_path / "out.csv"
    picky = ("--threshold", "0.01,0.01")  # so that most faces are flagged and drawn
    whole = tmp_path / "whole"
    whole.mkdir()
    fakeface(
        "scan", folder, "--report", whole / "out.csv", "--overlays", whole / "overlays", *picky
    )
    chance = random.Random(20261121)
    report.write_text("the previous report")
    flags = (
        *("scan", folder, "--report", report, "--overlays", tmp_path / "overlays", *picky),
        *("--batch-size", 2, "--workers", 2),
    )
    kills = 0
    while kills < KILLS:
        before = journalled(report)
        with start(*flags, "--resume", cold=kills == 0) as process:
            # sometimes during the start, sometimes between two images or in the middle of one
            wait_for(report, before + chance.randint(0, 4), process)
            time.sleep(chance.random() * 0.2)
            children = family(process)
            process.kill()
            process.communicate(timeout=30)
        kills += process.returncode == -signal.SIGKILL
        assert_gone(children)
        assert journalled(report) >= before
        assert report.read_text() == "the previous report"
        assert journalled(report) < COUNT, "the scan ended before it could be killed"
    assert fakeface(*flags, "--resume").returncode == ExitCode.SOME_UNREADABLE
    assert_same(report, whole / "out.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", "overlays", "whole"}
    named = {row["overlay"] for row in rows(report)} - {""}
    assert len(named) > COUNT // 2
    for name in named:
        with Image.open(tmp_path / name) as picture:
            picture.load()


def test_resume_with_other_options_is_refused(tmp_path: pathlib.Path, folder: pathlib.Path) -> None:
    report = tmp_path / "out.csv"
    with start("scan", folder, "--report", report, "--batch-size", 2) as process:
        wait_for(report, 3, process)
        process.kill()
        process.communicate()
    others = (
        fakeface("scan", folder, "--report", report, "--resume", "--threshold", "0.1,0.2"),
        fakeface("scan", ".", "--report", report, "--resume", cwd=folder),
        fakeface("scan", folder, "--report", report, "--resume", cwd=tmp_path),
    )
    for done in others:
        assert done.returncode == ExitCode.USAGE
        assert "without --resume" in done.stderr


def test_a_journal_that_is_missing_or_passed_over_is_said(tmp_path: pathlib.Path) -> None:
    shutil.copy(PHOTOS / "official_003.jpg", tmp_path)
    flags = ("scan", tmp_path, "--report", tmp_path / "out.csv")
    assert "no journal to go on from" in fakeface(*flags, "--resume").stderr
    (tmp_path / "out.csv.journal").write_text("")
    assert "without --resume it is started again" in fakeface(*flags).stderr
    assert "interrupted run" not in fakeface(*flags).stderr


def test_exit_6_names_the_run_that_holds_the_report(
    tmp_path: pathlib.Path, folder: pathlib.Path
) -> None:
    report = tmp_path / "out.csv"
    with locked(str(report)):
        started = time.monotonic()
        done = fakeface("scan", folder, "--report", report)
    assert done.returncode == ExitCode.LOCKED
    assert f"pid {os.getpid()}" in done.stderr
    assert time.monotonic() - started < 10
    assert not report.exists()


def test_no_stale_lock_after_kill_9(tmp_path: pathlib.Path, folder: pathlib.Path) -> None:
    report = tmp_path / "out.csv"
    with start("scan", folder, "--report", report) as process:
        wait_for(report, 1, process)
        process.send_signal(signal.SIGSTOP)  # or it could be over before the second one starts
        second = fakeface("scan", folder, "--report", report)
        assert second.returncode == ExitCode.LOCKED
        assert f"pid {process.pid}" in second.stderr
        process.kill()
        process.communicate()
    assert (tmp_path / "out.csv.lock").exists()
    one = some_of(folder, tmp_path / "few")
    assert fakeface("scan", one, "--report", report).returncode == ExitCode.COMPLETE


def some_of(folder: pathlib.Path, to: pathlib.Path) -> pathlib.Path:
    to.mkdir()
    shutil.copy(folder / "000.jpg", to)
    return to


def test_a_reader_that_goes_away_leaves_no_traceback_and_no_orphan(folder: pathlib.Path) -> None:
    with start("scan", folder, "--report", "-", "--batch-size", 2) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        row = json.loads(process.stdout.readline())
        children = family(process)
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=30)
    assert row["status"] == "ok"
    assert process.returncode == ExitCode.CANNOT_WRITE
    assert err.count(b"\n") == 1, err
    assert_gone(children)


def test_a_full_disk_under_stdout_is_exit_7(folder: pathlib.Path) -> None:
    with open("/dev/full", "wb") as full:
        done = fakeface("scan", folder, "--report", "-", stdout=full)
    assert done.returncode == ExitCode.CANNOT_WRITE
    assert "no space" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_is_never_replaced_by_a_report(tmp_path: pathlib.Path) -> None:
    (tmp_path / "full.csv").symlink_to("/dev/full")
    done = fakeface("scan", PHOTOS, "--report", tmp_path / "full.csv")
    assert done.returncode == ExitCode.CANNOT_WRITE
    assert (tmp_path / "full.csv").is_symlink()


@pytest.fixture
def small_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file system of 256 kB; skipped where it may not be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("what", ["report and journal", "overlays"])
def test_a_disk_that_fills_up_leaves_the_old_report(
    tmp_path: pathlib.Path, folder: pathlib.Path, small_disk: pathlib.Path, what: str
) -> None:
    report = (small_disk if what == "report and journal" else tmp_path) / "out.csv"
    report.write_text("the previous report")
    flags = ["--threshold", "0,0", "--overlays", small_disk / "overlays"]
    if what == "report and journal":
        (small_disk / "ballast").write_bytes(b"0" * (256 * 1024 - 4096 * 4))
        flags = []
    done = fakeface("scan", folder, "--report", report, *flags)
    assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
    assert "no space" in done.stderr
    assert "Traceback" not in done.stderr
    assert report.read_text() == "the previous report"
    assert not list(small_disk.rglob(".fakeface-*"))


def test_the_same_settings_twice_give_the_same_bytes(
    tmp_path: pathlib.Path, folder: pathlib.Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in ("000.jpg", "001.jpg", "010-broken.jpg", "020-cut.jpg"):
        shutil.copy(folder / name, few)
    found = []
    for _ in range(2):
        lines, header = json_lines(fakeface("scan", few, "--report", "-").stdout)
        for row in lines:
            del row["run_id"], row["elapsed_ms"]
        for key in ("run_id", "started", "ended"):
            del header[key]
        found.append(json.dumps([lines, header]))
    assert found[0] == found[1]
