"""The quality that a JPEG's table tells is the one its encoder was given."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from fakefacecli.evidence.jpeg import jpeg_quality, read_quality
from tests.builders import PHOTOS


def noise() -> Image.Image:
    levels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def photo() -> Image.Image:
    with Image.open(PHOTOS / "official_003.jpg") as picture:
        return picture.convert("RGB").resize((96, 96))


def jpeg(picture: Image.Image, **how: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, "JPEG", **how)  # type: ignore[arg-type]
    return held.getvalue()


@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"progressive": True}], ids=str)
def test_every_quality_of_libjpeg_is_told_exactly(how: dict[str, object]) -> None:
    assert [jpeg_quality(jpeg(noise(), quality=quality, **how)) for quality in range(1, 101)] == [
        *range(1, 101)
    ]


def test_a_table_behind_much_metadata_is_found(tmp_path: pathlib.Path) -> None:
    plain = jpeg(noise(), quality=70)
    segment = b"\xff\xe2\xff\xff" + b"\0" * 0xFFFD
    (tmp_path / "a.jpg").write_bytes(plain[:2] + 5 * segment + plain[2:])
    assert read_quality(str(tmp_path / "a.jpg")) == 70


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 75, 90, 94, 95, 100])
def test_the_quality_is_the_one_libjpeg_was_given(quality: int) -> None:
    assert jpeg_quality(jpeg(photo(), quality=quality)) == quality


def test_a_table_of_someones_own_gets_the_nearest_quality() -> None:
    tables = [[value + 1 for value in range(64)], [20] * 64]
    found = jpeg_quality(jpeg(photo(), qtables=tables))
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
