"""Quarter turns of a picture, and where things of the turned picture lie in it as it was.

A turn of 0, 90, 180 or 270 degrees is one of the picture, clockwise as seen.
"""

from dataclasses import replace

import numpy as np

from fakefacecli.base.records import (
    TURNS,
    Box,
    DecodedImage,
    Face,
    FaceCrop,
    Floats,
    Pixels,
    Window,
)

QUARTERS = TURNS[1:]
_RIGHT, _HALF = 90, 180


def turned_image(image: DecodedImage, turn: int) -> DecodedImage:
    """The picture turned by `turn`: a view of the same pixels."""
    pixels: Pixels = np.rot90(image.pixels, -turn // 90)
    return replace(image, pixels=pixels) if turn else image


def face_in_picture(face: Face, image: DecodedImage, turn: int) -> Face:
    """A face that was found in `image` turned by `turn`, as it lies in `image` itself."""
    width, height = image.width, image.height
    box, points = _moved(face, (width, height), -turn % 360)
    return Face(box, points, face.score, turn)


def face_in_turned(face: Face, image: DecodedImage) -> Face:
    """The reverse: `face` of `image`, as it lies in the picture turned by the face's own turn."""
    size = (image.width, image.height)
    if face.turn != _HALF:
        size = size[::-1]  # of the picture that `_moved` turns it into
    box, points = _moved(face, size, face.turn)
    return Face(box, points, face.score)


def window_in_picture(window: Window, image: DecodedImage, turn: int) -> Window:
    """A window of `image` turned by `turn`, as it lies in `image` itself."""
    left, top, side = window.left, window.top, window.side
    if turn == _RIGHT:
        return Window(top, image.height - left - side, side)
    if turn == _HALF:
        return Window(image.width - left - side, image.height - top - side, side)
    return Window(image.width - top - side, left, side) if turn else window


def box_in_crop(crop: FaceCrop) -> Box:
    """The face's box in the pixels of its window, before that is reduced: turned as it is."""
    face, window = crop.face, crop.window
    box = Box(
        face.box.left - window.left,
        face.box.top - window.top,
        face.box.right - window.left,
        face.box.bottom - window.top,
    )
    moved, _ = _moved(replace(face, box=box), (window.side, window.side), face.turn)
    return moved


def _moved(face: Face, size: tuple[int, int], turn: int) -> tuple[Box, Floats]:
    """Box and landmarks after a turn whose picture then has the `size` (width, height)."""
    width, height = size
    box, (x, y) = face.box, face.landmarks.T
    if turn == _RIGHT:
        moved = Box(width - box.bottom, box.left, width - box.top, box.right)
        points = width - y, x
    elif turn == _HALF:
        moved = Box(width - box.right, height - box.bottom, width - box.left, height - box.top)
        points = width - x, height - y
    elif turn:
        moved = Box(box.top, height - box.right, box.bottom, height - box.left)
        points = y, height - x
    else:
        moved, points = box, (x, y)
    return moved, np.stack(points, 1).astype(np.float32)
