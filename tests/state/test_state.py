"""`--state`: what was judged before is known, and nothing else is."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import time

import pytest

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import DEFAULT_NETWORK
from fakefacecli.base.records import ImageRef
from fakefacecli.base.verdicts import ErrorCode, Status
from fakefacecli.models.bundled import BUNDLED
from tests.builders import PHOTOS
from tests.command import fakeface, json_lines, rows, start
from tests.state.samples import COUNT, ODD, age, asks_for_judging, judged, opened, scan_flags, small

MANY = 48


def without_times(path: pathlib.Path) -> list[dict[str, str]]:
    return [
        {key: value for key, value in row.items() if key not in ("run_id", "elapsed_ms")}
        for row in rows(path)
    ]


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
    [
        ("--threshold", "0.2,0.8"),
        ("--min-face", "50"),
        ("--detector", "mtcnn"),
        ("--max-pixels", "5000"),
        ("--model",),
    ],
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
        data = pathlib.Path(BUNDLED[DEFAULT_NETWORK].path).read_bytes()
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


@pytest.mark.parametrize("how", ["a folder", "a listing", "a folder without images"])
def test_an_emptied_queue_gives_an_empty_report(
    how: str, tmp_path: pathlib.Path, no_torch: dict[str, str]
) -> None:
    (tmp_path / "queue").mkdir()
    (tmp_path / "list").touch()
    if how == "a folder without images":
        (tmp_path / "queue" / "notes.txt").write_bytes(b"text")
    inputs = ("--files-from", tmp_path / "list") if how == "a listing" else (tmp_path / "queue",)
    report, remember = tmp_path / "new.csv", ("--state", tmp_path / "s.db", "--since-last")
    done = fakeface("scan", *inputs, "--report", report, *remember, env=no_torch)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert rows(report) == []
    assert report.read_text().startswith("schema_version,")
    assert fakeface("scan", *inputs, *remember, "--dry-run").returncode == ExitCode.COMPLETE
    # without --since-last nothing says that this is not a slip in the command line
    assert fakeface("scan", *inputs, *remember[:2]).returncode == ExitCode.NOTHING_TO_DO
    gone = fakeface("scan", tmp_path / "gone", "--report", report, *remember)
    assert gone.returncode == ExitCode.NOTHING_TO_DO
