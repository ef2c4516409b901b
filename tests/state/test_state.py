"""`--state`: what was judged before is known, and nothing else is."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from PIL import Image

from fakefacecli.base.errors import CannotWrite, ExitCode
from fakefacecli.base.lock import locked
from fakefacecli.base.options import DEFAULT_MODEL, ScanOptions, SourceOptions
from fakefacecli.base.records import FileFacts, ImageRef, ImageReport
from fakefacecli.base.verdicts import ErrorCode, Status
from fakefacecli.models.bundled import BUNDLED, find_model
from fakefacecli.state.state import State
from fakefacecli.state.upkeep import Stale, read_stats, take_out
from tests import builders
from tests.builders import PHOTOS
from tests.command import fakeface, json_lines, powerless, rows, start

LONG_AGO_NS = 1_600_000_000_000_000_000
ODD = os.fsdecode(b"caf\xe9 \xf0.jpg")
MANY = 48
COUNT = 8  # what `folder` holds, the pipe included


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Faces, a picture without one, files that are no pictures, a pipe; none of them new."""
    folder = tmp_path_factory.mktemp("in")
    small("generated_000.jpg", folder / "a.jpg")
    small("official_003.jpg", folder / "b.jpg")
    small("official_003.jpg", folder / "sub" / ODD, 210)
    small("generated_000.jpg", folder / "c.png", 205)
    Image.new("RGB", (64, 64), "gray").save(folder / "plain.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "empty.jpg").touch()
    for path in folder.rglob("*.*"):
        age(path)
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.fixture(scope="module")
def first(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The first run's report, state and overlays."""
    place = tmp_path_factory.mktemp("first")
    done = fakeface(*scan_flags(folder, place, "first.csv", place / "state.db"))
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert {path.name for path in place.iterdir()} == {"first.csv", "state.db", "overlays"}
    return place


@pytest.fixture
def state(first: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the first run's state."""
    return pathlib.Path(shutil.copy(first / "state.db", tmp_path / "state.db"))


@pytest.fixture(scope="module")
def no_torch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which importing torch, hence judging anything, is an internal error."""
    place = tmp_path_factory.mktemp("broken")
    (place / "torch.py").write_text("raise RuntimeError('torch was imported')")
    return {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(place)}


def small(photo: str, to: pathlib.Path, side_px: int = 200) -> None:
    to.parent.mkdir(exist_ok=True)
    with Image.open(PHOTOS / photo) as picture:
        picture.resize((side_px, side_px)).save(to)


def age(path: pathlib.Path) -> None:
    """A file as new as the run that reads it would be read again by the next one."""
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def scan_flags(
    folder: pathlib.Path, place: pathlib.Path, report: str, state: pathlib.Path
) -> tuple[object, ...]:
    return (
        "scan",
        folder,
        "--report",
        place / report,
        "--state",
        state,
        "--overlays",
        place / "overlays",
    )


def without_times(path: pathlib.Path) -> list[dict[str, str]]:
    return [
        {key: value for key, value in row.items() if key not in ("run_id", "elapsed_ms")}
        for row in rows(path)
    ]


def asks_for_judging(env: dict[str, str], *args: object) -> bool:
    """Whether a scan with `args` would load the model."""
    done = fakeface("scan", *args, env=env)
    assert done.returncode in (*(0, ExitCode.SOME_UNREADABLE), ExitCode.INTERNAL), done.stderr
    assert (done.returncode == ExitCode.INTERNAL) == ("torch was imported" in done.stderr)
    return done.returncode == ExitCode.INTERNAL


# what is known


def test_a_second_run_says_the_same_without_torch(
    folder: pathlib.Path, first: pathlib.Path, state: pathlib.Path, no_torch: dict[str, str]
) -> None:
    flagged = state.parent / "flagged"
    flags = scan_flags(folder, first, "second.csv", state)
    for more in ((), ("--verify-hash",)):
        done = fakeface(*flags, "--copy-flagged", flagged, *more, env=no_torch)
        assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
        assert f"{COUNT - 1}  of them known from the state" in " ".join(done.stderr.split(" "))
        assert without_times(first / "second.csv") == without_times(first / "first.csv")
    assert {row["elapsed_ms"] for row in rows(first / "second.csv")} == {"0.0"}
    assert {row["error_code"] for row in rows(first / "second.csv")} == {
        *("", "not_an_image", "empty", "not_a_file"),
    }
    wanted = {row["path"] for row in rows(first / "first.csv") if row["image_verdict"] == "flagged"}
    assert wanted
    for path in map(pathlib.Path, wanted):
        assert (flagged / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_a_renamed_or_copied_file_is_known(
    folder: pathlib.Path, tmp_path: pathlib.Path, state: pathlib.Path, no_torch: dict[str, str]
) -> None:
    for path in (folder / "a.jpg", folder / "sub" / ODD):
        (tmp_path / "moved").mkdir(exist_ok=True)
        shutil.copyfile(path, tmp_path / "moved" / f"other {path.name}")
    done = fakeface("scan", tmp_path / "moved", "--state", state, "--report", "-", env=no_torch)
    found, _ = json_lines(done.stdout)
    assert [row["path"] for row in found] == [
        f"{tmp_path}/moved/other a.jpg",
        f"{tmp_path}/moved/other caf\\xe9 \\xf0.jpg",
    ]


def test_options_that_change_no_row_are_no_reason_to_judge(
    folder: pathlib.Path, state: pathlib.Path, no_torch: dict[str, str]
) -> None:
    more = ("--timeout", "3", "--batch-size", "1", "--workers", "1")
    assert not asks_for_judging(no_torch, folder, "--state", state, *more)


@pytest.mark.parametrize(
    "flags",
    [("--threshold", "0.2,0.8"), ("--min-face", "50"), ("--max-pixels", "5000"), ("--model",)],
    ids=lambda flags: flags[0],
)
def test_verdicts_under_other_settings_are_not_mixed_up(
    tmp_path: pathlib.Path,
    folder: pathlib.Path,
    state: pathlib.Path,
    no_torch: dict[str, str],
    flags: tuple[str, ...],
) -> None:
    if flags == ("--model",):
        data = pathlib.Path(BUNDLED[DEFAULT_MODEL].path).read_bytes()
        (tmp_path / "m.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        flags = ("--model", str(tmp_path / "m.safetensors"))
    assert asks_for_judging(no_torch, folder, "--state", state, *flags)


def test_changed_content_is_found_out_by_its_bytes_though_size_and_time_are_forged(
    tmp_path: pathlib.Path, folder: pathlib.Path, state: pathlib.Path
) -> None:
    file = tmp_path / "in" / "x.jpg"
    file.parent.mkdir()
    shutil.copyfile(folder / "b.jpg", file)
    age(file)
    flags = ("scan", file.parent, "--state", state, "--report", "-")
    before, _ = json_lines(fakeface(*flags).stdout)
    other = (folder / "a.jpg").read_bytes()
    file.write_bytes((other + bytes(before[0]["bytes"]))[: before[0]["bytes"]])
    age(file)
    fooled, _ = json_lines(fakeface(*flags).stdout)
    assert fooled[0]["sha256"] == before[0]["sha256"]
    after, _ = json_lines(fakeface(*flags, "--verify-hash").stdout)
    assert after[0]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert after[0]["sha256"] != before[0]["sha256"]
    remembered, _ = json_lines(fakeface(*flags).stdout)
    assert remembered[0]["sha256"] == after[0]["sha256"]


@pytest.mark.parametrize("what", ["missing", "redrawn", "other folder", "every face"])
def test_an_overlay_that_is_not_the_one_drawn_is_drawn_again(
    tmp_path: pathlib.Path,
    folder: pathlib.Path,
    first: pathlib.Path,
    state: pathlib.Path,
    no_torch: dict[str, str],
    what: str,
) -> None:
    overlays = first / "overlays"
    picture = sorted(overlays.iterdir())[0]
    kept = (picture.read_bytes(), picture.stat().st_mtime_ns)
    flags = (folder, "--state", state, "--overlays")
    assert not asks_for_judging(no_torch, *flags, overlays)
    more: tuple[object, ...] = (overlays,)
    if what == "missing":
        picture.unlink()
    elif what == "redrawn":  # by a run without the state, of another image of that name
        picture.write_bytes(kept[0])
    elif what == "other folder":
        more = (tmp_path / "overlays",)
    else:
        more = (overlays, "--explain", "all")
    assert asks_for_judging(no_torch, *flags, *more)
    picture.write_bytes(kept[0])
    os.utime(picture, ns=(kept[1], kept[1]))
    assert not asks_for_judging(no_torch, *flags, overlays)


def test_overlays_of_an_older_version_without_digits_in_their_names_still_count(
    tmp_path: pathlib.Path,
    folder: pathlib.Path,
    first: pathlib.Path,
    state: pathlib.Path,
    no_torch: dict[str, str],
) -> None:
    overlays = shutil.copytree(first / "overlays", tmp_path / "overlays")
    with contextlib.closing(sqlite3.connect(state)) as db, db:
        for picture in list(overlays.iterdir()):
            old = picture.rename(overlays / re.sub(r"\.[0-9a-f]{8}(\.face)", r"\1", picture.name))
            now, then = (os.fsencode(p) for p in (first / "overlays" / picture.name, old))
            assert (
                db.execute("UPDATE overlays SET path = ? WHERE path = ?", (then, now)).rowcount == 1
            )
    done = fakeface(*scan_flags(folder, tmp_path, "o.csv", state), env=no_torch)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    named = {row["overlay"] for row in rows(tmp_path / "o.csv")} - {""}
    assert named == {f"overlays/{path.name}" for path in overlays.iterdir()}


# --since-last


def test_nothing_new_is_an_empty_report_and_exit_0(
    tmp_path: pathlib.Path, folder: pathlib.Path, state: pathlib.Path, no_torch: dict[str, str]
) -> None:
    flags = ("scan", folder, "--exclude", "pipe.jpg", "--state", state, "--since-last")
    more = ("--fail-on", "flagged", "--report", tmp_path / "o.csv", "--report", tmp_path / "o.json")
    done = fakeface(*flags, *more, env=no_torch)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert rows(tmp_path / "o.csv") == []
    whole = json.loads((tmp_path / "o.json").read_text())
    assert whole["rows"] == []
    assert whole["run"]["counts"]["skipped"]["judged before"] == COUNT - 1
    assert f"{COUNT - 1} judged before" in done.stderr


def test_only_what_is_new_is_reported_and_decides_the_exit_code(
    tmp_path: pathlib.Path, folder: pathlib.Path, state: pathlib.Path
) -> None:
    shutil.copytree(folder, tmp_path / "in", ignore=shutil.ignore_patterns("pipe.jpg"))
    flags = ("scan", tmp_path / "in", "--state", state, "--report", "-")
    fakeface(*flags)
    flags = (*flags, "--since-last")
    small("generated_000.jpg", tmp_path / "in" / "b new.jpg", 220)
    # what was judged long ago is news where somebody puts it anew
    known = sorted((tmp_path / "in").glob("*.jpg"))[0]
    shutil.copy(known, tmp_path / "in" / "c copy.jpg")
    fakeface("scan", tmp_path / "in", "--state", state, "--quiet", "--since-last")  # no report
    done = fakeface(*flags, "--fail-on", "flagged")
    found, header = json_lines(done.stdout)
    assert done.returncode == ExitCode.FAIL_ON, done.stderr
    new = [f"{tmp_path}/in/{name}" for name in ("b new.jpg", "c copy.jpg")]
    assert sorted({row["path"] for row in found}) == new
    assert header["counts"]["images"] == 2
    done = fakeface(*flags, "--fail-on", "flagged")
    assert (done.returncode, json_lines(done.stdout)[0]) == (ExitCode.COMPLETE, [])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        small("official_003.jpg", folder / f"{number:02}.jpg", 150 + number)
    return folder


def test_a_killed_runs_work_counts_and_is_still_news(
    tmp_path: pathlib.Path, many: pathlib.Path, no_torch: dict[str, str]
) -> None:
    state, report = tmp_path / "state.db", tmp_path / "o.csv"
    flags = ("scan", many, "--state", state, "--report", report, "--batch-size", 2)
    with start(*flags) as process:
        while known_images(state) < 1 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    done = known_images(state)
    assert 1 <= done < MANY
    again = fakeface(*flags, "--since-last")
    assert again.returncode == ExitCode.COMPLETE, again.stderr
    assert f"{done}  of them known" in again.stderr
    assert len({row["path"] for row in rows(report)}) == MANY
    assert not asks_for_judging(no_torch, *flags[1:], "--since-last")
    assert rows(report) == []


def known_images(state: pathlib.Path) -> int:
    """How many images the state holds; 0 while it has no tables yet."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(reader(state)) as db:
        return int(db.execute("SELECT count(*) FROM files").fetchone()[0])
    return 0


def reader(state: pathlib.Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{state}?mode=ro", uri=True)


@pytest.mark.parametrize("flag", ["--since-last", "--verify-hash"])
def test_a_flag_that_needs_a_state_says_so(flag: str) -> None:
    done = fakeface("scan", PHOTOS, flag)
    assert (done.returncode, "--state" in done.stderr) == (ExitCode.USAGE, True)


# the file itself


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


# one run's view, without a process


@contextlib.contextmanager
def opened(path: pathlib.Path, run_id: str = "run") -> Iterator[State]:
    options = ScanOptions(SourceOptions(), state=str(path))
    state = State(str(path), options, find_model(DEFAULT_MODEL), {"fakefacecli": "1"})
    state.begin(run_id)
    try:
        yield state
    finally:
        state.close()


def judged(folder: pathlib.Path, name: str, data: bytes) -> ImageReport:
    """Write a file and say of it that it has a face."""
    (folder / name).write_bytes(data)
    facts = FileFacts(
        hashlib.sha256(data).hexdigest(), len(data), (folder / name).stat().st_mtime_ns, "JPEG"
    )
    ref = ImageRef(0, str(folder / name), name)
    return dataclasses.replace(builders.report(0.95), ref=ref, facts=facts)


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_that_may_pass_is_not_remembered(tmp_path: pathlib.Path, code: ErrorCode) -> None:
    lasting = {"not_an_image", "unsupported", "truncated", "corrupt", "too_large", "empty"}
    fine = judged(tmp_path, "x.jpg", b"" if code is ErrorCode.EMPTY else b"data")
    facts = dataclasses.replace(fine.facts, sha256=None) if code is ErrorCode.EMPTY else fine.facts
    report = ImageReport(fine.ref, Status.ERROR, facts=facts, code=code, message="why")
    with opened(tmp_path / "s.db") as state:
        state.add(report)
        found = state.find(report.ref)
    assert (found is not None) == (code in lasting)
    assert found is None or found.report == report


def test_a_file_rewritten_in_the_same_tick_of_the_clock_is_found_out(
    tmp_path: pathlib.Path,
) -> None:
    report = judged(tmp_path, "x.jpg", b"one")
    with opened(tmp_path / "s.db") as state:
        state.add(report)
        assert state.find(report.ref) is not None
        (tmp_path / "x.jpg").write_bytes(b"two")
        os.utime(tmp_path / "x.jpg", ns=(report.facts.mtime_ns or 0,) * 2)
        assert state.find(report.ref) is None


def test_a_file_that_is_no_longer_regular_is_not_known(tmp_path: pathlib.Path) -> None:
    report = judged(tmp_path, "x.jpg", b"one")
    with opened(tmp_path / "s.db") as state:
        state.add(report)
        (tmp_path / "x.jpg").unlink()
        assert state.find(report.ref) is None
        os.mkfifo(tmp_path / "x.jpg")
        assert state.find(report.ref) is None
        assert state.find(ImageRef(0, "a\0b", "a")) is None


ADD_FOREVER = """
import pathlib, sys
from tests.state.test_state import judged, opened
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


# stats and prune


def test_stats_says_what_the_state_holds(state: pathlib.Path) -> None:
    done = fakeface("state", "stats", state)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    words = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert words[:2] == [f"images known {COUNT - 1}", f"verdicts {COUNT - 1}"]
    assert {"flagged 2", "not flagged 2", "no face 1", "empty 1", "not an image 1"} <= set(words)
    assert BUNDLED[DEFAULT_MODEL].sha256[:12] in done.stdout
    assert str(time.gmtime().tm_year) in done.stdout


def test_a_missing_state_is_not_made_by_looking_at_it(tmp_path: pathlib.Path) -> None:
    for command in (("stats",), ("prune", "--missing")):
        done = fakeface("state", *command, tmp_path / "gone.db")
        assert done.returncode == ExitCode.NOTHING_TO_DO
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_stats_speaks_of_reading_where_a_state_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with opened(tmp_path / "s.db"):
        pass
    (tmp_path / "s.db").chmod(0)
    os.mkfifo(tmp_path / "pipe")
    before = powerless(tmp_path / "s.db")
    for place, why in (
        (tmp_path / "s.db", "permission denied"),
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "not a regular file"),
    ):
        done = fakeface("state", "stats", place, before=before, timeout=20)
        assert done.returncode == ExitCode.MODEL_REFUSED, done.stderr
        assert done.stderr.startswith(f"fakeface: cannot read the state {place}: {why}")


def test_prune_without_a_reason_takes_nothing(state: pathlib.Path) -> None:
    before = state.read_bytes()
    done = fakeface("state", "prune", state)
    assert done.returncode == ExitCode.USAGE
    for flag in ("--older-than", "--missing", "--other-models"):
        assert flag in done.stderr
    assert state.read_bytes() == before


def test_prune_takes_out_what_is_stale_and_nothing_else(
    tmp_path: pathlib.Path, folder: pathlib.Path, state: pathlib.Path, no_torch: dict[str, str]
) -> None:
    flags = ("--older-than", "1", "--missing", "--other-models")
    assert "removed 0 verdicts" in fakeface("state", "prune", state, *flags).stdout
    assert not asks_for_judging(no_torch, folder, "--state", state)
    assert f"removed {COUNT - 1} verdicts and {COUNT - 1} images" in (
        fakeface("state", "prune", state, "--older-than", "0").stdout
    )
    assert asks_for_judging(no_torch, folder, "--state", state)


def test_images_whose_file_is_gone_and_other_models_are_taken_out(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "s.db")
    here, gone = judged(tmp_path, "here", b"1"), judged(tmp_path, ODD, b"2")
    with opened(tmp_path / "s.db") as state:
        state.add(here)
        state.add(gone)
    assert take_out(path, Stale(missing=True)) == (0, 0)
    (tmp_path / ODD).unlink()
    assert take_out(path, Stale(missing=True)) == (1, 1)
    model = BUNDLED[DEFAULT_MODEL].sha256
    assert take_out(path, Stale(other_than=model)) == (0, 0)
    with opened(tmp_path / "s.db") as state:
        assert state.find(here.ref) is not None
    assert take_out(path, Stale(other_than="0" * 64)) == (1, 1)
    assert read_stats(path).models == ()
