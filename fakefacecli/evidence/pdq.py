"""PDQ, the perceptual hash by which trust-and-safety teams exchange pictures.

Davis and Rosen, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Meta
2019. Computed by pdqhash, which wraps Meta's own code; it is an extra, as it has no wheels.
"""

import importlib.util

import numpy as np
from PIL import Image

from fakefacecli.base.evidence import PerceptualHash
from fakefacecli.base.records import Pixels

# Meta's thresholds: what differs in more bits is not called the same picture, and below this
# quality a picture has too little structure to tell
MOST_DISTANCE, LEAST_QUALITY = 31, 50
# pdqhash filters all pixels, of 20 megapixels for 0.3 s; reduced by a whole number first, hashes of
# 60 photographs differed by 6 of 256 bits at most
_ENOUGH_PX = 1024


def is_installed() -> bool:
    """Whether hashes can be computed here."""
    return importlib.util.find_spec("pdqhash") is not None


def hash_picture(pixels: Pixels) -> PerceptualHash:
    """The hash of an upright picture (H, W, 3) uint8 RGB, most significant bit first."""
    import pdqhash

    factor = max(1, max(pixels.shape[:2]) // _ENOUGH_PX)
    if factor > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce(factor))
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return PerceptualHash(np.packbits(bits.astype(np.uint8)).tobytes().hex(), int(quality))
