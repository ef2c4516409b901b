"""Every way a model file can be wrong is refused in one line that names it."""

import json
import os
import pathlib
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from fakefacecli.base.errors import ModelRefused
from fakefacecli.models import checkpoint
from fakefacecli.models.bundled import BUNDLED, BundledModel, find_model
from fakefacecli.models.calibration import Calibration
from fakefacecli.models.card import parse_card
from fakefacecli.models.checkpoint import load, read_checkpoint

MODEL = BUNDLED["inception-resnet-v1"]
State = dict[str, torch.Tensor]
Card = dict[str, object]


def bundled() -> tuple[State, Card]:
    with open(MODEL.path, "rb") as handle:
        data = handle.read()
    (length,) = struct.unpack("<Q", data[:8])
    card = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["card"])
    return safetensors.torch.load(data), card


def save(path: pathlib.Path, state: State, card: Card | str | None) -> str:
    text = card if isinstance(card, str) else json.dumps(card)
    safetensors.torch.save_file(state, path, {"card": text} if card is not None else None)
    return str(path)


def refused(path: str) -> str:
    """The one line the file is refused with."""
    with pytest.raises(ModelRefused) as caught:
        load(read_checkpoint(path))
    text = str(caught.value)
    assert "\n" not in text
    assert pathlib.Path(path).name in text
    return text


def test_the_bundled_model_loads_and_is_the_one_we_shipped() -> None:
    found = find_model("inception-resnet-v1")
    assert found.sha256 == MODEL.sha256
    assert not any(parameter.requires_grad for parameter in load(found).parameters())


def test_a_checkpoint_of_ours_loads_from_a_file(tmp_path: pathlib.Path) -> None:
    shutil.copy(MODEL.path, tmp_path / "mine.safetensors")
    assert find_model(str(tmp_path / "mine.safetensors")).card == find_model(MODEL.name).card


def test_a_bundled_file_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = BundledModel(MODEL.name, MODEL.file, "0" * 64)
    monkeypatch.setitem(BUNDLED, MODEL.name, changed)
    with pytest.raises(ModelRefused, match="reinstall"):
        find_model(MODEL.name)


BYTES: dict[str, bytes] = {
    "empty": b"",
    "short": b"\x05",
    "text": b"this is no model at all, not even nearly",
    "huge-header": struct.pack("<Q", 1 << 60) + b"{}",
    "long-header": struct.pack("<Q", 5_000_000) + b" " * 5_000_000,
    "not-json": struct.pack("<Q", 8) + b"\xff" * 8,
    "nested": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "list": struct.pack("<Q", 2) + b"[]",
    "no-card": struct.pack("<Q", 2) + b"{}",
    "card-is-a-number": struct.pack("<Q", 25) + b'{"__metadata__":{"card":1}}'[:25],
    "zip": b"PK\x03\x04" + b"\0" * 100,
}


@pytest.mark.parametrize("kind", BYTES)
def test_what_is_no_checkpoint_is_refused(tmp_path: pathlib.Path, kind: str) -> None:
    (tmp_path / f"{kind}.safetensors").write_bytes(BYTES[kind])
    refused(str(tmp_path / f"{kind}.safetensors"))


class Bomb:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, mark: str):
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return open, (self.mark, "w")


def test_a_pickle_is_refused_and_its_code_not_run(tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "bomb.pt").write_bytes(pickle.dumps(Bomb(str(mark))))
    torch.save({"model": Bomb(str(mark))}, tmp_path / "bomb.pth")
    assert "pickle" in refused(str(tmp_path / "bomb.pt"))
    assert "pickle" in refused(str(tmp_path / "bomb.pth"))
    assert not mark.exists()


def test_a_missing_file_and_a_folder_are_refused(tmp_path: pathlib.Path) -> None:
    assert "no such model file" in refused(str(tmp_path / "gone.safetensors"))
    (tmp_path / "folder").mkdir()
    assert "folder is a folder; wanted" in refused(str(tmp_path / "folder"))
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(str(tmp_path / "pipe"))


