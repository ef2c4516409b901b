"""Models that strangers made or changed: refused in one line, and none of their code runs."""

import os
import pathlib
import pickle
import shutil

import pytest

from fakefacecli.base.errors import ExitCode
from tests.builders import PHOTOS, ROOT, put
from tests.command import fakeface
from tests.models import test_checkpoint


def test_bundled_weights_that_were_changed_are_refused(tmp_path: pathlib.Path) -> None:
    shutil.copytree(
        ROOT / "fakefacecli",
        tmp_path / "fakefacecli",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    weights = tmp_path / "fakefacecli" / "models" / "weights" / "inception-resnet-v1.safetensors"
    with open(weights, "r+b") as handle:
        handle.seek(-1000, os.SEEK_END)
        byte = handle.read(1)
        handle.seek(-1000, os.SEEK_END)
        handle.write(bytes([byte[0] ^ 1]))
    put(tmp_path / "in" / "a.jpg")
    # the network is a model by itself, and a member of the judge of several
    for command, models in ((["scan", "in", "--report", "out.csv"], 1), (["models", "verify"], 2)):
        done = fakeface(*command, cwd=tmp_path, cold=True)
        assert done.returncode == ExitCode.MODEL_REFUSED
        lines = done.stderr.splitlines()
        assert len(lines) == models
        for line in lines:
            assert "sha256" in line
            assert "reinstall" in line
    assert not (tmp_path / "out.csv").exists()


def bad_model(kind: str, folder: pathlib.Path) -> pathlib.Path:
    path = folder / f"{kind}.safetensors"
    if kind == "pickle":
        path = folder / "model.pt"
        path.write_bytes(pickle.dumps(test_checkpoint.Bomb(str(folder / "ran"))))
    elif kind == "truncated":
        path.write_bytes(pathlib.Path(test_checkpoint.MODEL.path).read_bytes()[:1_000_000])
    elif kind == "huge header":
        path.write_bytes(test_checkpoint.BYTES["huge-header"])
    else:
        state, card = test_checkpoint.bundled()
        weight = state["logits.weight"]
        changed = weight.repeat(2, 1) if kind == "shape" else weight * float("nan")
        test_checkpoint.save(path, {**state, "logits.weight": changed}, card)
    return path


@pytest.mark.parametrize("kind", ["pickle", "truncated", "huge header", "shape", "nan"])
def test_an_untrusted_model_is_refused_in_one_line(tmp_path: pathlib.Path, kind: str) -> None:
    report = tmp_path / "out.csv"
    report.write_text("the previous report")
    model = bad_model(kind, tmp_path)
    done = fakeface("scan", PHOTOS, "--report", report, "--model", model)
    assert done.returncode == ExitCode.MODEL_REFUSED, done.stderr
    assert done.stderr.count("\n") == 1
    assert model.name in done.stderr
    assert report.read_text() == "the previous report"
    assert not (tmp_path / "ran").exists()
