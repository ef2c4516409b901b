"""The perceptual hash, by the library that people use for it."""

import io
from collections.abc import Iterable

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageEnhance

from fakefacecli.base.evidence import PerceptualHash
from fakefacecli.evidence.pdq import LEAST_QUALITY, MOST_DISTANCE, hash_picture
from tests import builders


def photo(name: str = "official_003.jpg") -> Image.Image:
    with Image.open(builders.PHOTOS / name) as picture:
        return picture.convert("RGB")


def hashed(picture: Image.Image) -> PerceptualHash:
    return hash_picture(np.asarray(picture))


def bits_apart(one: PerceptualHash, other: PerceptualHash) -> int:
    return (int(one.digits, 16) ^ int(other.digits, 16)).bit_count()


def spelled(bits: Iterable[int]) -> str:
    return f"{int(''.join(map(str, bits)), 2):064x}"


def test_it_is_the_librarys_hash_in_the_usual_spelling() -> None:
    small = photo().resize((500, 400))
    bits, quality = pdqhash.compute(np.asarray(small))
    assert hashed(small) == PerceptualHash(spelled(bits), quality)


def test_a_large_picture_is_within_a_few_bits_of_it() -> None:
    large = photo().resize((4000, 3000))
    bits, quality = pdqhash.compute(np.asarray(large))
    exact = PerceptualHash(spelled(bits), quality)
    assert bits_apart(hashed(large), exact) <= 6


def through_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=quality)
    return Image.open(held).convert("RGB")


@pytest.mark.parametrize("name", ["official_003.jpg", "generated_000.jpg"])
def test_an_upload_of_the_same_picture_is_near_and_other_pictures_are_far(name: str) -> None:
    picture = photo(name)
    first = hashed(picture)
    again = [
        through_jpeg(picture, 40),
        picture.resize((picture.width // 3, picture.height // 3)),
        ImageEnhance.Brightness(picture).enhance(1.2),
    ]
    assert max(bits_apart(first, hashed(copy)) for copy in again) <= MOST_DISTANCE
    others = [hashed(photo(path.name)) for path in builders.PHOTOS.iterdir() if path.name != name]
    assert min(bits_apart(first, other) for other in others) > MOST_DISTANCE


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (640, 480)])
def test_a_picture_without_structure_has_a_quality_that_matches_nothing(
    size: tuple[int, int],
) -> None:
    assert hashed(Image.new("RGB", size, "white")).quality < LEAST_QUALITY