def test_what_is_no_checkpoint_is_called_by_its_name(tmp_path: pathlib.Path) -> None:
    for kind, words in (
        ("empty", "empty.safetensors is empty"),
        ("text", "not a safetensors file; wanted a fakeface checkpoint"),
        ("huge-header", "not a safetensors file"),
        ("zip", "a pickle"),
    ):
        (tmp_path / f"{kind}.safetensors").write_bytes(BYTES[kind])
        assert words in refused(str(tmp_path / f"{kind}.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(pathlib.Path(MODEL.path).read_bytes()[:100])
    assert "cut off after 100 bytes" in refused(str(tmp_path / "cut.safetensors"))


def test_a_truncated_checkpoint_is_refused(tmp_path: pathlib.Path) -> None:
    data = pathlib.Path(MODEL.path).read_bytes()
    for part in (1000, 200_000, len(data) - 1):
        (tmp_path / "cut.safetensors").write_bytes(data[:part])
        refused(str(tmp_path / "cut.safetensors"))


def test_wrong_tensors_are_refused(tmp_path: pathlib.Path) -> None:
    state, card = bundled()
    path = tmp_path / "wrong.safetensors"
    nan = state["logits.weight"].clone()
    nan[0, 0] = float("nan")
    assert "NaN" in refused(save(path, {**state, "logits.weight": nan}, card))
    for infinite in (float("inf"), float("-inf")):
        nan[0, 0] = infinite
        assert "infinity" in refused(save(path, {**state, "logits.weight": nan}, card))
    shape = state["logits.weight"].repeat(2, 1)
    assert "(2, 512)" in refused(save(path, {**state, "logits.weight": shape}, card))
    whole = state["logits.weight"].to(torch.int64)
    assert "int64" in refused(save(path, {**state, "logits.weight": whole}, card))
    less = {name: tensor for name, tensor in state.items() if name != "logits.bias"}
    assert "logits.bias" in refused(save(path, less, card))
    assert "1 unknown" in refused(save(path, {**state, "more\x1b": nan}, card))


def test_an_unknown_backbone_is_refused(tmp_path: pathlib.Path) -> None:
    state, card = bundled()
    text = refused(save(tmp_path / "b.safetensors", state, card | {"backbone": "resnet9000"}))
    assert "resnet9000" in text


CARDS: dict[str, Callable[[Card], object]] = {
    "resize": lambda card: card | {"resize": "nearest"},
    "outputs": lambda card: card | {"outputs": 2},
    "std": lambda card: card | {"std": 0},
    "mean": lambda card: card | {"mean": "NaN"},
    "input_px": lambda card: card | {"input_px": 10**9},
    "thresholds": lambda card: card | {"thresholds": {"low": 0.9, "high": 0.1}},
    "calibration": lambda card: card | {"calibration": {"method": "magic", "a": 1, "b": 0}},
    "slope": lambda card: card | {"calibration": {"method": "platt", "a": -1, "b": 0}},
    "crop": lambda card: card | {"crop": []},
    "no name": lambda card: {key: value for key, value in card.items() if key != "name"},
    "a list": lambda card: [card],
}


@pytest.mark.parametrize("kind", CARDS)
def test_a_card_that_cannot_be_followed_exactly_is_refused(kind: str) -> None:
    _, card = bundled()
    with pytest.raises(ModelRefused, match=r"x\.safetensors"):
        parse_card(json.dumps(CARDS[kind](card)), "x.safetensors")


def test_calibration_is_a_sigmoid_that_never_overflows() -> None:
    calibration = Calibration("platt", 2.0, -1.0)
    assert calibration.probability(0.5) == 0.5
    assert calibration.probability(1e6) == 1.0
    assert calibration.probability(-1e6) == 0.0


def test_what_could_not_be_loaded_again_replaces_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_text("old")
    state, _ = bundled()
    card = find_model(MODEL.name).card
    with pytest.raises(ModelRefused, match=r"mine\.safetensors: 1 tensors missing"):
        checkpoint.save(str(path), dict(list(state.items())[1:]), card, check=True)
    with pytest.raises(ModelRefused, match=r"mine\.safetensors.*min_face_px"):
        checkpoint.save(str(path), state, replace(card, min_face_px=0), check=True)
    assert [path.read_text(), *tmp_path.iterdir()] == ["old", path]
    checkpoint.save(str(path), state, card, check=True)
    assert read_checkpoint(str(path)).card == card
