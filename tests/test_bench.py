"""`fakeface bench`: its figures hang together, and it runs the loop it compares to."""

import json
import pathlib
from typing import Any

import pytest

from fakefacecli.errors import ExitCode
from tests.builders import PHOTOS
from tests.command import fakeface

RATES = ("seconds", "images_per_s", "faces_per_s")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "figures.json"
    done = fakeface("bench", PHOTOS, "--limit", 3, "--runs", 2, "--against-demo-loop",
                    "--json", path, "--precision", "fp32")  # fmt: skip
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "times as fast" in done.stdout
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def test_every_stage_and_the_whole_have_their_rates(found: dict[str, Any]) -> None:
    assert (found["images"], found["unreadable"], found["faces"]) == (3, 0, 3)
    assert list(found["stages"]) == ["decode", "detect", "judge", "write"]
    for rates in (found["end_to_end"], found["decode_only"], *found["stages"].values()):
        for name in RATES:
            assert 0 < rates[name]["least"] <= rates[name]["median"] <= rates[name]["most"]
        assert rates["images_per_s"]["most"] == pytest.approx(3 / rates["seconds"]["least"])
    for stage in found["stages"].values():
        assert 0 < stage["share_of_time"]["median"] < 1.05
    assert found["settings"]["precision"] == "fp32"


def test_the_demo_loop_judges_the_same_images(found: dict[str, Any]) -> None:
    demo = found["demo_loop"]
    assert demo["images"] == 3
    assert demo["faces"] >= 3
    low, high = found["end_to_end"]["images_per_s"], demo["images_per_s"]
    assert demo["ratio"]["least"] >= low["least"] / high["most"] * 0.999
    assert demo["ratio"]["most"] <= low["most"] / high["least"] * 1.001


def test_memory_is_that_of_the_process(found: dict[str, Any]) -> None:
    memory = found["memory"]
    assert 100 < memory["before_mb"] <= memory["peak_mb"] < 8000
    assert memory["gpu_peak_mb"] is None


def test_figures_on_stdout_are_json_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    done = fakeface("bench", tmp_path, "--runs", 1, "--json", "-")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert json.loads(done.stdout)["unreadable"] == 1


def test_a_folder_without_an_image_is_nothing_to_measure(tmp_path: pathlib.Path) -> None:
    done = fakeface("bench", tmp_path)
    assert done.returncode == ExitCode.NOTHING_TO_DO
    assert "no image" in done.stderr
