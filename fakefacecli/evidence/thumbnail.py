"""Whether the small copy that EXIF carries still shows the picture it lies in.

An editor that leaves EXIF alone leaves the old thumbnail in it (Kee and Farid, "Digital image
authentication from thumbnails", 2010). It is a hint of editing, and no evidence of a generator.
"""

import io
import math

import numpy as np
from PIL import ExifTags, Image

# Mean absolute difference in grey levels of two 32 x 32 copies, after their brightness was made
# equal
MOST_DIFFERENCE = 24.0
_MOST_BYTES = 1 << 20
_SIDE = 32
_OFFSET, _LENGTH, _ORIENTATION = 0x0201, 0x0202, 0x0112
# of the widths over the heights: thumbnails are a few pixels off, or have rounded bars
_SAME_SHAPE, _OTHER_SHAPE = 1.06, 1.25
_DARK = 24


def thumbnail_fault(image: Image.Image, exif: Image.Exif) -> str:
    """What is wrong with the thumbnail in words; "" where there is none, or nothing is wrong.

    `image` is loaded, as it is stored. Raises whatever Pillow raises for broken data.
    """
    small = _thumbnail(image, exif)
    if small is None:
        return ""
    large = image.convert("L")
    # the picture may have been turned upright without its thumbnail
    turned = (small.rotate(angle, expand=True) for angle in (0, 90, 180, 270))
    off = min(_difference(one, large) for one in turned)
    if off <= MOST_DIFFERENCE:
        return ""
    size = f"{small.width} x {small.height}"
    return f"EXIF thumbnail ({size}) shows something else than the picture: edited?"


def _thumbnail(image: Image.Image, exif: Image.Exif) -> Image.Image | None:
    tags = exif.get_ifd(ExifTags.IFD.IFD1) if dict(exif) else {}
    offset, length = tags.get(_OFFSET), tags.get(_LENGTH)
    block = image.info.get("exif")
    if not (isinstance(block, bytes) and isinstance(offset, int) and isinstance(length, int)):
        return None
    start = (6 if block.startswith(b"Exif\0\0") else 0) + offset
    data = block[start : start + min(length, _MOST_BYTES)]
    if not data.startswith(b"\xff\xd8"):
        return None
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as small:
        if small.width * small.height > 4_000_000:
            return None
        return _without_bars(small.convert("L"))


def _without_bars(small: Image.Image) -> Image.Image:
    """The thumbnail without black bars at two opposite sides."""
    grey = np.asarray(small)
    rows, columns = (np.flatnonzero(grey.max(axis=axis) > _DARK) for axis in (1, 0))
    if not (len(rows) and len(columns)):
        return small
    return small.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))


def _difference(small: Image.Image, large: Image.Image) -> float:
    """In grey levels; without end where the picture has another shape, as one that was cut has."""
    aspect = (small.width / small.height) / (large.width / large.height)
    aspect = max(aspect, 1 / aspect)
    if aspect > _SAME_SHAPE:  # in between nothing is said: bars that are not black are not known
        return math.inf if aspect > _OTHER_SHAPE else 0.0
    one, other = (
        np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
        for picture in (small, large)
    )
    return float(np.abs((one - one.mean()) - (other - other.mean())).mean())
