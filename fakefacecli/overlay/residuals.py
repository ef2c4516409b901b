"""Two pictures that show what an eye does not see: error levels, and noise."""

import warnings

import numpy as np
from PIL import Image

from fakefacecli.base.records import Pixels
from fakefacecli.models.preprocess import saving_error

ELA_QUALITY = 90
_CLIPPED = 0.002  # a few pixels far brighter than all others would leave the picture black
_BRIGHTEST = 20.0
_MIDDLE = 128
_GAIN = 8  # grey levels shown for one of noise, the same for every picture
_WINDOW_PX = 3
_ROWS = 512  # at once, which bounds the memory

HOW_TO_READ_ELA = (
    "bright: what one more saving as JPEG changes. A part that is brighter or darker than other "
    "parts with like edges and texture may have another history of saving.",
    "edges, texture and red are always bright, and a picture that was saved again at about this "
    "quality is nearly black, edited or not. It does not tell whether a machine made the picture.",
)
HOW_TO_READ_NOISE = (
    "what a small median filter takes away, around grey. A part whose grain is finer, coarser or "
    "missing may come from another picture, or have been smoothed.",
    "focus, light, denoising and strong JPEG compression change the grain too. A clean or an even "
    "residual does not show that a picture is genuine, nor that a machine made it.",
)


def error_level_picture(pixels: Pixels, quality: int = ELA_QUALITY) -> Pixels:
    """(H, W, 3) uint8: how much saving `pixels` (H, W, 3) uint8 as JPEG changes each, brightened.

    All but the largest _CLIPPED of the differences are shown in full, at most _BRIGHTEST times
    as large. `quality` is libjpeg's, 1..100. Source: Krawetz, "A picture's worth" (2007).
    """
    with warnings.catch_warnings():
        # these pixels were decoded within the limits already
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        error = saving_error(Image.fromarray(pixels), quality)
    parts = (error[top : top + _ROWS].ravel() for top in range(0, len(error), _ROWS))
    counts = np.cumsum(sum(np.bincount(part, minlength=256) for part in parts))
    most = int(np.searchsorted(counts, (1.0 - _CLIPPED) * error.size))
    gain = min(_BRIGHTEST, 255 / max(most, 1))
    levels = np.clip(np.rint(np.arange(256) * gain), 0, 255).astype(np.uint8)
    shown: Pixels = levels[error]
    return shown


def noise_picture(pixels: Pixels) -> Pixels:
    """(H, W, 3) uint8: `pixels` (H, W, 3) uint8 less their median of 3 x 3, times 8, around 128."""
    import cv2

    # OpenCV filters each channel alone, and repeats the edge
    smooth = cv2.medianBlur(np.ascontiguousarray(pixels), _WINDOW_PX)
    shown = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        noise = pixels[rows].astype(np.int16) - smooth[rows]
        shown[rows] = np.clip(_MIDDLE + _GAIN * noise, 0, 255)
    return shown
