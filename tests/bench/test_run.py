"""`fakeface bench`: its figures hang together; and how the original demo's loop compares."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.records import ImageRef
from tests.bench.against_demo import run_demo
from tests.builders import PHOTOS, ROOT
from tests.command import fakeface

RATES = ("seconds", "images_per_s", "faces_per_s")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "figures.json"
    done = fakeface(
        "bench",
        PHOTOS,
        "--limit",
        3,
        "--runs",
        2,
        "--json",
        path,
        "--precision",
        "fp32",
        "--device",
        "cpu",
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def against_demo(*args: object, **how: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.against_demo", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, **how)


def test_every_stage_and_the_whole_have_their_rates(found: dict[str, Any]) -> None:
    assert (found["images"], found["unreadable"], found["faces"]) == (3, 0, 3)
    assert list(found["stages"]) == ["decode", "detect", "detect_second", "judge", "write"]
    for rates in (found["end_to_end"], found["decode_only"], *found["stages"].values()):
        for name in RATES:
            assert 0 < rates[name]["least"] <= rates[name]["median"] <= rates[name]["most"]
        assert rates["images_per_s"]["most"] == pytest.approx(3 / rates["seconds"]["least"])
    for stage in found["stages"].values():
        assert 0 < stage["share_of_time"]["median"] < 1.05
    assert found["settings"]["precision"] == "fp32"


def test_with_one_detector_there_is_no_stage_of_the_second() -> None:
    flags = ("--limit", 1, "--runs", 1, "--detector", "mtcnn", "--json", "-", "--device", "cpu")
    done = fakeface("bench", PHOTOS, *flags)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    figures = json.loads(done.stdout)
    assert list(figures["stages"]) == ["decode", "detect", "judge", "write"]
    assert figures["settings"]["detector"] == "mtcnn"


def test_the_demo_loop_judges_the_same_images(tmp_path: pathlib.Path) -> None:
    flags = ("--limit", 3, "--runs", 2, "--precision", "fp32", "--device", "cpu")
    path = tmp_path / "figures.json"
    with against_demo(PHOTOS, *flags, "--json", path, stdout=subprocess.PIPE) as process:
        out, complaints = process.communicate(timeout=300)
    assert process.returncode == ExitCode.COMPLETE, complaints
    assert b"times as fast" in out
    found = json.loads(path.read_text())
    demo = found["demo_loop"]
    assert demo["images"] == 3
    assert demo["faces"] >= 3
    low, high = found["images_per_s"], demo["images_per_s"]
    assert demo["ratio"]["least"] >= low["least"] / high["most"] * 0.999
    assert demo["ratio"]["most"] <= low["most"] / high["least"] * 1.001


def test_memory_is_that_of_the_processes(found: dict[str, Any]) -> None:
    memory = found["memory"]
    assert 100 < memory["before_mb"] <= memory["peak_mb"] < 8000
    assert 20 < memory["decoders_mb"] < 4000
    assert memory["gpu_peak_mb"] is None
    assert found["gpu_busy"] is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_memory_is_not_that_of_the_program_that_started_it() -> None:
    tell = "from fakefacecli.bench.clocks import peak_mb; print(peak_mb())"
    then = f"subprocess.run([sys.executable, '-c', {tell!r}])"
    huge = f"import subprocess, sys; b'x' * (700 << 20); {then}"
    done = subprocess.run([sys.executable, "-c", huge], capture_output=True, check=True, cwd=ROOT)
    assert 5 < float(done.stdout) < 400


def test_figures_on_stdout_are_json_alone_and_leave_out_what_cannot_be_read(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    for name in ("official_003.jpg", "generated_004.jpg"):
        shutil.copy(PHOTOS / name, tmp_path)
    done = fakeface("bench", tmp_path, "--runs", 1, "--json", "-")
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["images"], figures["unreadable"]) == (3, 1)
    for name, count in (
        ("decode", 3),
        ("detect", 2),
        ("detect_second", 2),
        ("judge", 2),
        ("write", 3),
    ):
        rates = figures["stages"][name]
        wanted = pytest.approx(count / rates["seconds"]["median"])
        assert rates["images_per_s"]["median"] == wanted


def test_a_folder_of_broken_files_is_nothing_to_measure(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    done = fakeface("bench", tmp_path)
    assert done.returncode == ExitCode.NOTHING_TO_DO
    assert "none of 1 inputs can be read" in done.stderr


def test_a_file_that_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: pathlib.Path,
) -> None:
    for target in (tmp_path, tmp_path / "not there" / "figures.json"):
        done = fakeface("bench", PHOTOS, "--json", target)
        assert done.returncode == ExitCode.CANNOT_WRITE
        assert str(target) in done.stderr
        assert "run 1" not in done.stderr


def test_the_demo_loop_takes_no_module_from_the_current_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(PHOTOS / "official_003.jpg", tmp_path)
    for name in ("json", "numpy", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    figures = run_demo([ImageRef(0, "official_003.jpg", "x")], "cpu", lambda: None)
    assert (figures["images"], figures["faces"]) == (1, 1)


def test_ctrl_c_ends_the_demo_loop_as_well(tmp_path: pathlib.Path) -> None:
    many = tmp_path / "in"
    many.mkdir()
    for number in range(40):
        shutil.copy(PHOTOS / "official_003.jpg", many / f"{number}.jpg")
    with against_demo(many, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        said = list(iter(process.stderr.readline, b"fakeface: the demo's loop, run 1 of 3\n"))
        assert said[-1] == b"fakeface: run 1 of 3\n"
        time.sleep(1.0)
        offspring = psutil.Process(process.pid).children(recursive=True)
        assert any("demo_loop" in " ".join(child.cmdline()) for child in offspring)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == ExitCode.SIGINT
        assert b"stopped by SIGINT" in process.stderr.read()
    _, alive = psutil.wait_procs(offspring, timeout=10)
    assert not alive


def test_a_folder_without_an_image_is_nothing_to_measure(tmp_path: pathlib.Path) -> None:
    done = fakeface("bench", tmp_path)
    assert done.returncode == ExitCode.NOTHING_TO_DO
    assert "no image" in done.stderr
