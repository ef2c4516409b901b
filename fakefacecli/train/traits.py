"""What a file tells without a look at its face: format, size, quality, sharpness."""

import os
from dataclasses import astuple, dataclass

import numpy as np
from PIL import Image

from fakefacecli.base.records import DecodedImage, Pixels
from fakefacecli.decode.formats import allowed_formats
from fakefacecli.evidence.jpeg import read_quality

FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True)
class Traits:
    """Width and height in pixels; `quality` 1..100 as libjpeg counts it, 0 where there is none.

    `metadata` is the bytes of EXIF, ICC and comments; `sharpness` the standard deviation of the
    Laplacian of the face's grey levels.
    """

    format: str
    width: int
    height: int
    bytes: int
    quality: float
    metadata: int
    sharpness: float = 0.0

    def numbers(self) -> list[float]:
        """What the audit's model sees."""
        pixels = self.width * self.height
        kinds = [float(self.format == name) for name in FORMATS]
        return [
            *kinds,
            float(self.width),
            float(self.height),
            self.width / self.height,
            self.bytes / pixels,
            self.quality,
            float(self.metadata),
            self.sharpness,
        ]

    def row(self) -> list[object]:
        """What the index of cut faces holds; `Traits(*row)` reads it."""
        return list(astuple(self))


# the names of `numbers`, in their order, for people
NAMES = (
    *(f"format is {name}" for name in FORMATS),
    *("width", "height", "aspect", "bytes per pixel", "JPEG quality", "metadata", "sharpness"),
)


def traits_of(image: DecodedImage) -> Traits:
    """The traits of a file that has been decoded; what its header hides counts as absent."""
    size = image.facts.size or os.path.getsize(image.ref.path)
    metadata = 0
    try:
        with Image.open(image.ref.path, formats=openable_formats()) as opened:
            metadata = sum(
                len(value)
                for key in ("exif", "icc_profile", "comment", "xmp", "photoshop")
                if isinstance(value := opened.info.get(key), bytes)
            )
    except Exception:  # noqa: BLE001 - a header may be broken in any way; the pixels were read
        metadata = 0
    quality = read_quality(image.ref.path) or 0
    kind = image.facts.format or ""
    return Traits(kind, image.width, image.height, size, quality, metadata)


def openable_formats() -> list[str]:
    """Pillow's formats to open a picture with: MPO raises KeyError there, JPEG opens it."""
    return [name for name in allowed_formats() if name != "MPO"]


def sharpness_of(pixels: Pixels) -> float:
    """The standard deviation of the Laplacian; grows with fine detail and with noise."""
    grey = pixels.astype(np.float32).mean(2)
    if min(grey.shape) < 3:
        return 0.0
    # the four neighbours less four times the middle: the discrete Laplacian
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).std())
