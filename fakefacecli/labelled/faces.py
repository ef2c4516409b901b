"""The faces of labelled images, found and cut exactly as a scan does it."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fakefacecli.base.protocols import Decoder
from fakefacecli.base.records import Box, DecodedImage, Face, FaceCrop, ImageRef, Unreadable
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.scan.crop import cut
from fakefacecli.scan.pipeline import Judge

_AT_ONCE = 16  # images


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face with its image's label; `face_px` is its size in the original photograph, in px."""

    image: LabelledImage
    photo: DecodedImage
    crop: FaceCrop
    face_px: float


@dataclass(frozen=True, slots=True)
class Missed:
    """An image that gave no face, and why; `unreadable` if it could not be looked at."""

    image: LabelledImage
    why: str
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class FaceReader:
    """How faces are found: `ready_scale` is None for photographs, in which they are detected.

    Otherwise every image shows one face, and the largest square in its middle is `ready_scale`
    times as wide as the longer side of the face's box. What the model does not see is cut off.
    """

    judge: Judge
    decoder: Decoder
    ready_scale: float | None = None
    stop: Callable[[], None] = lambda: None


def read_faces(images: Sequence[LabelledImage], reader: FaceReader) -> Iterator[FoundFace | Missed]:
    """Every face of every image, in order; at least one answer per image."""
    refs = (ImageRef(n, image.path, image.path) for n, image in enumerate(images))
    decoded = reader.decoder.decode(refs)
    while batch := list(itertools.islice(decoded, _AT_ONCE)):
        reader.stop()
        photos = [item for item in batch if isinstance(item, DecodedImage)]
        faces = dict(
            zip((photo.ref.index for photo in photos), _faces(photos, reader), strict=True)
        )
        for item in batch:
            image = images[item.ref.index]
            if isinstance(item, Unreadable):
                yield Missed(image, item.message, unreadable=True)
                continue
            found = faces[item.ref.index]
            if why := _no_more(image, item, len(found)):
                yield Missed(image, why, unreadable=True)
                continue
            for number, face in enumerate(found, 1):
                if image.face not in (None, number):
                    continue
                crop = cut(item, face, number, reader.judge.window)
                # a ready crop may have been resized, and its edges may be repeated pixels: its CSV
                # can say how large the face was before, and how much of it was no photograph
                if reader.ready_scale is not None and image.outside:
                    crop = replace(crop, outside=image.outside)
                yield FoundFace(image, item, crop, image.face_px or face.box.longer_side)
            if not found:
                yield Missed(image, "no face found")


def _no_more(image: LabelledImage, photo: DecodedImage, faces: int) -> str:
    """Why the face that was labelled cannot be taken any more; "" where it can."""
    if image.sha256 and image.sha256 != photo.facts.sha256:
        return "the file has changed since its face was decided about"
    if image.face is not None and image.face > faces:
        return f"face {image.face} was decided about, {faces} found; scan it with the same flags"
    return ""


def face_in_middle(picture: DecodedImage, scale: float) -> Face:
    """The face of a picture whose largest square in the middle is `scale` times the face's box.

    This is the one place that says where in a ready crop the face lies.
    """
    x, y = picture.width / 2, picture.height / 2
    half = min(picture.width, picture.height) / scale / 2
    return face_in_box(Box(x - half, y - half, x + half, y + half))


def face_in_box(box: Box, roll: float = 0.0, turn: int = 0) -> Face:
    """A face of which only the box is known, and how it is turned, in degrees as in a report.

    Its eyes lie as far apart as half the box is long; the other landmarks are its centre.
    """
    centre = [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
    points = np.tile(np.array(centre, np.float32), (5, 1))
    quarter = box.longer_side / 4
    away = np.array([math.cos(math.radians(roll)), math.sin(math.radians(roll))]) * quarter
    points[0] -= away
    points[1] += away
    return Face(box, points, 1.0, turn)


def _faces(photos: Sequence[DecodedImage], reader: FaceReader) -> list[tuple[Face, ...]]:
    if reader.ready_scale is None:
        return reader.judge.detector.detect(photos)
    return [(face_in_middle(photo, reader.ready_scale),) for photo in photos]
