"""Quantisation tables are those that the encoder was given, and the nearest of libjpeg is told."""

import io

import pytest
from PIL import Image

from fakefacecli.evidence.tables import read_tables
from tests.evidence.test_jpeg import jpeg, noise, photo


@pytest.mark.parametrize("quality", [10, 35, 50, 75, 90, 99])
def test_both_tables_of_libjpeg_are_known_exactly(quality: int) -> None:
    data = jpeg(photo(), quality=quality)
    first, second = read_tables(data)
    with Image.open(io.BytesIO(data)) as image:
        held = image.quantization  # Pillow's, in the same order
    assert (first.steps, second.steps) == (tuple(held[0]), tuple(held[1]))
    assert (first.kind, second.kind) == ("luminance", "chrominance")
    assert first.quality == second.quality == quality
    assert first.is_libjpegs
    assert second.is_libjpegs


def test_a_table_of_another_maker_is_not_called_libjpegs() -> None:
    own = [[min(255, 1 + cell) for cell in range(64)]] * 2
    for table in read_tables(jpeg(photo(), qtables=own)):
        assert not table.is_libjpegs
        assert table.off > 0.5


def test_steps_of_16_bits_are_read_whole() -> None:
    wide = b"\x10" + b"".join((1000 + cell).to_bytes(2, "big") for cell in range(64))
    data = b"\xff\xd8\xff\xdb" + (len(wide) + 2).to_bytes(2, "big") + wide + b"\xff\xd9"
    [table] = read_tables(data)
    assert (table.bits, table.number) == (16, 0)
    # in zigzag order the second step stands to the right of the first, the third below it
    assert (table.steps[0], table.steps[1], table.steps[8]) == (1000, 1001, 1002)


def test_cut_tables_and_other_files_have_none() -> None:
    whole = jpeg(noise(), quality=80)
    at = whole.find(b"\xff\xdb")
    assert read_tables(whole[: at + 30]) == ()
    assert read_tables(b"\x89PNG\r\n\x1a\n" + whole) == ()
    assert read_tables(b"") == ()
