"""The quality that a JPEG's table tells is the one its encoder was given."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from fakefacecli.evidence.jpeg import jpeg_quality, read_quality


def jpeg(**how: object) -> bytes:
    held = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(held, "JPEG", **how)  # type: ignore[arg-type]
    return held.getvalue()


@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"progressive": True}], ids=str)
def test_every_quality_of_libjpeg_is_told_exactly(how: dict[str, object]) -> None:
    assert [jpeg_quality(jpeg(quality=quality, **how)) for quality in range(1, 101)] == [
        *range(1, 101)
    ]


def test_a_table_behind_much_metadata_is_found(tmp_path: pathlib.Path) -> None:
    plain = jpeg(quality=70)
    segment = b"\xff\xe2\xff\xff" + b"\0" * 0xFFFD
    (tmp_path / "a.jpg").write_bytes(plain[:2] + 5 * segment + plain[2:])
    assert read_quality(str(tmp_path / "a.jpg")) == 70
