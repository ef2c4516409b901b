import pathlib

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
