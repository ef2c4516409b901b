"""Faces in pictures that lie on a side or stand on their heads."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.options import Turns
from fakefacecli.base.quarter import QUARTERS, turned_image
from fakefacecli.base.records import DecodedImage, Face
from fakefacecli.base.verdicts import Reason
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.turns import FURTHEST, TurningDetector, UprightNetwork
from fakefacecli.models.window import LEVEL_WINDOW, WindowRule
from fakefacecli.scan.classify import unfit
from fakefacecli.scan.crop import cut
from tests import builders

NAMES = ("official_003.jpg", "generated_002.jpg", "official_001.jpg")


def photo(name: str, index: int = 0) -> DecodedImage:
    with Image.open(builders.PHOTOS / name) as picture:
        picture.thumbnail((480, 480))
        return DecodedImage(builders.ref(index, name), np.asarray(picture.convert("RGB")))


@pytest.fixture(scope="module")
def upright() -> list[DecodedImage]:
    return [photo(name, index) for index, name in enumerate(NAMES)]


@pytest.fixture(scope="module")
def mtcnn() -> MtcnnDetector:
    return MtcnnDetector()


class Counting:
    """A Detector that counts the pictures it was shown."""

    def __init__(self, detector: MtcnnDetector) -> None:
        self.detector = detector
        self.seen = 0

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        self.seen += len(images)
        return self.detector.detect(images)


def same(one: tuple[Face, ...], other: tuple[Face, ...]) -> bool:
    return [(f.box, f.score, f.turn, f.landmarks.tolist()) for f in one] == [
        (f.box, f.score, f.turn, f.landmarks.tolist()) for f in other
    ]


@pytest.mark.parametrize("stored", QUARTERS)
def test_a_picture_stored_turned_is_judged_as_its_upright_twin(
    upright: list[DecodedImage], mtcnn: MtcnnDetector, stored: int
) -> None:
    detector = TurningDetector(mtcnn, Turns.AUTO)
    for image, wanted in zip(upright, mtcnn.detect(upright), strict=True):
        lying = turned_image(image, stored)
        [[face]] = detector.detect([lying])
        assert face.turn == 360 - stored
        twin, found = cut(image, wanted[0], 1, LEVEL_WINDOW), cut(lying, face, 1, LEVEL_WINDOW)
        assert np.array_equal(found.pixels, twin.pixels)
        assert found.outside == twin.outside
        assert unfit(found, LEVEL_WINDOW) is unfit(twin, LEVEL_WINDOW)
        # its roll is that of the picture and its own; what is left after the turn is its own
        assert (found.roll - twin.roll - stored + 180) % 360 == pytest.approx(180, abs=0.1)
        assert found.face.tilt == pytest.approx(twin.roll, abs=0.1)


@pytest.mark.parametrize("stored", QUARTERS)
def test_box_window_and_eyes_lie_on_the_face_of_the_picture_as_it_is(
    upright: list[DecodedImage], mtcnn: MtcnnDetector, stored: int
) -> None:
    image = upright[0]
    lying = turned_image(image, stored)
    [[face]] = TurningDetector(mtcnn, Turns.AUTO).detect([lying])
    crop = cut(lying, face, 1, WindowRule(1.8, 8.0, 60.0))
    window, box = crop.window, face.box
    # the pixels of the window, as they lie in the picture, are the crop turned back
    plain = cut(lying, replace(face, turn=0, landmarks=np.zeros((5, 2), np.float32)), 1, 1.8)
    assert (plain.window.left, plain.window.top) == pytest.approx((window.left, window.top), abs=1)
    side = min(window.side, plain.window.side)
    back = np.rot90(crop.pixels, -stored // 90)[:side, :side]
    assert (
        abs(back.astype(float) - plain.pixels[:side, :side]).mean() < 6
    )  # turned by 3 degrees less
    assert crop.turned % 360 == stored
    inside = (face.landmarks > (box.left, box.top)) & (face.landmarks < (box.right, box.bottom))
    assert inside.all()


def test_upright_pictures_are_answered_as_before_and_cost_no_further_look(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    counting = Counting(mtcnn)
    found = TurningDetector(counting, Turns.AUTO).detect(upright)
    assert counting.seen == len(upright)
    for faces, wanted in zip(found, mtcnn.detect(upright), strict=True):
        assert same(faces, wanted)


def test_never_looks_once_and_finds_nothing_in_a_picture_on_its_side(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    counting = Counting(mtcnn)
    lying = turned_image(upright[0], 90)
    assert TurningDetector(counting, Turns.NEVER).detect([lying]) == [()]
    assert counting.seen == 1


def test_a_face_on_its_head_that_the_detector_takes_for_upright_is_turned(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    on_heads = [turned_image(image, 180) for image in upright]
    # so it is with MTCNN: it finds such a face, and marks eyes where the mouth is
    mistaken = [faces for faces in mtcnn.detect(on_heads) if faces]
    assert mistaken
    assert all(abs(face.roll) < FURTHEST for faces in mistaken for face in faces)
    points = [face.landmarks for faces in mistaken for face in faces]
    assert all(eyes[:2, 1].max() < eyes[3:, 1].min() for eyes in points)
    for faces in TurningDetector(mtcnn, Turns.AUTO).detect(on_heads):
        assert [face.turn for face in faces] == [180]


class PlainOnly(Counting):
    """A Detector that finds nothing in the pictures of its second look."""

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        first = not self.seen
        found = super().detect(images)
        return found if first else [()] * len(images)


def test_a_face_on_its_head_that_no_turn_confirms_is_not_judged(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    on_heads = [turned_image(image, 180) for image in upright]
    seen = zip(
        on_heads, TurningDetector(PlainOnly(mtcnn), Turns.AUTO).detect(on_heads), strict=True
    )
    crops = [cut(image, face, 1, LEVEL_WINDOW) for image, faces in seen for face in faces]
    assert crops
    assert {unfit(crop, LEVEL_WINDOW) for crop in crops} == {Reason.FACE_TURNED}


def test_the_network_likes_a_face_the_right_way_up(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    pairs = [(image, faces[0]) for image, faces in zip(upright, mtcnn.detect(upright), strict=True)]
    assert min(UprightNetwork().likings(pairs)) > 0


def test_faces_of_all_turns_are_joined_without_doubles(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    first, second = upright[0].pixels, np.rot90(upright[1].pixels)
    height = max(len(first), len(second))
    pages = [np.pad(p, ((0, height - len(p)), (0, 0), (0, 0))) for p in (first, second)]
    both = DecodedImage(builders.ref(), np.concatenate(pages, 1))
    found = TurningDetector(mtcnn, Turns.ALWAYS).detect([both])[0]
    assert sorted(face.turn for face in found) == [0, 90]
    [plain] = mtcnn.detect([both])
    assert plain[0].box in [face.box for face in found if not face.turn]


def test_batch_mates_do_not_change_an_answer(
    upright: list[DecodedImage], mtcnn: MtcnnDetector
) -> None:
    grey = DecodedImage(builders.ref(9), np.full((90, 120, 3), 128, np.uint8))
    pictures = [turned_image(upright[0], 90), grey, upright[1], turned_image(upright[2], 180)]
    detector = TurningDetector(mtcnn, Turns.AUTO)
    assert detector.detect([]) == []
    together = detector.detect(pictures)
    assert together[1] == ()
    for picture, faces in zip(pictures, together, strict=True):
        assert same(detector.detect([picture])[0], faces)
