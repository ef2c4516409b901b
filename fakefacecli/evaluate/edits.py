"""What phones and studios do to honest pictures; each takes and gives (n, n, 3) uint8 RGB."""

import numpy as np
from PIL import Image, ImageEnhance

from fakefacecli.base.records import Pixels

_PATCH_PX, _SEARCH_PX = 7, 21  # as Buades, Coll and Morel 2011 have them for colour
_MOST_SPREAD_PX = 10  # a wider bilateral filter would take seconds a face
_TILES = 4


def denoise(pixels: Pixels, strength: float) -> Pixels:
    """Non-local means of luminance and colour, as in a phone's night mode.

    `strength` is the filter's h in grey levels (Buades, Coll and Morel 2011, Image Processing On
    Line 1).
    """
    import cv2

    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done = cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength, _PATCH_PX, _SEARCH_PX)
    return np.asarray(cv2.cvtColor(done, cv2.COLOR_BGR2RGB), np.uint8)


def smooth(pixels: Pixels, sigma: float) -> Pixels:
    """A bilateral filter (Tomasi and Manduchi 1998), which evens out skin and keeps edges.

    `sigma` is in grey levels. In space it is a 64th of the window: filters of beauty apps follow
    the size of the face.
    """
    import cv2

    spread = min(max(len(pixels) / 64, 1.0), _MOST_SPREAD_PX)
    return np.asarray(cv2.bilateralFilter(pixels, 0, sigma, spread), np.uint8)


def map_tones(pixels: Pixels, limit: float) -> Pixels:
    """Local tone mapping: contrast-limited adaptive histogram equalisation of L* (Zuiderveld 1994).

    `limit` is its clip limit. Its usual 8 x 8 tiles lie over a whole photograph; a face's window is
    about half as wide.
    """
    import cv2

    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(limit, (_TILES, _TILES)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def grade(pixels: Pixels, saturation: float) -> Pixels:
    """Strong colour grading: an S-curve, warm lights over blue shadows, colours times `saturation`.

    The curve is half-way to 3x^2 - 2x^3; red gains up to 6 % of the range in the lights and loses
    as much in the shadows, blue the other way round.
    """
    x = np.linspace(0, 1, 256)
    curve = (x + x * x * (3 - 2 * x)) / 2
    tint = 0.06 * (2 * x - 1)
    table = np.stack([curve + tint, curve, curve - tint])
    table = np.clip(np.rint(255 * table), 0, 255).astype(np.uint8)
    graded = np.stack([table[channel][pixels[..., channel]] for channel in range(3)], axis=-1)
    return np.asarray(ImageEnhance.Color(Image.fromarray(graded)).enhance(saturation))
