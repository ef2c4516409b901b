"""Error levels and noise show what was put into a picture, at the place where it is."""

import io

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import Pixels
from fakefacecli.overlay.residuals import error_level_picture, noise_picture
from tests.builders import PHOTOS


def saved_at(pixels: Pixels, quality: int) -> Pixels:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=quality)
    with Image.open(held) as again:
        return np.array(again.convert("RGB"))


def photo() -> Pixels:
    with Image.open(PHOTOS / "official_003.jpg") as picture:
        return np.array(picture.convert("RGB").resize((320, 320), Image.Resampling.LANCZOS))


def test_a_part_that_was_never_saved_is_brighter_than_one_that_was() -> None:
    never = photo()
    mixed = saved_at(never, 90)
    mixed[96:224, 96:224] = never[96:224, 96:224]
    levels = error_level_picture(mixed)
    assert (levels.shape, levels.dtype) == (never.shape, np.uint8)
    inside = np.zeros((320, 320), bool)
    inside[96:224, 96:224] = True
    alone = error_level_picture(never)
    # compared with the same parts of a picture that is everywhere as it was
    assert levels[inside].mean() / levels[~inside].mean() > 1.5 * (
        alone[inside].mean() / alone[~inside].mean()
    )


def test_the_quality_of_the_analysis_matters() -> None:
    pixels = saved_at(photo(), 60)
    assert error_level_picture(pixels, 60).mean() < error_level_picture(pixels, 75).mean()


def test_a_smoothed_part_has_no_noise() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(128, 6, (128, 128, 3)).clip(0, 255).astype(np.uint8)
    pixels[32:96, 32:96] = 128
    noise = noise_picture(pixels).astype(int)
    assert (noise[36:92, 36:92] == 128).all()
    assert noise[:30].std() > 20


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 700, 3), (1100, 2, 3)])
def test_pictures_of_any_size_are_taken(shape: tuple[int, int, int]) -> None:
    flat = np.full(shape, 77, np.uint8)
    assert error_level_picture(flat).shape == shape
    assert (noise_picture(flat) == 128).all()


def test_a_picture_near_the_limit_gives_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    flat = np.full((120, 120, 3), 77, np.uint8)
    assert error_level_picture(flat).shape == flat.shape
