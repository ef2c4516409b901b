"""A picture of one face: the one definition of where in it the face lies."""

import numpy as np

from fakefacecli.base.records import Box, DecodedImage, Face


def face_in_middle(picture: DecodedImage, scale: float) -> Face:
    """The face of a picture whose largest square in the middle is `scale` times the face's box.

    Where the eyes are is not known, so the landmarks are its centre.
    """
    x, y = picture.width / 2, picture.height / 2
    half = min(picture.width, picture.height) / scale / 2
    box = Box(x - half, y - half, x + half, y + half)
    return Face(box, np.tile(np.array([[x, y]], np.float32), (5, 1)), 1.0)
