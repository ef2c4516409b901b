"""Scans of stores, with real servers on loopback: the rows are those of the same files here."""

import json
import os
import pathlib
import signal
import time
import zipfile

import pytest

from fakefacecli.base.errors import ExitCode
from tests.builders import PHOTO, PHOTOS, put
from tests.command import assert_same, fakeface, json_lines, rows, start
from tests.remote.conftest import Bucket
from tests.remote.objects import OTHERS, fill, relative, tiny
from tests.remote.web import failing_server

SMALL_FILES = 300


def test_a_bucket_has_the_rows_of_the_same_folder(bucket: Bucket, tmp_path: pathlib.Path) -> None:
    fill(bucket, tmp_path / "in", SMALL_FILES)
    theirs, mine = tmp_path / "s3.jsonl", tmp_path / "here.jsonl"
    done = fakeface("scan", bucket.url("in"), "--report", theirs)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert fakeface("scan", tmp_path / "in", "--report", mine).returncode == done.returncode
    _, header = json_lines(theirs.read_text())
    _, local = json_lines(mine.read_text())
    assert header["counts"] == local["counts"]
    assert header["counts"]["images"] == SMALL_FILES + OTHERS
    assert header["options"]["paths"] == [bucket.url("in")]
    for report in (theirs, mine):
        fakeface("report", report, "--to", report.with_suffix(".csv"))
    assert relative(theirs.with_suffix(".csv"), bucket.url("in")) == relative(
        mine.with_suffix(".csv"), str(tmp_path / "in")
    )
    assert not list((tmp_path / "temporary").glob("fakeface-*"))


def test_rules_for_names_are_those_of_folders(bucket: Bucket, tmp_path: pathlib.Path) -> None:
    fill(bucket, tmp_path / "in", 14)
    for more in (["--no-recursive"], ["--exclude", "[0-3]"], ["--include", "*.txt"]):
        # paths of a dry run; what was passed over is compared in a scan
        theirs = fakeface("scan", bucket.url("in"), "--dry-run", *more)
        mine = fakeface("scan", tmp_path / "in", "--dry-run", *more)
        assert theirs.returncode == mine.returncode
        assert theirs.stdout.replace(bucket.url("in"), "") == mine.stdout.replace(
            str(tmp_path / "in"), ""
        )


def test_shards_of_a_bucket_merged_equal_the_whole(bucket: Bucket, tmp_path: pathlib.Path) -> None:
    fill(bucket, tmp_path / "in", 60)
    bucket.put("in/p-1.jpg", tiny(7))  # in the order of keys it comes before what is in p/
    for part in ("1/3", "2/3", "3/3"):
        report = bucket.url(f"out/{part[0]}.parquet")
        done = fakeface("scan", bucket.url("in"), "--shard", part, "--report", report)
        assert done.returncode in (ExitCode.COMPLETE, ExitCode.SOME_UNREADABLE), done.stderr
    whole = tmp_path / "whole.csv"
    fakeface("scan", bucket.url("in"), "--report", whole)
    parts = [bucket.url(f"out/{number}.parquet") for number in (1, 2, 3)]
    done = fakeface("report", *parts, "--to", bucket.url("out/merged.csv"))
    assert done.returncode == 0, done.stderr
    merged = tmp_path / "merged.csv"
    merged.write_bytes(bucket.get("out/merged.csv"))
    assert_same(merged, whole)


def test_errors_of_a_store_are_rows_and_secrets_stay_out(tmp_path: pathlib.Path) -> None:
    report = tmp_path / "out.jsonl"
    with failing_server(PHOTO.read_bytes()) as (address, asked):
        secret = address.replace("http://", "http://user:hunter2@")
        urls = [
            f"{secret}/fine/a.jpg?X-Amz-Signature=deadbeef",
            *(f"{address}/{kind}/a.jpg" for kind in (403, 404, 410, 418, 503, "busy", "cut")),
        ]
        listing = tmp_path / "urls"
        listing.write_text("\n".join(urls))
        done = fakeface("scan", "--files-from", listing, "--report", report, "--resume")
        assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
        found, header = json_lines(report.read_text())
    assert [row["error_code"] for row in found] == [
        *(None, "forbidden", "vanished", "vanished", "io_error", "io_error", None, None)
    ]
    assert found[4]["error"] == "object: the store answered 418"
    assert found[5]["error"] == "object: the store answered 503, 5 times"
    assert asked["/503/a.jpg"] == 5
    assert asked["/403/a.jpg"] == asked["/404/a.jpg"] == asked["/418/a.jpg"] == 1
    assert asked["/busy/a.jpg"] == asked["/cut/a.jpg"] == 3
    assert found[0]["path"].startswith(f"{address}/fine/a.jpg?sha256=")
    for said in (report.read_text(), done.stderr, json.dumps(header)):
        assert "hunter2" not in said
        assert "deadbeef" not in said


