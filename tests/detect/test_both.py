"""Two detectors: the first's faces stay as they are, and no face is reported twice."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import Box, DecodedImage, Face
from fakefacecli.detect.both import BothDetectors, merged
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.turns import UprightNetwork
from tests.builders import PHOTO, image, ref


def face(left: float, top: float, right: float, bottom: float, score: float = 0.9) -> Face:
    return Face(Box(left, top, right, bottom), np.zeros((5, 2), np.float32), score)


class Finds:
    """A Detector that finds the same faces in every picture."""

    def __init__(self, *faces: Face):
        self.faces = faces

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        return [self.faces for _ in images]


KNOWN = face(0, 0, 100, 100, score=0.5)


@pytest.mark.parametrize(
    ("other", "new"),
    [
        (face(0, 0, 100, 100), False),
        (face(60, 60, 160, 160), True),  # overlaps by 0.09, centre outside
        (face(45, 0, 145, 100), False),  # overlaps by 0.38
        (face(55, 0, 155, 100), True),  # overlaps by 0.29, centre outside
        (face(40, 40, 50, 50), False),  # small, but its centre is inside
        (face(95, 95, 105, 105), False),  # centre on the corner
        (face(-500, -500, 700, 700), False),  # centre inside a box that it dwarfs
        (face(-20, 90, 120, 300), True),
        (face(100, 0, 200, 100), True),  # touches
    ],
)
def test_a_box_is_another_face_if_it_neither_overlaps_nor_has_its_centre_inside(
    other: Face, new: bool
) -> None:
    assert merged([KNOWN], [other]) == ((KNOWN, other) if new else (KNOWN,))


def test_the_firsts_faces_come_first_in_their_order_whatever_the_scores() -> None:
    second, third = face(200, 0, 300, 100, 0.99), face(400, 0, 500, 100, 0.7)
    last = face(600, 0, 700, 100, 0.3)
    found = BothDetectors(Finds(KNOWN, last), Finds(second, KNOWN, third)).detect(
        [image(0), image(1)]
    )
    assert found == [(KNOWN, last, second, third)] * 2


def test_without_faces_of_either_there_is_none() -> None:
    assert BothDetectors(Finds(), Finds()).detect([image()]) == [()]
    assert BothDetectors(Finds(), Finds(KNOWN)).detect([image()]) == [(KNOWN,)]
    assert BothDetectors(Finds(KNOWN), Finds()).detect([]) == []


class Likes:
    """Stands in for the network that tells which way up a face stands: by the box's left edge."""

    def likings(self, faces: Sequence[tuple[DecodedImage, Face]]) -> list[float]:
        return [-face.box.left for _, face in faces]


def test_only_faces_that_the_second_adds_are_asked_which_way_up_they_are() -> None:
    known, little, head = face(500, 0, 600, 100), face(2, 0, 50, 50), face(200, 0, 300, 100)
    detector = BothDetectors(Finds(known), Finds(little, known, head), Likes())  # type: ignore[arg-type]
    for found in detector.detect([image(0), image(1)]):
        assert [one.upside_down for one in found] == [False, False, True]
        assert found[0] == known


def test_a_face_that_only_the_second_finds_on_its_head_is_said_to_be_so() -> None:
    with Image.open(PHOTO) as photo:
        turned = np.asarray(photo.convert("RGB"))[::-1, ::-1].copy()
    picture = DecodedImage(ref(), turned)
    width, height = picture.width, picture.height
    [[upright]] = MtcnnDetector().detect([DecodedImage(ref(), turned[::-1, ::-1].copy())])
    box = upright.box
    back = Box(width - box.right, height - box.bottom, width - box.left, height - box.top)
    alone = BothDetectors(Finds(), Finds(replace(upright, box=back)), UprightNetwork())
    [[found]] = alone.detect([picture])
    assert found.upside_down


def test_overlap_is_intersection_over_union() -> None:
    one = Box(0, 0, 10, 10)
    assert one.overlap(one) == 1
    assert one.overlap(Box(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert one.overlap(Box(10, 0, 20, 10)) == 0
    assert one.overlap(Box(30, 30, 40, 40)) == 0
