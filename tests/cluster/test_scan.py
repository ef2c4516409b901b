"""A scan on a cluster gives the report of one machine alone, whatever becomes of the cluster."""

import os
import pathlib
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from tests.builders import PHOTOS
from tests.cluster.conftest import two_nodes
from tests.command import assert_same, fakeface, rows, start

pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COUNT = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Photographs, and between them files that cannot be read."""
    folder = tmp_path_factory.mktemp("in")
    photos = sorted(PHOTOS.iterdir())
    for index in range(COUNT):
        path = folder / f"{index:04}.jpg"
        if index % 20 == 7:
            path.write_bytes(photos[0].read_bytes()[: 900 * index])
        else:
            shutil.copy(photos[index % len(photos)], path)
    return folder


@pytest.fixture(scope="module")
def alone(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The report of this machine alone."""
    report = tmp_path_factory.mktemp("alone") / "out.csv"
    assert fakeface("scan", folder, "--report", report).returncode == 3
    return report


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_nodes() as cluster:
        yield cluster


def until(what: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def finished(report: pathlib.Path) -> int:
    """Images in the journal of a scan that is running."""
    journal = report.with_name(f"{report.name}.journal")
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


def workers() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::Worker"):
            found.append(process)
    return found


def test_the_report_is_equal_though_a_worker_and_a_node_are_killed(
    folder: pathlib.Path, alone: pathlib.Path, cluster: Any, tmp_path: pathlib.Path
) -> None:
    report = tmp_path / "out.csv"
    run = start(
        *("scan", folder, "--report", report, "--engine", "ray", "--batch-size", 4),
        *("--ray-address", cluster.address),
        cold=True,
    )
    until(lambda: finished(report) > 8)
    assert len(workers()) == 2
    os.kill(workers()[0].pid, signal.SIGKILL)
    until(lambda: finished(report) > 40)
    cluster.remove_node(sorted(cluster.worker_nodes, key=id)[0], allow_graceful=False)
    assert finished(report) < COUNT
    _, err = run.communicate(timeout=400)
    assert run.returncode == 3, err
    assert len(rows(report)) == len(rows(alone))
    assert_same(report, alone)
    said = err.decode()
    assert "images/s on " in said
    assert "Traceback" not in said


def test_ctrl_c_ends_the_work_of_the_cluster_and_resume_goes_on(
    folder: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    report = tmp_path / "out.csv"
    run = start("scan", folder, "--report", report, "--engine", "ray", cold=True)
    until(lambda: finished(report) > 8)
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) > 3
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert time.monotonic() - began < 20
    assert err.decode().splitlines()[-1].endswith("--resume goes on from here")
    assert len(err.decode().splitlines()) == 1, err
    psutil.wait_procs(family, timeout=20)
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    # where it goes on makes no difference
    assert fakeface("scan", folder, "--report", report, "--resume").returncode == 3
    assert_same(report, alone)


def test_a_model_and_lists_of_ones_own_go_to_the_workers(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    from fakefacecli.models.bundled import find_model

    own = tmp_path / "own.safetensors"
    shutil.copy(find_model("inception-resnet-v1").path, own)
    few = sorted(folder.iterdir())[:3]
    for engine in ("local", "ray"):
        done = fakeface(
            *("scan", *few, "--model", own, "--engine", engine, "--overlays", tmp_path / engine),
            *("--report", tmp_path / f"{engine}.csv", "--report", tmp_path / f"{engine}.html"),
            cold=True,
        )
        assert done.returncode == 0, done.stderr
    found, wanted = rows(tmp_path / "ray.csv"), rows(tmp_path / "local.csv")
    assert [row["p_fake"] for row in found] == [row["p_fake"] for row in wanted]
    assert any(row["overlay"] for row in wanted)
    for row, same in zip(found, wanted, strict=True):
        assert row["overlay"].replace("ray/", "local/") == same["overlay"]
        if row["overlay"]:
            mine, theirs = tmp_path / row["overlay"], tmp_path / same["overlay"]
            assert mine.read_bytes() == theirs.read_bytes()


def test_what_cannot_work_is_refused_in_one_line(tmp_path: pathlib.Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(PHOTOS / "official_003.jpg", "a.jpg")
    done = fakeface("scan", f"zip://::{archive}", "--engine", "ray", cold=True)
    assert done.returncode == 2, done.stderr
    assert "reads no archives" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for words, said in (
        (("--actors", 2), "go with --engine ray"),
        (("--engine", "ray", "--device", "cuda:1"), "Ray divides the GPUs"),
        (("--engine", "ray", "--ray-address", "127.0.0.1:1"), "no cluster of Ray answers there"),
        (("--engine", "ray", "--ray-address", "here"), "wanted auto, or HOST:PORT"),
    ):
        done = fakeface("scan", PHOTOS / "official_003.jpg", *words, cold=True)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_without_ray_one_line_says_how_to_get_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('no Ray')\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.pathsep.join(sys.path)}"}
    done = fakeface("scan", PHOTOS / "official_003.jpg", "--engine", "ray", env=env)
    assert done.returncode == 2
    assert "--engine ray needs Ray; " in done.stderr
    assert len(done.stderr.splitlines()) == 1