def test_an_endless_answer_is_cut_off_at_the_limit(tmp_path: pathlib.Path) -> None:
    report = tmp_path / "out.csv"
    with failing_server(b"") as (address, _):
        url = f"{address}/endless/a.jpg"
        done = fakeface("scan", url, "--report", report, "--max-memory", "64M", timeout=120)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert rows(report)[0]["error_code"] == "too_large"
    assert "at most 16,777,216 are fetched" in rows(report)[0]["error"]


def test_objects_that_vanish_or_are_too_large_are_rows(
    bucket: Bucket, tmp_path: pathlib.Path
) -> None:
    bucket.put("in/a.jpg", PHOTO.read_bytes())
    bucket.put("in/large.jpg", bytes(2 << 20))
    listing = tmp_path / "keys"
    listing.write_text(
        f"{bucket.url('in/a.jpg')}\n{bucket.url('in/gone.jpg')}\n{bucket.url('in/')}"
    )
    report = tmp_path / "out.csv"
    done = fakeface("scan", "--files-from", listing, "--report", report, "--max-memory", "4M")
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    names = [(row["path"].rpartition("/")[2], row["error_code"]) for row in rows(report)]
    assert names == [("a.jpg", ""), ("gone.jpg", "vanished"), ("large.jpg", "too_large")]
    assert rows(report)[2]["bytes"] == str(2 << 20)


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("s3://no-such-bucket-here/x", ExitCode.NOTHING_TO_DO, "no such file or folder"),
        ("nonsense://x/y", ExitCode.USAGE, "no kind of place that is known"),
    ],
)
def test_what_is_not_there_ends_the_run_in_a_line(
    bucket: Bucket, url: str, code: ExitCode, words: str
) -> None:
    done = fakeface("scan", url)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert words in done.stderr


def test_archives_are_read_from_stores_and_from_here(
    bucket: Bucket, tmp_path: pathlib.Path
) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for photo in sorted(PHOTOS.iterdir())[:2]:
            made.write(photo, f"deep/{photo.name}")
        made.writestr("top.jpg", tiny(3))
        made.writestr("notes.txt", "no picture")
    bucket.put("a.zip", archive.read_bytes())
    seen = []
    for number, place in enumerate((f"file://{archive}", bucket.url("a.zip"))):
        report = tmp_path / f"{number}.csv"
        done = fakeface("scan", f"zip://::{place}", "--report", report)
        assert done.returncode == ExitCode.COMPLETE, done.stderr
        found = rows(report)
        assert {row["path"].partition("::")[2] for row in found} == {place}
        seen.append([(row["path"].partition("::")[0], row["sha256"]) for row in found])
    assert seen[0] == seen[1]
    assert [name.rpartition("/")[2] for name, _ in seen[0]][-1] == "top.jpg"
    done = fakeface("scan", f"zip://*.jpg::file://{archive}", "--dry-run")
    assert done.stdout == f"zip://top.jpg::file://{archive}\n"


def test_paths_and_urls_together_are_refused(bucket: Bucket) -> None:
    done = fakeface("scan", PHOTO, bucket.url("x"))
    assert (done.returncode, done.stderr.count("\n")) == (ExitCode.USAGE, 1)


def test_a_path_that_looks_like_a_url_is_one_behind_a_dot(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "s3:" / "b" / "a.jpg")
    done = fakeface("scan", "./s3://b", "--dry-run", cwd=tmp_path)
    assert done.stdout == "./s3://b/a.jpg\n"
    done = fakeface("scan", f"file://{tmp_path}", "--dry-run")
    assert done.stdout == f"{tmp_path}/s3:/b/a.jpg\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_fetched_file_and_resume_continues(
    bucket: Bucket, tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    for index in range(60):
        bucket.put(f"in/{index:03}.jpg", put(tmp_path / "one.jpg", 240 + index).read_bytes())
    words = ("scan", bucket.url("in"), "--report", bucket.url("out.csv"), "--batch-size", "4")
    journals = tmp_path / "own" / "fakeface" / "remote"

    def journalled() -> int:
        return sum(path.read_bytes().count(b"\n") for path in journals.glob("*/out.csv.journal"))

    with start(*words) as process:
        deadline = time.monotonic() + 120
        while journalled() < 6 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=30)
        assert time.monotonic() - began < 6
    temporary = tmp_path / "temporary"
    if number is signal.SIGKILL:
        for left in temporary.glob("fakeface-*"):  # as if it had been killed a while ago
            os.utime(left, (0, 0))
    else:
        assert process.returncode == 128 + number
        assert not list(temporary.glob("fakeface-*"))
    assert "out.csv" not in bucket.listed()
    before = journalled()
    assert 6 <= before < 61
    done = fakeface(*words, "--resume")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert f"{before - 1}  of them finished before" in done.stderr.replace("  ", "  ")
    (tmp_path / "out.csv").write_bytes(bucket.get("out.csv"))
    assert len({row["path"] for row in rows(tmp_path / "out.csv")}) == 60
    assert not list(temporary.glob("fakeface-*"))
