"""Degradations do what they say."""

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import FaceCrop, Pixels, Window
from fakefacecli.evaluate import degrade
from fakefacecli.evaluate.degrade import GRID, Degradation
from tests.builders import PHOTOS, face, ref


def crop(side: int = 96) -> FaceCrop:
    with Image.open(PHOTOS / "official_003.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB").resize((side, side)))
    return FaceCrop(ref(), 1, face(side=side), Window(0, 0, side), pixels)


def away(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("cell", GRID, ids=lambda cell: cell.name)
@pytest.mark.parametrize("side", [1, 7, 96])
def test_every_degradation_gives_a_changed_square_and_the_same_one_twice(
    cell: Degradation, side: int
) -> None:
    before = crop(side)
    after = cell(before)
    assert after.pixels.shape == (after.window.side, after.window.side, 3)
    assert after.pixels.dtype == np.uint8
    assert (after.pixels == cell(before).pixels).all()
    if side == 96:
        assert after.pixels.shape != before.pixels.shape or away(after.pixels, before.pixels) > 0


def test_the_grid_has_every_family_and_no_cell_twice() -> None:
    assert len({cell.name for cell in GRID}) == len(GRID)
    words = " ".join(cell.name for cell in GRID)
    for family in (
        "JPEG quality 90",
        "JPEG quality 30",
        "WebP",
        "resize",
        "blur",
        "noise",
        "screenshot",
    ):
        assert family in words


def test_lower_qualities_stray_further() -> None:
    pixels = crop().pixels
    off = [away(degrade.jpeg(pixels, quality), pixels) for quality in (90, 60, 30)]
    assert off == sorted(off)
    assert off[0] > 0


def test_resize_blur_and_noise_have_the_stated_strength() -> None:
    halved = next(cell for cell in GRID if cell.name == "resize 0.5")(crop(40))
    assert (halved.window.side, halved.face.box.longer_side) == (20, 20)
    assert degrade.resize(crop().pixels, 0.25).shape == (24, 24, 3)
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert degrade.noise(grey, 10).std() == pytest.approx(10, rel=0.05)
    dot = np.zeros((31, 31, 3), np.uint8)
    dot[15, 15] = 255
    spread = degrade.blur(np.repeat(np.repeat(dot, 3, 0), 3, 1), 2)[..., 0].astype(float)
    rows = np.arange(len(spread)) - 46
    # a square of 3 pixels has the variance 2/3 of its own
    assert (spread.sum(1) @ rows**2) / spread.sum() == pytest.approx(4 + 2 / 3, rel=0.2)
