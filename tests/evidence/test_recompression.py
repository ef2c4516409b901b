"""A second saving is found where a trace of the first can be, and a single one gives no alarm."""

import io

import numpy as np
import pytest
from PIL import Image

from fakefacecli.evidence.recompression import Recompression, find_recompression
from fakefacecli.evidence.tables import read_tables
from tests.builders import PHOTOS
from tests.evidence.test_jpeg import jpeg

NAMES = ("generated_000.jpg", "official_003.jpg", "generated_002.jpg")


def never_saved(name: str) -> Image.Image:
    """A photograph whose blocks were averaged away."""
    with Image.open(PHOTOS / name) as picture:
        width, height = picture.size
        half = (round(width * 0.47), round(height * 0.47))
        return picture.convert("RGB").resize(half, Image.Resampling.LANCZOS)


def again(picture: Image.Image, quality: int) -> Image.Image:
    with Image.open(io.BytesIO(jpeg(picture, quality=quality))) as saved:
        return saved.convert("RGB")


def look(picture: Image.Image, quality: int) -> Recompression | None:
    data = jpeg(picture, quality=quality)
    with Image.open(io.BytesIO(data)) as saved:
        saved.draft("L", saved.size)
        return find_recompression(np.asarray(saved), read_tables(data)[0].steps)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("first", "last"), [(70, 90), (60, 75), (85, 90), (75, 95)])
def test_a_first_saving_is_found_and_its_quality(name: str, first: int, last: int) -> None:
    found = look(again(never_saved(name), first), last)
    assert found is not None
    assert found.found
    assert abs(found.quality - first) <= 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [75, 85, 90, 95])
def test_one_saving_gives_no_alarm(name: str, quality: int) -> None:
    found = look(never_saved(name), quality)
    assert found is not None
    assert not found.found


@pytest.mark.parametrize("name", NAMES)
def test_where_no_trace_can_be_none_is_claimed(name: str) -> None:
    picture = never_saved(name)
    same, finer = look(again(picture, 90), 90), look(again(picture, 95), 90)
    moved = again(picture, 70)
    shifted = look(moved.crop((3, 5, moved.width, moved.height)), 90)
    assert not any(found and found.found for found in (same, finer, shifted))


def test_a_small_or_an_empty_picture_is_not_judged() -> None:
    assert look(Image.new("RGB", (64, 64)), 90) is None
    flat = look(Image.new("RGB", (256, 256), (90, 20, 30)), 90)
    assert flat is None or not flat.found
