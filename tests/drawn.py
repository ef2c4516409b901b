"""Drawn pictures to learn from: a ring on smooth colours, of one hue or another."""

import pathlib

import numpy as np
from PIL import Image

from fakefacecli.base.records import Pixels


def drawn(seed: int, fake: bool, side: int = 96) -> Pixels:
    """A picture (side, side, 3): a ring, magenta if fake and green if not."""
    chance = np.random.default_rng(seed)
    small = Image.fromarray(chance.integers(40, 216, (5, 5, 3), dtype=np.uint8))
    picture = np.array(small.resize((side, side), Image.Resampling.BICUBIC))
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    ring = np.abs(np.hypot(rows, columns) - chance.uniform(0.2, 0.3)) < 0.06
    picture[ring] = (230, 40, 200) if fake else (40, 200, 90)
    return picture


def draw_set(folder: pathlib.Path, count: int, side: int = 96, suffix: str = "png") -> pathlib.Path:
    """`count` real and `count` fake pictures in real/ and fake/ below `folder`."""
    for number in range(2 * count):
        fake = number % 2 == 1
        place = folder / ("fake" if fake else "real")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn(number, fake, side)).save(place / f"{number:04}.{suffix}")
    return folder
