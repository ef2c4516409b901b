"""Degradations do what they say; a JPEG's quality is told from its table."""

import io

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import FaceCrop, Pixels, Window
from fakefacecli.evaluate import degrade
from fakefacecli.evaluate.degrade import GRID, Degradation
from fakefacecli.evidence.jpeg import jpeg_quality, read_quality
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


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 75, 90, 94, 95, 100])
def test_the_quality_is_the_one_libjpeg_was_given(quality: int) -> None:
    held = io.BytesIO()
    Image.fromarray(crop().pixels).save(held, "JPEG", quality=quality)
    assert jpeg_quality(held.getvalue()) == quality


def test_a_table_of_someones_own_gets_the_nearest_quality() -> None:
    held = io.BytesIO()
    tables = [[value + 1 for value in range(64)], [20] * 64]
    Image.fromarray(crop().pixels).save(held, "JPEG", qtables=tables)
    found = jpeg_quality(held.getvalue())
    assert found is not None
    assert 60 < found < 90


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xdb",
        b"\xff\xd8\xff\xdb\x00\x00" + b"\x00" * 9,
        b"PNG",
        b"\xff\xd8\xff\xdb\x00\x05\x00\x01\x02",
        b"\xff\xd8" + b"\xff" * 50,
    ],
)
def test_what_has_no_table_has_no_quality(data: bytes) -> None:
    assert jpeg_quality(data) is None


def test_a_file_that_is_not_there_has_no_quality() -> None:
    assert read_quality("not/there.jpg") is None
