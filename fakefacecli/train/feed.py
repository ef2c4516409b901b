"""What training shows a network of one face: as a scan would, or with room to be disturbed."""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fakefacecli.base.records import DecodedImage, FaceCrop, ImageRef, Pixels
from fakefacecli.labelled.faces import face_in_middle
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import shrink
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.crop import cut
from fakefacecli.train.faces import LabelledFace, read_face


@dataclass(frozen=True, slots=True)
class Shown:
    """The side of the pictures that are disturbed, in px.

    `window`, of a native view: the side to which the window is resized first, 0 if it is not.
    """

    side: int
    window: int = 0


def window_px(face: LabelledFace, card: ModelCard) -> int:
    """The side of the card's window in pixels of the face's picture, which may be narrower."""
    return max(1, round(face.side * card.crop_scale / face.scale))


def fed_face(face: LabelledFace, card: ModelCard) -> Pixels:
    """The face as a scan would show it to the network, before normalisation."""
    return shrink(_window(face, card.window), card)


def disturbed_face(face: LabelledFace, card: ModelCard, shown: Shown, webp: int) -> Pixels:
    """What the network will see of the face and some room around it, at `shown.side` px.

    That is all of the picture's square, or the card's window where that is wider; of a native view
    the middle of the window. With WebP's losses at quality `webp` if that is not 0.
    """
    if card.view == "native":
        picture = _native(face, card, shown)
    else:
        pixels = _window(face, max(face.scale, card.crop_scale)).pixels
        size = (shown.side, shown.side)
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    if webp:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=webp, method=2)
        with Image.open(buffer, formats=("WEBP",)) as again:
            picture = again.convert("RGB")
    return np.asarray(picture)


def box_share(face: LabelledFace, card: ModelCard, shown: Shown | None) -> float:
    """The longer side of the face's box over the side of the picture that shows it.

    That is the picture of `disturbed_face`, or with None that of `fed_face`.
    """
    if card.view != "native":
        return 1 / (max(face.scale, card.crop_scale) if shown else card.crop_scale)
    window = min(window_px(face, card), card.window.most_px or math.inf)
    window = max((shown.window if shown else 0) or window, card.input_px)
    return window / card.span / (shown.side if shown else card.input_px)


def _native(face: LabelledFace, card: ModelCard, shown: Shown) -> Image.Image:
    """The middle `shown.side` px of the window; its edge pixels repeat where it is smaller.

    A window smaller than the network's input is enlarged to that, as in a scan.
    """
    window = Image.fromarray(_window(face, card.window).pixels)
    side = max(shown.window or window.width, card.input_px)
    for px in (shown.window, side):
        if px and px != window.width:
            window = window.resize((px, px), Image.Resampling.BICUBIC)
    start = round((side - shown.side) / 2)
    places = np.clip(np.arange(start, start + shown.side), 0, side - 1)
    return Image.fromarray(np.asarray(window)[places][:, places])


def _window(face: LabelledFace, rule: WindowRule | float) -> FaceCrop:
    """The window by `rule`, or `rule` times the box, cut as a scan does: edge pixels may repeat."""
    picture = DecodedImage(ImageRef(0, face.path, ""), read_face(face.path))
    return cut(picture, face_in_middle(picture, face.scale), 1, rule)
