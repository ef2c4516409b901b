"""Faces that do not stand upright in their picture: found in the picture turned by a quarter.

The detector has learnt upright faces. Sideways it misses most of them. Upside down it finds about
half, and marks their eyes where the mouth is: landmarks do not tell. Its last network does: shown
the same face both ways, it is surer of the one that stands upright.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fakefacecli.base.device import to_device
from fakefacecli.base.options import Turns
from fakefacecli.base.protocols import Detector
from fakefacecli.base.quarter import QUARTERS, face_in_picture, turned_image
from fakefacecli.base.records import Box, DecodedImage, Face, Pixels

if TYPE_CHECKING:
    import torch

# the furthest that a face may be turned and still lie as it should; windows are levelled up to here
FURTHEST = 60.0
SURER = 1.0  # logits: 5 of 233 upright faces were liked so much more upside down
SAME_FACE_OVERLAP = 0.3  # intersection over union
_HALF = 180
_ENOUGH_PX = 96


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A face in the photograph's frame, by how many logits it is liked less upside down."""

    face: Face
    liking: float

    @property
    def straight(self) -> bool:
        """Whether the face seems to stand upright in the turned picture in which it was found."""
        # of 233 upright faces the network liked 10 more upside down, of 58 upside down 57
        return abs(self.face.tilt) <= FURTHEST and self.liking > 0

    @property
    def turned(self) -> bool:
        """Whether it clearly does not."""
        return abs(self.face.tilt) > FURTHEST or self.liking < -SURER


class TurningDetector:
    """A Detector that looks at pictures turned by quarters too, as `turns` says.

    AUTO: where nothing is found, or a face that does not stand upright, the turns are looked at.
    That in which the most faces stand upright is taken; if that is the picture as it is, only a
    face that does not gives way to the same face found in a turn. ALWAYS: the faces of all turns,
    each once. Boxes and landmarks are those of the picture as it is; each
    face says by which `turn` it was found. An answer does not depend on batch-mates.
    """

    def __init__(self, detector: Detector, turns: Turns, device: str = "cpu") -> None:
        self.detector = detector
        self.turns = turns
        self.upright = UprightNetwork(device) if turns is not Turns.NEVER else None

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        """The faces of each image, highest score first; () where there is none."""
        found = self.detector.detect(images)
        if self.upright is None:
            return found
        plain = self._seen(images, found)
        plan = [(place, turn) for place, faces in enumerate(plain) for turn in self._wanted(faces)]
        turned = [turned_image(images[place], turn) for place, turn in plan]
        again = self._seen(turned, self.detector.detect(turned)) if turned else []
        others: dict[int, dict[int, list[_Seen]]] = {}
        for (place, turn), faces in zip(plan, again, strict=True):
            back = [
                _Seen(face_in_picture(seen.face, images[place], turn), seen.liking)
                for seen in faces
                if seen.straight
            ]
            others.setdefault(place, {})[turn] = back
        return [
            self._joined(faces, others[place]) if place in others else found[place]
            for place, faces in enumerate(plain)
        ]

    def _wanted(self, faces: Sequence[_Seen]) -> tuple[int, ...]:
        """The turns to look at after these faces of the picture as it is."""
        if self.turns is Turns.ALWAYS or not faces:
            return QUARTERS
        if any(abs(seen.face.tilt) > FURTHEST for seen in faces):
            return QUARTERS
        return () if all(seen.straight for seen in faces) else (_HALF,)

    def _joined(self, plain: Sequence[_Seen], others: dict[int, list[_Seen]]) -> tuple[Face, ...]:
        more = [seen for faces in others.values() for seen in faces]
        doubtful = [seen for seen in plain if not seen.straight]
        # a picture as a whole lies one way; of equal turns the first
        best = max(others.values(), key=lambda faces: (len(faces), _sum_of_likings(faces)))
        if self.turns is Turns.AUTO and len(best) > len(plain) - len(doubtful):
            more = best
        elif self.turns is Turns.AUTO:  # it stands upright, and some faces in it do not
            turned = [seen.face for seen in doubtful if seen.turned]
            more = [seen for seen in more if any(_same(seen.face, face) for face in turned)]
        # straight ones first, of these the ones of the picture as it is
        order = [seen for seen in plain if seen.straight]
        order += sorted(more, key=lambda seen: -seen.liking)
        kept: list[Face] = []
        # what no turn shows upright and clearly stands on its head is said to do so
        left = [replace(s.face, upside_down=s.turned) for s in doubtful]
        for face in [*(seen.face for seen in order), *left]:
            # what the detector tells apart in one picture stays apart
            if not any(_same(face, other) for other in kept if face.turn or other.turn):
                kept.append(face)
        return tuple(sorted(kept, key=lambda face: -face.score))

    def _seen(
        self,
        images: Sequence[DecodedImage],
        found: Sequence[tuple[Face, ...]],
    ) -> list[list[_Seen]]:
        if self.upright is None:
            raise RuntimeError("turns are not looked at")
        pairs = [
            (image, face) for image, faces in zip(images, found, strict=True) for face in faces
        ]
        likings = iter(self.upright.likings(pairs))
        return [[_Seen(face, next(likings)) for face in faces] for faces in found]


class UprightNetwork:
    """MTCNN's last network, asked which way up a face stands."""

    def __init__(self, device: str = "cpu") -> None:
        import torch

        from fakefacecli.detect import networks

        self.device = torch.device(device)
        _, _, self.network = networks.load(self.device)

    def likings(self, faces: Sequence[tuple[DecodedImage, Face]]) -> list[float]:
        """For each face of a picture: the logit as it stands, less the one upside down."""
        import torch

        from fakefacecli.detect.pyramid import pool_boxes, tabulate
        from fakefacecli.models.precision import full_float32

        found: list[float] = []
        with torch.inference_mode(), full_float32(self.device.type):
            for start in range(0, len(faces), self.network.at_once):
                part = faces[start : start + self.network.at_once]
                pixels = [_square_of(image, face.box) for image, face in part]
                tables = tabulate(pixels, self.device)
                edges = [[0, 0, len(one[0]), len(one)] for one in pixels]
                boxes = to_device(np.array(edges, np.int64), self.device)
                owners = torch.arange(len(part), device=self.device)
                seen = pool_boxes(tables, owners, boxes, self.network.SIDE)
                found += self._less_upside_down(seen).tolist()
        return found

    def _less_upside_down(self, seen: "torch.Tensor") -> "torch.Tensor":
        both = (seen, seen.flip(2, 3))
        upright, turned = (self.network.forward(pixels)[:, 0] for pixels in both)
        return upright - turned


def _square_of(image: DecodedImage, box: Box) -> Pixels:
    """What of the square around the box's middle lies in the picture; one pixel at least."""
    half = box.longer_side / 2
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    left = min(max(int(x - half), 0), image.width - 1)
    top = min(max(int(y - half), 0), image.height - 1)
    right, bottom = max(int(x + half), left + 1), max(int(y + half), top + 1)
    # every so many pixels are enough for a network that sees 48 x 48, and cheap
    step = max(1, int(2 * half) // _ENOUGH_PX)
    return image.pixels[top:bottom:step, left:right:step]


def _same(one: Face, other: Face) -> bool:
    """Whether the boxes of two faces overlap so much that they are of one face."""
    return one.box.overlap(other.box) > SAME_FACE_OVERLAP


def _sum_of_likings(faces: Sequence[_Seen]) -> float:
    return sum(seen.liking for seen in faces)
