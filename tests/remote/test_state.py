"""Nightly runs over a store: only what is new there is fetched."""

import pathlib

from fakefacecli.base.errors import ExitCode
from tests.builders import PHOTO, put
from tests.command import fakeface, rows
from tests.remote.conftest import Bucket
from tests.remote.objects import tiny


def test_only_what_is_new_or_changed_is_fetched_and_reported(
    bucket: Bucket, tmp_path: pathlib.Path
) -> None:
    for number in range(6):
        bucket.put(f"in/{number}.jpg", put(tmp_path / "a.jpg", 240 + number).read_bytes())
    state, report = tmp_path / "state.db", tmp_path / "out.csv"
    words = ("scan", bucket.url("in"), "--state", state, "--report", report)
    assert fakeface(*words).returncode == ExitCode.COMPLETE
    first = {row["path"]: row["p_fake"] for row in rows(report)}
    bucket.put("in/2.jpg", tiny(2))
    bucket.put("in/new.jpg", PHOTO.read_bytes())
    done = fakeface(*words)
    assert "5  of them known from the state" in done.stderr
    second = {row["path"]: row["p_fake"] for row in rows(report)}
    changed = {bucket.url("in/2.jpg"), bucket.url("in/new.jpg")}
    assert {path for path in second if second[path] != first.get(path)} == changed
    bucket.put("in/z.jpg", tiny(9))
    assert fakeface(*words, "--since-last").returncode == ExitCode.COMPLETE
    assert [row["path"] for row in rows(report)] == [bucket.url("in/z.jpg")]
    done = fakeface(*words, "--verify-hash")
    assert "known from the state" not in done.stderr
    # what lies in a store is not taken for a file that is gone
    done = fakeface("state", "prune", state, "--missing")
    assert done.returncode == 0, done.stderr
    assert "8  of them known from the state" in fakeface(*words).stderr
