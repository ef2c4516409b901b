import pathlib

import pytest

from tests.builders import PHOTOS
from tests.command import assert_same, fakeface, rows
from tests.remote.conftest import Bucket

pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")


@pytest.mark.slow
def test_the_workers_of_a_cluster_fetch_from_a_store(
    bucket: Bucket, tmp_path: pathlib.Path
) -> None:
    photos = sorted(PHOTOS.iterdir())[:5]
    for path in photos:
        bucket.put(f"in/{path.name}", path.read_bytes())
    bucket.put("in/cut.jpg", photos[0].read_bytes()[:9000])
    reports = [tmp_path / "local.csv", tmp_path / "ray.csv"]
    for report in reports:
        done = fakeface(
            *("scan", bucket.url("in"), "--engine", report.stem, "--report", report),
            env={**bucket.env, "RAY_TMPDIR": "/tmp"},  # a socket's path has 107 bytes at most
        )
        assert done.returncode == 3, done.stderr
    assert len(rows(reports[0])) == 6
    assert_same(*reports)
