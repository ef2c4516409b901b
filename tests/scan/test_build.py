import pathlib
import subprocess
import sys

import psutil
import pytest
import torch

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.options import DecodeOptions, JudgeOptions, ScanOptions, SourceOptions
from fakefacecli.models.bundled import find_model
from fakefacecli.models.checkpoint import load, save
from fakefacecli.scan.build import build
from tests.command import SMALL


def test_a_model_that_is_refused_leaves_no_decoder_process(tmp_path: pathlib.Path) -> None:
    small = find_model(SMALL)
    state = load(small).state_dict()  # type: ignore[arg-type]
    state["logits.bias"] = torch.full_like(state["logits.bias"], torch.nan)
    path = str(tmp_path / "broken.safetensors")
    save(path, state, small.card)  # type: ignore[arg-type]
    options = ScanOptions(
        SourceOptions(), judge=JudgeOptions(path, device="cpu"), decode=DecodeOptions(workers=2)
    )
    before = set(psutil.Process().children())
    with pytest.raises(ModelRefused, match="NaN"):
        build(options, find_model(path))
    assert set(psutil.Process().children()) == before


# in a process of its own: what is imported stays
LOADED = """
import sys, threading
from importlib.abc import MetaPathFinder
from fakefacecli.base.options import JudgeOptions
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.build import build_judge
beside = []
class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            beside.append(name)
sys.meta_path.insert(0, Watch())
name = "fakeface-judge-2026.11"
build_judge(JudgeOptions(name, device="cpu"), find_model(name))
libraries = ("facenet_pytorch", "timm", "torchvision", "onnxruntime")
found = [one for one in beside if one.split(".")[0] in libraries]
assert not found, found
assert "timm" in sys.modules
heavy = {"torch._dynamo", "sympy", "triton", "pandas", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_judge_is_loaded_without_the_compiler_and_libraries_on_one_thread_only() -> None:
    # two threads that import parts of one library find it half imported, now and then
    subprocess.run([sys.executable, "-c", LOADED], check=True, timeout=120)
