"""Ready windows, such as ../shared/windows, as the crops that a scan would cut."""

import numpy as np
from PIL import Image

from fakefacecli.base.records import DecodedImage, FaceCrop, ImageRef, Window
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import face_in_middle
from fakefacecli.models.window import LEVEL_WINDOW


def read_window(image: LabelledImage) -> FaceCrop:
    """The window that lies in the image's file, which the bundled judge takes as it is."""
    with Image.open(image.path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    photo = DecodedImage(ImageRef(0, image.path, image.path), pixels)
    face, window = face_in_middle(photo, LEVEL_WINDOW.span), Window(0, 0, len(pixels))
    return FaceCrop(photo.ref, 1, face, window, pixels, outside=image.outside)
