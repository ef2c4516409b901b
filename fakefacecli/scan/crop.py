"""Cutting faces out of photographs."""

import numpy as np

from fakefacecli.base.records import Box, DecodedImage, Face, FaceCrop, Window


def window_of(box: Box, scale: float) -> Window:
    """The square of `scale` times the longer side of `box`, around the centre of `box`."""
    side = scale * box.longer_side
    centre_x, centre_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Window(round(centre_x - side / 2), round(centre_y - side / 2), max(1, round(side)))


def cut(image: DecodedImage, face: Face, number: int, scale: float) -> FaceCrop:
    """Copy the window of `face` out of `image`; outside the image its edge pixels repeat."""
    window = window_of(face.box, scale)
    # an index that is clipped to the image repeats its edge
    rows = np.clip(np.arange(window.top, window.top + window.side), 0, image.height - 1)
    columns = np.clip(np.arange(window.left, window.left + window.side), 0, image.width - 1)
    if rows[-1] - rows[0] == window.side - 1 == columns[-1] - columns[0]:
        # wholly inside, as most are: one slice instead of copying pixel by pixel
        inside = image.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return FaceCrop(image.ref, number, face, window, inside.copy())
    return FaceCrop(image.ref, number, face, window, image.pixels[rows][:, columns])
