"""From whatever Pillow decoded to upright 8-bit sRGB.

Everything here may raise: the caller turns any exception into an `Unreadable`.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from fakefacecli.base.records import Pixels
from fakefacecli.decode.colour import AS_SRGB, Colouring

# What has an alpha channel, or may keep one colour that stands for "see-through" in its header.
_WITH_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_MAY_BE_SEE_THROUGH = frozenset({"1", "L", "P", "RGB"})


def rgb(image: Image.Image, colours: Colouring = AS_SRGB) -> tuple[Pixels, bool]:
    """The picture as stored, (H, W, 3) uint8 in sRGB, see-through parts over white.

    16-bit grey keeps its upper byte; 32-bit grey counts as 8 or 16 bits where its values fit, else
    it is scaled by its largest; floats within 0..1 are scaled by 255, others clipped to 0..255.
    Says also whether a colour profile had to be ignored. `image` may be changed.
    """
    image = _eight_bits(image)
    see_through = image.mode in _MAY_BE_SEE_THROUGH and "transparency" in image.info
    if see_through or image.mode in _WITH_ALPHA:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
    elif image.mode not in ("L", "CMYK", "RGB"):
        # Pillow knows what Lab means; its profile says no more
        colours = AS_SRGB if image.mode == "LAB" else colours
        image = image.convert("RGB")
    image, ignored = colours.apply(image)
    if image.mode == "RGBA":
        image = _over_white(image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), ignored


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep grey as L; any other picture unchanged."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "I":
        if image.format == "PPM":  # always 16 bits, whatever the largest value is
            return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
        return Image.fromarray(_from_integers(np.asarray(image)))
    return Image.fromarray(_from_floats(np.asarray(image))) if image.mode == "F" else image


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF `orientation` (1..8); the answer is C-contiguous."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    down, across = _FLIPS[orientation]
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


# (upside down, left to right) for each EXIF orientation; 5..8 are transposed before
_FLIPS = {
    1: (False, False),
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def _over_white(image: Image.Image) -> Image.Image:
    # what lies under transparent pixels is arbitrary, often black; a viewer would not show it
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _from_integers(values: npt.NDArray[np.int32]) -> Pixels:
    # Pillow's mode "I" says nothing of the depth: 8, 16 and 32 bits all come as int32
    largest = int(values.max())
    values = values.clip(0)
    if largest > 65535:
        return (values.astype(np.float32) * (255.0 / largest)).astype(np.uint8)
    return (values >> 8 if largest > 255 else values).astype(np.uint8)


def _from_floats(values: npt.NDArray[np.float32]) -> Pixels:
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if values.min() >= 0.0 and values.max() <= 1.0:
        values *= np.float32(255.0)
    return values.clip(0.0, 255.0, out=values).round(out=values).astype(np.uint8)
