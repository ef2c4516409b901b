"""Augmentation: JPEG's losses are JPEG's, and every disturbance keeps shape and range."""

import io
import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from fakefacecli.train.augment import Augmenter, cut_mix
from fakefacecli.train.jpeg import recompress
from fakefacecli.train.retouch import blurred, denoised, smoothed, tone_mapped
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
    [
        *("blur", "sharpen", "recolour", "grey", "noise", "jpeg", "launder", "erase"),
        *("denoise", "smooth", "tone_map", "grade"),
    ],
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


def one(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize(
    "change", [lambda p: denoised(p, one(8.0)), lambda p: smoothed(p, one(14.0), 3)]
)
def test_denoising_and_smoothing_take_noise_away_and_keep_edges(change: Any) -> None:
    plain = torch.full((1, 3, 64, 64), 60.0)
    plain[..., 32:] = 180.0
    noisy = plain + torch.randn(plain.shape, generator=torch.Generator().manual_seed(0)) * 6
    found = change(noisy)
    left, right = found[..., 8:24], found[..., 40:56]
    assert max(left.std(), right.std()) < 3.5  # of 6
    edge = found[..., 33].mean() - found[..., 30].mean()
    assert edge > 100  # of 120


def test_tone_mapping_lightens_shadows_and_hardly_lights() -> None:
    pictures = torch.full((1, 3, 64, 64), 40.0)
    pictures[..., 32:] = 240.0
    found = tone_mapped(pictures, one(0.6), one(1.0))
    assert found[..., :16].mean() > 60
    assert found[..., 48:].mean() == pytest.approx(246, abs=4)


def turn_of(found: torch.Tensor) -> float:
    """Degrees by which the bright bar in the middle of a picture is turned."""
    rows, columns = torch.nonzero(found.mean(0) > 128, as_tuple=True)
    places = torch.stack((columns, rows)).float()
    axis = torch.linalg.eigh(torch.cov(places)).eigenvectors[:, -1]
    return abs(math.degrees(math.atan(axis[1] / axis[0])))


@pytest.mark.parametrize("level", [True, False])
def test_faces_are_turned_far_only_where_nothing_turns_them_level(level: bool) -> None:
    bars = torch.zeros((400, 3, 60, 60))
    bars[:, :, 28:32, 10:50] = 255
    cutter = Augmenter(torch.Generator().manual_seed(0), level=level)
    found = [turn_of(picture) for picture in cutter.cut(bars, 1.13, 60, gently=False)]
    far = [turn for turn in found if turn > 14]  # 11 and what the stretch adds
    assert (max(found) < 14) == level
    if not level:
        assert 0.06 < len(far) / len(found) < 0.15  # two thirds of those drawn up to 45 degrees
        assert 35 < max(far) < 48


def test_a_turned_face_shows_no_repeated_edges() -> None:
    ramp = torch.arange(80.0).view(1, 1, 1, 80).expand(300, 3, 80, 80)
    cutter = Augmenter(torch.Generator().manual_seed(1))
    turn, size, spare = cutter.tilt(*(torch.full((300,), v) for v in (0.0, 0.9, 0.1)))
    far = turn != 0
    assert far.any()
    reach = size[far] * (turn[far].cos() + turn[far].sin().abs())
    assert reach.max() <= 1.0001
    assert (spare[far] == 0).all()
    assert cutter.cut(ramp, 1.1, 40, gently=False).shape == (300, 3, 40, 40)


class Telling(Augmenter):
    """Notes which batches are only shifted."""

    told: ClassVar[list[bool]] = []

    def cut(self, pictures: torch.Tensor, room: float, px: int, gently: bool) -> torch.Tensor:
        self.told.append(gently)
        return super().cut(pictures, room, px, gently)


@pytest.mark.parametrize(("native", "share"), [(True, 0.25 + 0.75 / 2), (False, 0.25)])
def test_native_pictures_often_keep_their_own_pixels(native: bool, share: float) -> None:
    """Shifted by whole pixels, whatever happens to their colours afterwards."""
    pictures = torch.rand((2, 3, 24, 24)) * 255
    Telling.told.clear()
    for seed in range(120):
        Telling(torch.Generator().manual_seed(seed), native=native)(pictures, 1.2, 20)
    assert np.mean(Telling.told) == pytest.approx(share, abs=0.12)


def test_a_batch_that_is_only_shifted_keeps_its_pixels() -> None:
    pictures = torch.randint(0, 256, (2, 3, 60, 60)).float()
    found = augmenter().cut(pictures, 1.2, 50, gently=True)
    places = [(y, x) for y in range(11) for x in range(11)]
    assert any(torch.equal(found, pictures[:, :, y : y + 50, x : x + 50]) for y, x in places)


def test_the_same_seed_gives_the_same_disturbances() -> None:
    pictures = tensor(photo(64)).repeat(6, 1, 1, 1)
    for seed in range(4):
        first, again = augmenter(seed)(pictures, 1.13, 48), augmenter(seed)(pictures, 1.13, 48)
        assert first.shape == (6, 3, 48, 48)
        assert torch.equal(first, again)
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
