"""Which faces a model has learnt from is known to whoever measures it later."""

import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from fakefacecli.base.errors import ExitCode, Interrupted, UsageError
from fakefacecli.labelled.data import LabelledImage, read_data
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.run import Watch, run_training
from fakefacecli.train.split import Division
from fakefacecli.train.split_file import (
    division_path,
    keep_division,
    with_division,
    write_division,
)
from tests.command import fakeface, rows
from tests.drawn import draw_set

TINY = ("--faces-only", "--epochs", 1, "--batch-size", 16, "--device", "cpu")
FRESH = ("--backbone", "mobilenet_v1", "--input-px", 48)
QUICK = ("--faces-only", "--no-grid", "--resamples", 20, "--mistakes", 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return draw_set(tmp_path_factory.mktemp("drawn"), 40)


@pytest.fixture(scope="module")
def model(data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("trained") / "m.safetensors"
    done = fakeface("train", data, "--out", out, *TINY, *FRESH)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    return out


def sides(path: str) -> dict[str, str]:
    return {row["path"]: row["split"] for row in rows(pathlib.Path(path))}


def test_a_training_says_which_image_it_learnt_from(
    data: pathlib.Path, model: pathlib.Path
) -> None:
    kept = sides(division_path(str(model)))
    images = read_data(str(data))
    assert set(kept) == {os.path.realpath(image.path) for image in images}
    assert 0 < sum(side == "val" for side in kept.values()) < len(images) / 2
    again = read_data(division_path(str(model)))
    assert {(image.path, image.split) for image in again} == set(kept.items())


def test_an_evaluation_leaves_out_what_the_model_learnt_from(
    data: pathlib.Path, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    kept = sides(division_path(str(model)))
    val = {path for path, side in kept.items() if side == "val"}
    done = fakeface("evaluate", data, "--model", model, "--out", tmp_path / "e", *QUICK)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert f"left out: {len(kept) - len(val)} of split train" in done.stderr
    facts = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert facts["data"]["real"] + facts["data"]["fake"] == len(val)


def test_a_comparison_leaves_out_what_either_model_learnt_from(
    data: pathlib.Path, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = tmp_path / "other.safetensors"
    shutil.copy(model, other)
    kept = sides(division_path(str(model)))
    swapped = {path: {"train": "val", "val": "train"}[side] for path, side in kept.items()}
    with open(division_path(str(other)), "w", newline="", encoding="utf-8") as handle:
        lines = [(path, "real", side) for path, side in swapped.items()]
        csv.writer(handle).writerows([("path", "label", "split"), *lines])
    for pair in ((model, other), (other, model)):
        done = fakeface("evaluate", data, "--compare", *pair, "--out", tmp_path / "e", *QUICK[:1])
        assert done.returncode == ExitCode.NOTHING_TO_DO, done.stderr  # each image is in one


def test_a_calibrated_copy_keeps_the_division(
    data: pathlib.Path, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    copy = tmp_path / "calibrated.safetensors"
    flags = ("--out", copy, "--target-fpr", 0.5, "--faces-only")
    done = fakeface("calibrate", data, "--model", model, *flags)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "of split train; only val" in done.stderr
    assert sides(division_path(str(copy))) == sides(division_path(str(model)))


def test_what_a_model_began_from_had_learnt_is_not_forgotten(
    data: pathlib.Path, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    before = sides(division_path(str(model)))
    out = tmp_path / "n.safetensors"
    done = fakeface("train", data, "--init", model, "--out", out, *TINY, "--seed", 5)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert sides(division_path(str(out))) == before  # another seed, the same validation
    other = draw_set(tmp_path / "other", 20)
    later = tmp_path / "later.safetensors"
    done = fakeface("train", other, "--init", model, "--out", later, *TINY)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    after = sides(division_path(str(later)))
    learnt = {path for path, side in before.items() if side == "train"}
    assert learnt < {path for path, side in after.items() if side == "train"}


def test_a_model_that_is_there_is_replaced_by_no_training_and_no_calibration(
    data: pathlib.Path, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    mine = tmp_path / "m.safetensors"
    shutil.copy(model, mine)
    keep_division(str(model), str(mine))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # no such data: whatever is said first was found out before it was read
    for command in ("train", "calibrate"):
        done = fakeface(
            command, "no-data", "--out", "m.safetensors", "--device", "cpu", cwd=tmp_path
        )
        assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
        assert done.stderr == (
            "fakeface: cannot write m.safetensors: a model is there; name another file, or remove "
            "it first\n"
        )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    done = fakeface("train", data, "--out", mine, "--resume", *TINY, *FRESH)
    assert (done.returncode, "no interrupted training" in done.stderr) == (ExitCode.USAGE, True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_training_stopped_in_its_first_epoch_leaves_an_earlier_models_division(
    model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    mine = tmp_path / "m.safetensors"
    keep_division(str(model), str(mine))
    before = sides(division_path(str(mine)))

    def stop(done: int, of: int, loss: float) -> None:
        raise Interrupted(signal.SIGINT)

    tiny = {"backbone": "mobilenet_v1", "input_px": 48, "epochs": 1, "ready_scale": 1.15}
    other = draw_set(tmp_path / "other", 20)
    options = TrainOptions(str(other), str(mine), str(tmp_path / "cache"), **tiny)
    with pytest.raises(Interrupted, match="nothing was kept"):
        run_training(options, Watch(step=stop))
    assert sides(division_path(str(mine))) == before


def test_a_split_that_is_given_counts_more(data: pathlib.Path, model: pathlib.Path) -> None:
    images = read_data(str(data))
    found, told = with_division(images, str(model))
    assert told == len(images)
    assert with_division(found, str(model)) == (found, 0)


def test_another_file_of_that_name_is_no_division(
    data: pathlib.Path, model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    mine = tmp_path / "m.safetensors"
    shutil.copy(model, mine)
    with open(division_path(str(mine)), "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("name", "age"), ("Ann", 7)])
    done = fakeface("evaluate", data, "--model", mine, "--out", tmp_path / "e", *QUICK)
    assert done.returncode == ExitCode.USAGE
    assert "m.split.csv: not the division of a training" in done.stderr


NAMES = ["a,b.png", 'q"x.png', "\udcff\udcfe.png", "line\nbreak.png", "cr\rhere.png", "NA", " 007"]


def test_a_division_keeps_every_name_byte_for_byte(tmp_path: pathlib.Path) -> None:
    images = [LabelledImage(f"/{name}", n % 2 == 1, name, "test") for n, name in enumerate(NAMES)]
    out = str(tmp_path / "m.safetensors")
    write_division(out, images, Division([], [], []))
    assert with_division([replace(image, split="") for image in images], out) == (images, 7)


@pytest.mark.parametrize(
    "text", ["path,label,split\na.png,real\n", "path,label,split\na.png,real,x\n", 'path\n"a']
)
def test_a_torn_division_is_none(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "m.split.csv").write_text(text)
    with pytest.raises(UsageError, match=r"m\.split\.csv: not the division"):
        with_division([], str(tmp_path / "m.safetensors"))


@pytest.mark.parametrize("text", ["path,label,split\na.png,real,train\n", "name,age\nAnn,7\n"])
def test_a_file_with_a_bundled_models_name_here_is_not_its_division(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inception-resnet-v1.split.csv").write_text(text)
    images = [LabelledImage(str(tmp_path / "a.png"), False, "", "")]
    assert with_division(images, "inception-resnet-v1") == (images, 0)
    keep_division("inception-resnet-v1", "m.safetensors")
    assert not os.path.lexists("m.split.csv")
    write_division("m.safetensors", [], Division([], [], []), start="inception-resnet-v1")
    assert sides("m.split.csv") == {}


def test_a_step_that_takes_too_long_is_cut_off_with_the_last_words() -> None:
    script = (
        "import signal, time\n"
        "from fakefacecli.cli.console import stoppable\n"
        "with stoppable(0.2, 'the best is kept') as stop:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, timeout=30
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr == b"fakeface: stopped at once; the best is kept\n"
