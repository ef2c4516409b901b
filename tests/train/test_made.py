"""Fakes made while training: of real faces alone, in pairs, the same on every run."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fakefacecli.labelled.data import LabelledImage
from fakefacecli.models.card import ModelCard
from fakefacecli.train.augment import Augmenter
from fakefacecli.train.autoencoder import fitted, reconstruct
from fakefacecli.train.batches import Made, Sampler
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.made import FakeMaker, self_blended
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.start import fresh_card
from fakefacecli.train.traits import Traits
from tests.builders import PHOTOS

TRAITS = Traits("PNG", 9, 9, 9, 0, 0)


def options(**changes: Any) -> TrainOptions:
    plain: dict[str, Any] = {"input_px": 48, "batch_size": 8, "workers": 1}
    return TrainOptions("data", "m.safetensors", "cache", **{**plain, **changes})


def portrait(side: int = 96) -> torch.Tensor:
    with Image.open(PHOTOS / "official_001.jpg") as picture:
        pixels = np.array(picture.convert("RGB").resize((side, side)), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def augmenter(seed: int = 0) -> Augmenter:
    return Augmenter(torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFace]:
    """Real and fake faces, each of a number that its grey level tells: even if real."""
    folder = tmp_path_factory.mktemp("faces")
    found = []
    for level in range(24):
        path = str(folder / f"{level}.png")
        Image.new("RGB", (64, 64), (10 * level,) * 3).save(path)
        image = LabelledImage(path, level % 2 == 1, f"g{level % 3}", "train")
        found.append(LabelledFace(path, image, 64, 1.8, level, TRAITS))
    return found


def card(**changes: Any) -> ModelCard:
    return fresh_card(options(view="window", **changes))


@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize("balance", [True, False])
def test_what_is_made_into_a_fake_is_a_real_face_of_the_same_batch(
    faces: list[LabelledFace], augment: bool, balance: bool
) -> None:
    how = {"augment": augment, "balance": balance}
    wanted = options(self_blended=0.25, reconstructed=0.125, **how)
    kinds: list[int] = []
    for number in range(4):
        for batch in Sampler(faces, card(), wanted).epoch(number):
            levels = (batch.pictures.float().mean((1, 2, 3)) / 10).round()
            made = batch.made > 0
            assert (batch.targets[made] == 1).all()
            real = levels[batch.targets == 0].tolist()
            assert all(level % 2 == 0 for level in [*real, *levels[made].tolist()])
            assert set(levels[made].tolist()) <= set(real)
            kinds += batch.made.tolist()
    share = [np.mean(np.array(kinds) == kind) for kind in Made]
    assert share == pytest.approx([0.625, 0.25, 0.125], abs=0.06)


def test_without_the_flags_nothing_is_made(faces: list[LabelledFace]) -> None:
    for batch in Sampler(faces, card(), options()).epoch(1):
        assert not batch.made.any()


def test_a_self_blended_face_differs_inside_its_box_and_little_outside() -> None:
    pictures = portrait().repeat(16, 1, 1, 1)
    found = self_blended(pictures, torch.full((16,), 0.4), augmenter())
    # where the outer one is the unchanged one, the border is what it was
    off = (found - pictures).abs().mean(1)
    border = torch.cat((off[:, :8], off[:, -8:]), 1).mean((1, 2))
    middle = off[:, 38:58, 38:58].mean((1, 2))
    kept = border < 0.5
    assert 3 <= kept.sum() <= 13  # about half of them
    assert (middle[kept] > 4 * border[kept]).all()
    assert (found.min() >= 0, found.max() <= 255) == (True, True)


def test_the_same_seed_blends_alike() -> None:
    pictures, boxes = portrait(48).repeat(4, 1, 1, 1), torch.full((4,), 0.6)
    one, other = (self_blended(pictures, boxes, augmenter(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, self_blended(pictures, boxes, augmenter(4)))


def test_an_autoencoder_learns_to_give_a_face_back_nearly(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a.png")
    picture = portrait(120)
    Image.fromarray(picture[0].permute(1, 2, 0).byte().numpy()).save(path)
    face = LabelledFace(path, LabelledImage(path, False, "", ""), 120, 1.8, 0, TRAITS)
    found = reconstruct(fitted([face], 1, "cpu", steps=25), picture[:, :, :117])
    assert found.shape == (1, 3, 117, 120)
    off = (found - picture[:, :, :117]).abs().mean()
    blank = (picture - picture.mean()).abs().mean()
    assert 0.5 < off < blank / 3  # nearer than a guess, and not the same
    one, other, third = (fitted([face], seed, "cpu", steps=2).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert not torch.equal(one["encode.0.weight"], third["encode.0.weight"])


def test_a_resumed_training_reconstructs_with_the_same_autoencoder(
    faces: list[LabelledFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[int] = []

    def quickly(real: list[LabelledFace], *how: Any) -> torch.nn.Module:
        taught.append(sum(face.image.fake for face in real))
        return fitted(real, 0, "cpu", steps=3)

    monkeypatch.setattr("fakefacecli.train.made.fitted", quickly)
    wanted = options(reconstructed=0.25)
    first, later = FakeMaker(wanted), FakeMaker(wanted)
    assert first.learn(faces, lambda: None)
    later.restore(first.state())
    assert not later.learn(faces, lambda: None)
    assert taught == [0]  # no fake among what it learnt from
    [batch] = list(Sampler(faces[:8], card(), wanted).epoch(1))
    pictures = batch.pictures.float()
    one, other = first(pictures, batch, augmenter()), later(pictures, batch, augmenter())
    assert torch.equal(one, other)
    made = batch.made == Made.RECONSTRUCTED
    assert made.any()
    assert torch.equal(one[~made], pictures[~made])
    assert not torch.equal(one[made], pictures[made])


@pytest.mark.parametrize(
    ("view", "augment", "share"),
    [
        ("window", True, 1 / 1.8),  # all of the window, of which the network sees 1.3
        ("window", False, 1 / 1.3),
        ("native", False, 64 / 1.8 / 48),  # the middle 48 px of 64
    ],
)
def test_how_much_of_a_picture_its_faces_box_takes_is_known(
    faces: list[LabelledFace], view: str, augment: bool, share: float
) -> None:
    how = options(view=view, crop_scale=1.3 if view == "window" else None, augment=augment)
    batch = next(Sampler(faces, fresh_card(how), how).epoch(1))
    assert batch.boxes.tolist() == pytest.approx([share] * 8)
