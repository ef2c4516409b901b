"""Small changes of a picture's pixels, (n, n, 3) uint8 RGB, as they happen on its way.

The same pixels always give the same answer.
"""

import io
import zlib

import numpy as np
from PIL import Image

from fakefacecli.base.records import Pixels


def checksum(pixels: Pixels) -> int:
    """A number that these pixels always have, for what should seem drawn by lot."""
    return zlib.crc32(pixels.tobytes())


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Once through JPEG with halved colour (4:2:0), as most services save."""
    return through(pixels, "JPEG", quality=quality, subsampling=2)


def resize(pixels: Pixels, factor: float) -> Pixels:
    """Shrunk (or enlarged) by `factor` with an antialiasing bicubic filter."""
    return resized(pixels, max(1, round(len(pixels) * factor)), Image.Resampling.BICUBIC)


def noise(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian noise of `sigma` grey levels, in each channel by itself, the same on every run."""
    # seeded by the pixels: no two faces get the same noise, and each gets its own again
    chance = np.random.default_rng(checksum(pixels))
    noisy = pixels + chance.normal(0, sigma, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def resized(pixels: Pixels, side: int, how: Image.Resampling) -> Pixels:
    """The picture at `side` x `side` pixels."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), how))


def through(pixels: Pixels, name: str, **how: object) -> Pixels:
    """Saved in Pillow's format `name`, as `how` says, and read again."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, name, **how)
    with Image.open(held, formats=(name,)) as image:
        return np.asarray(image.convert("RGB"))
