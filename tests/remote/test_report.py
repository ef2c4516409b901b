"""Reports that go to a store: whole or not at all, and tried before anything is scanned."""

import pathlib

import pytest

from fakefacecli.base.errors import ExitCode
from fakefacecli.remote.upload import staged_path
from tests.builders import PHOTO, put
from tests.command import assert_same, fakeface, json_lines
from tests.remote.conftest import Bucket
from tests.remote.web import refusing_proxy


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "html", "parquet", "sqlite"])
def test_every_format_arrives_whole(bucket: Bucket, tmp_path: pathlib.Path, ending: str) -> None:
    put(tmp_path / "a.jpg")
    here, there = tmp_path / f"out.{ending}", bucket.url(f"deep/out.{ending}")
    bucket.put(f"deep/out.{ending}", b"the previous report")
    done = fakeface("scan", tmp_path / "a.jpg", "--report", there, "--report", here)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert there in done.stderr
    data = bucket.get(f"deep/out.{ending}")
    if ending in ("csv", "jsonl", "json", "parquet"):
        assert data == here.read_bytes()
    assert len(data) > 500
    assert bucket.listed() == [f"deep/out.{ending}"]
    staged = pathlib.Path(staged_path(there))
    assert staged.is_relative_to(tmp_path / "own")
    assert not list(staged.parent.iterdir())


def test_a_put_that_fails_leaves_the_old_object_and_a_journal_to_resume(
    bucket: Bucket, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "in" / "a.jpg")
    put(tmp_path / "in" / "b.jpg", 260)
    bucket.put("out.csv", b"the previous report")
    (tmp_path / "local.csv").write_text("the previous report")
    words = (
        *("scan", tmp_path / "in", "--report", bucket.url("out.csv")),
        *("--report", tmp_path / "local.csv"),
    )
    server = bucket.client.meta.endpoint_url
    with refusing_proxy(server, "/out.csv", 403) as address, monkeypatch.context() as elsewhere:
        elsewhere.setenv("AWS_ENDPOINT_URL", address)
        done = fakeface(*words)
    journal = pathlib.Path(staged_path(bucket.url("out.csv")) + ".journal")
    assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
    assert done.stderr == (
        f"fakeface: cannot write {bucket.url('out.csv')}: the store gives no permission to write "
        f"to this place for a report; nothing was replaced; all rows are in {journal}: --resume "
        "tries again\n"
    )
    assert bucket.get("out.csv") == b"the previous report"
    assert (tmp_path / "local.csv").read_text() == "the previous report"
    assert journal.read_bytes().count(b"\n") == 3
    done = fakeface(*words, "--resume")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "2  of them finished before this run was resumed" in done.stderr
    (tmp_path / "theirs.csv").write_bytes(bucket.get("out.csv"))
    assert_same(tmp_path / "theirs.csv", tmp_path / "local.csv")
    assert not journal.exists()


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ("s3://there-is-no-such-bucket/out.csv", ExitCode.CANNOT_WRITE, "no such place"),
        ("https://example.org/out.csv", ExitCode.USAGE, "takes none"),
        ("zip://a::s3://bucket/out.csv", ExitCode.USAGE, "takes none"),
        ("s3://bucket/out.txt", ExitCode.USAGE, "its suffix is none of"),
        ("nonsense://bucket/out.csv", ExitCode.USAGE, "no kind of place"),
    ],
)
def test_a_target_that_cannot_work_is_refused_before_the_scan(
    bucket: Bucket, tmp_path: pathlib.Path, target: str, code: ExitCode, words: str
) -> None:
    done = fakeface("scan", PHOTO, "--report", target)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert words in done.stderr


@pytest.mark.parametrize(
    "flag", ["--overlays", "--copy-flagged", "--list-skipped", "--manifest", "--state"]
)
def test_other_outputs_take_no_url(bucket: Bucket, tmp_path: pathlib.Path, flag: str) -> None:
    more = ("--report", tmp_path / "out.csv") if flag == "--manifest" else ()
    done = fakeface("scan", PHOTO, flag, bucket.url("x"), *more)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(f"fakeface: {flag} {bucket.url('x')}: wanted a path here")


def test_a_manifest_names_the_objects_of_a_run(bucket: Bucket, tmp_path: pathlib.Path) -> None:
    bucket.put("in/a.jpg", PHOTO.read_bytes())
    manifest = tmp_path / "manifest.json"
    done = fakeface(
        *("scan", bucket.url("in"), "--report", bucket.url("out.jsonl"), "--manifest", manifest)
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    text = manifest.read_text()
    for url in (bucket.url("in/a.jpg"), bucket.url("out.jsonl")):
        assert f'"path": "{url}"' in text
    (tmp_path / "out.jsonl").write_bytes(bucket.get("out.jsonl"))
    rows, _ = json_lines((tmp_path / "out.jsonl").read_text())
    assert rows[0]["sha256"] in text


def test_reports_in_stores_that_cannot_be_read_are_named(bucket: Bucket) -> None:
    bucket.put("bad.json", b"{}")
    for name, code, words in (
        ("none.csv", ExitCode.NOTHING_TO_DO, "no such report"),
        ("bad.json", ExitCode.USAGE, "not a report of fakeface scan"),
    ):
        done = fakeface("report", bucket.url(name), "--to", "-")
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
        assert done.stderr.startswith(f"fakeface: {bucket.url(name)}: ")
        assert words in done.stderr
