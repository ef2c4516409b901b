"""Two detectors on the same pictures: the first's faces as they are, then what it has missed."""

from collections.abc import Sequence
from dataclasses import dataclass

from fakefacecli.base.protocols import Detector
from fakefacecli.base.records import Box, DecodedImage, Face

# a box that shares less than this with another (intersection over union) may be another face
MOST_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class BothDetectors:
    """A `Detector`: all faces of `first`, and those of `second` that overlap none of them."""

    first: Detector
    second: Detector

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        """The faces of `first` in its order, then the others in that of `second`.

        So a face keeps its number whether or not the second detector runs.
        """
        pairs = zip(self.first.detect(images), self.second.detect(images), strict=True)
        return [merged(known, more) for known, more in pairs]


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
