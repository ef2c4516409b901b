"""Two detectors on the same pictures: the first's faces as they are, then what it has missed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakefacecli.base.protocols import Detector
from fakefacecli.base.records import Box, DecodedImage, Face
from fakefacecli.detect.turns import UprightNetwork

# a box that shares less than this with another (intersection over union) may be another face
MOST_OVERLAP = 0.3
# logits: none of 31 upright faces that the second alone found was liked so much more upside down,
# 4 of 9 that stood on their heads were
CLEARLY_UPSIDE_DOWN = 2.5


@dataclass(frozen=True, slots=True)
class BothDetectors:
    """A `Detector`: all faces of `first`, and those of `second` that overlap none of them.

    `upright` tells which of the latter stand on their heads; without it nobody is asked.
    """

    first: Detector
    second: Detector
    upright: UprightNetwork | None = None

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        """The faces of `first` in its order, then the others in that of `second`.

        So a face keeps its number whether or not the second detector runs.
        """
        known = self.first.detect(images)
        pairs = zip(known, self.second.detect(images), strict=True)
        found = [merged(faces, more) for faces, more in pairs]
        if self.upright is None:
            return found
        added = [
            (image, face)
            for image, faces, all_faces in zip(images, known, found, strict=True)
            for face in all_faces[len(faces) :]
        ]
        likings = iter(self.upright.likings(added))
        return [
            (
                *faces,
                *(
                    replace(face, upside_down=next(likings) < -CLEARLY_UPSIDE_DOWN)
                    for face in all_faces[len(faces) :]
                ),
            )
            for faces, all_faces in zip(known, found, strict=True)
        ]


def merged(known: Sequence[Face], more: Sequence[Face]) -> tuple[Face, ...]:
    """`known`, and each of `more` that is none of them.

    It is one of them if the boxes' intersection over union is MOST_OVERLAP or more, or if its
    centre lies inside one of their boxes.
    """
    return (*known, *(face for face in more if not any(_same(face.box, k.box) for k in known)))


def _same(box: Box, known: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    inside = known.left <= x <= known.right and known.top <= y <= known.bottom
    return inside or box.overlap(known) >= MOST_OVERLAP
