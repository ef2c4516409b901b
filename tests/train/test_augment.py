"""Augmentation: JPEG's losses are JPEG's, and every disturbance keeps shape and range."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from fakefacecli.train.augment import Augmenter, blurred, cut_mix
from fakefacecli.train.jpeg import recompress
from tests.builders import PHOTOS


def photo(side: int = 120) -> Image.Image:
    with Image.open(PHOTOS / "official_001.jpg") as picture:
        return picture.convert("RGB").resize((side, side))


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None]


def augmenter(seed: int = 0) -> Augmenter:
    return Augmenter(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("quality", [30, 60, 90])
def test_recompression_loses_what_jpeg_loses(quality: int, halve: bool) -> None:
    image = photo()
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0" if halve else "4:4:4")
    wanted = tensor(Image.open(buffer).convert("RGB"))
    found = recompress(tensor(image), torch.tensor([float(quality)]), halve)
    lost = (wanted - tensor(image)).abs().mean()
    assert (found - wanted).abs().mean() < 0.3 * lost


def test_each_picture_has_its_own_quality_and_any_size_will_do() -> None:
    pictures = tensor(photo(37)).repeat(2, 1, 1, 1)
    found = recompress(pictures, torch.tensor([20.0, 95.0]), halve=True)
    assert found.shape == pictures.shape
    off = (found - pictures).abs().mean((1, 2, 3))
    assert off[0] > 2 * off[1]


@pytest.mark.parametrize(
    "name",
    ["blur", "sharpen", "recolour", "grey", "noise", "jpeg", "launder", "erase"],
)
def test_a_disturbance_keeps_shape_and_range_and_changes_pictures(name: str) -> None:
    pictures = tensor(photo(48)).repeat(4, 1, 1, 1)
    before = pictures.clone()
    found = getattr(augmenter(), name)(pictures)
    assert found.shape == pictures.shape
    assert torch.equal(pictures, before)
    assert found.isfinite().all()
    assert (found.min() >= 0, found.max() <= 255) == (True, True)
    assert not torch.equal(found, pictures)


def test_the_same_seed_gives_the_same_disturbances() -> None:
    pictures = tensor(photo(64)).repeat(6, 1, 1, 1)
    for seed in range(4):
        one, other = augmenter(seed)(pictures, 1.13, 48), augmenter(seed)(pictures, 1.13, 48)
        assert one.shape == (6, 3, 48, 48)
        assert torch.equal(one, other)
    assert not torch.equal(augmenter(0)(pictures, 1.13, 48), augmenter(1)(pictures, 1.13, 48))


def test_a_blur_is_the_pictures_own() -> None:
    pictures = tensor(photo(48)).repeat(2, 1, 1, 1)
    found = blurred(pictures, torch.tensor([0.05, 2.0]).view(2, 1, 1, 1))
    assert torch.allclose(found[0], pictures[0], atol=0.01)
    assert found[1].std() < pictures[1].std()
    assert found.mean() == pytest.approx(pictures.mean().item(), abs=2)


def test_mixed_pictures_have_mixed_targets() -> None:
    pictures = torch.stack([torch.full((3, 20, 20), float(n % 2)) for n in range(8)])
    targets = torch.tensor([float(n % 2) for n in range(8)])
    mixed, told = cut_mix(pictures, targets, torch.Generator().manual_seed(5))
    assert torch.allclose(mixed.mean((1, 2, 3)), told, atol=1e-5)
    assert ((told > 0) & (told < 1)).any()
