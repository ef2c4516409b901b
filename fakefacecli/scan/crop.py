"""Cutting faces out of photographs."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from fakefacecli.base.quarter import face_in_turned, turned_image, window_in_picture
from fakefacecli.base.records import (
    Box,
    DecodedImage,
    Face,
    FaceCrop,
    FacePlace,
    Pixels,
    Window,
)
from fakefacecli.models.window import WindowRule

_MOST_CV2_PX = 32_766  # cv2.warpAffine counts a source's pixels in 16 bits


def window_of(box: Box, scale: float) -> Window:
    """The square of `scale` times the longer side of `box`, around the centre of `box`."""
    return _around(box, scale * box.longer_side)


def cut(image: DecodedImage, face: Face, number: int, rule: WindowRule | float) -> FaceCrop:
    """Copy the window of `face` out of `image`; outside the image its edge pixels repeat.

    A number instead of a rule is its span: nothing is turned level or reduced then. A face that was
    found in the picture turned by a quarter is cut out of the picture so turned.
    """
    if not isinstance(rule, WindowRule):
        rule = WindowRule(rule)
    if face.turn:
        crop = cut(turned_image(image, face.turn), face_in_turned(face, image), number, rule)
        return replace(
            crop,
            face=face,
            window=window_in_picture(crop.window, image, face.turn),
            roll=face.roll,
            # the picture was turned clockwise, so the face lay turned the other way
            turned=crop.turned - face.turn,
        )
    place = place_of(image, face, number, rule)
    window = place.window
    if place.levelled:
        pixels = _turned(image, face.box, window.side, place.turned)
    else:
        pixels = _plain(image, window)
    if rule.most_px and window.side > rule.most_px:
        size = (rule.most_px, rule.most_px)
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return FaceCrop(**place.facts, pixels=pixels)


def place_of(image: DecodedImage, face: Face, number: int, rule: WindowRule) -> FacePlace:
    """Where in `image` the window of `face` lies, which was found in the picture as it is."""
    roll = face.roll
    side = rule.span * face.box.longer_side
    exact = rule.exact_corner or not rule.levels
    window = _around(face.box, side if exact else max(1, round(side)))
    turned = roll if rule.level_from <= abs(roll) <= rule.level_to else 0.0
    outside = _outside(image, window)
    return FacePlace(image.ref, number, face, window, roll, turned, outside, image.frame)


def is_too_long(pixels: Pixels) -> bool:
    """Whether a picture has too many pixels in a line to be turned as a whole."""
    return bool(max(pixels.shape) > _MOST_CV2_PX)


def middle_of(box: Box) -> tuple[float, float]:
    """The box's centre, x and y."""
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def level_turn(centre: tuple[float, float], side: int, roll: float) -> npt.NDArray[np.float64]:
    """The matrix (2, 3) from a photograph's pixels to those of a square of `side` around `centre`.

    The square is turned so that what is turned by `roll` degrees, clockwise, lies level.
    """
    import cv2

    turn = np.asarray(cv2.getRotationMatrix2D(centre, roll, 1), np.float64)
    turn[:, 2] += side / 2 - np.array(centre)
    return turn


def _around(box: Box, side: float) -> Window:
    centre_x, centre_y = middle_of(box)
    return Window(round(centre_x - side / 2), round(centre_y - side / 2), max(1, round(side)))


def _plain(image: DecodedImage, window: Window) -> Pixels:
    rows = np.clip(np.arange(window.top, window.top + window.side), 0, image.height - 1)
    columns = np.clip(np.arange(window.left, window.left + window.side), 0, image.width - 1)
    if rows[-1] - rows[0] == window.side - 1 == columns[-1] - columns[0]:
        return image.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return image.pixels[rows][:, columns]


def _turned(image: DecodedImage, box: Box, side: int, roll: float) -> Pixels:
    """The (side, side, 3) square around the box's centre, turned so that the eyes are level."""
    import cv2

    pixels = image.pixels
    centre_x, centre_y = middle_of(box)
    if is_too_long(pixels):
        # the square's corners reach side * sqrt(1/2) from its centre, the filter 2 pixels more
        reach = side + 4
        left = int(np.clip(centre_x - reach, 0, image.width - 1))
        top = int(np.clip(centre_y - reach, 0, image.height - 1))
        right, bottom = int(centre_x) + reach, int(centre_y) + reach
        pixels = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
        centre_x, centre_y = centre_x - left, centre_y - top
    turn = level_turn((centre_x, centre_y), side, roll)
    turned = cv2.warpAffine(
        pixels, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(turned, np.uint8)


def _outside(image: DecodedImage, window: Window) -> float:
    """The share of the window, as it lies before any turn, that is not in the photograph."""
    wide = min(window.left + window.side, image.width) - max(window.left, 0)
    high = min(window.top + window.side, image.height) - max(window.top, 0)
    return 1 - max(wide, 0) * max(high, 0) / window.side**2
