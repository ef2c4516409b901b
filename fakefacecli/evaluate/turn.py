"""A face that lies turned in its picture, for the robustness grid."""

import math
from dataclasses import dataclass, replace

import numpy as np

from fakefacecli.base.records import Box, DecodedImage, Face, FaceCrop, Floats
from fakefacecli.labelled.faces import FoundFace, face_in_box
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.alterations import checksum
from fakefacecli.scan.crop import cut

# a window that is turned level reaches this much further than one that is not
_DIAGONAL = math.sqrt(2)
_RIM_PX = 4  # what the two bicubic filters read beyond it


@dataclass(frozen=True, slots=True)
class Turn:
    """The picture turned by `strength` degrees about the face, clockwise or counterclockwise.

    Which way is decided by the window's pixels. The box stays, as if it had been found again, and
    the eyes turn with the picture. The window is then cut as the card says: turned level by the
    eyes, or as it lies. A face turned further than the card levels is left for `classify.unfit`.
    """

    strength: float
    family: str = "turn, degrees"

    def __call__(self, found: FoundFace, rule: WindowRule) -> FaceCrop:
        """The window of the turned face."""
        crop, face = found.crop, found.crop.face
        degrees = self.strength if checksum(crop.pixels) % 2 else -self.strength
        # `cut` turns pictures level by the eyes: from eyes that lie the other way it turns this one
        # by `degrees`. Of a ready window nothing is known beyond its edges: their pixels repeat in
        # the corners. Turned level again, those corners lie outside; left turned, the network sees
        # them, as it sees repeated pixels wherever a window overhangs its photograph.
        away = replace(face, landmarks=face_in_box(face.box, -degrees).landmarks)
        side = rule.span * face.box.longer_side * _DIAGONAL + _RIM_PX
        all_around = WindowRule(side / face.box.longer_side, level_from=0, level_to=180)
        picture = cut(found.photo, away, crop.number, all_around).pixels
        eyes = _turned(_eyes(face), face.box, degrees)
        shift = len(picture) / 2 - np.array(_centre(face.box))
        turned = replace(face, box=_moved(face.box, shift), landmarks=eyes + np.float32(shift))
        again = cut(DecodedImage(crop.ref, picture), turned, crop.number, rule)
        # the new picture's edge is not the photograph's
        return replace(again, outside=crop.outside)


def _eyes(face: Face) -> Floats:
    """The face's landmarks; level ones where none were found, as in a ready crop."""
    if np.ptp(face.landmarks[:2], axis=0).any():
        return face.landmarks
    return face_in_box(face.box).landmarks


def _turned(points: Floats, box: Box, degrees: float) -> Floats:
    """Points (n, 2) turned clockwise, as seen, about the box's centre."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    centre = np.array(_centre(box))
    # y grows downwards, so this is clockwise
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray((points - centre) @ turn + centre, np.float32)


def _centre(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def _moved(box: Box, by: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Box:
    x, y = by.tolist()
    return Box(box.left + x, box.top + y, box.right + x, box.bottom + y)
