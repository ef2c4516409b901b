"""CenterFace: finds the sample faces where MTCNN does, and those that MTCNN misses."""

import hashlib
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.memory import Memory
from fakefacecli.base.options import Turns
from fakefacecli.base.records import Box, DecodedImage, Face, Floats, ImageRef, Pixels
from fakefacecli.base.verdicts import DetectorName
from fakefacecli.detect import second
from fakefacecli.detect.both import BothDetectors
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.second import CenterFaceDetector
from fakefacecli.detect.turns import TurningDetector
from fakefacecli.models import bundled
from tests.builders import PHOTO, PHOTOS, SHARED

UPSTREAM = SHARED / "models" / "centerface.onnx"


@pytest.fixture(scope="module")
def detector() -> CenterFaceDetector:
    return CenterFaceDetector()


def photo(pixels: Pixels, index: int = 0) -> DecodedImage:
    return DecodedImage(ImageRef(index, f"{index}.png", f"{index}.png"), pixels)


def sample(side: int = 400, degrees: float = 0, brightness: float = 1.0) -> Pixels:
    """A portrait, reduced, turned anticlockwise and darkened."""
    with Image.open(PHOTO) as picture:
        small = picture.convert("RGB").resize((side, side))
    turned = small.rotate(degrees, Image.Resampling.BICUBIC)
    return (np.asarray(turned) * brightness).astype(np.uint8)


def assert_alike(found: Sequence[Face], wanted: Sequence[Face]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert np.allclose(one.landmarks, other.landmarks, rtol=1e-5, atol=1e-2)
        assert one.box.overlap(other.box) > 0.9999


def test_it_finds_the_faces_of_the_sample_photographs_where_mtcnn_does(
    detector: CenterFaceDetector,
) -> None:
    images = []
    for index, path in enumerate(sorted(PHOTOS.iterdir())):
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((picture.width // 3, picture.height // 3))
            images.append(photo(np.asarray(small), index))
    for faces, wanted in zip(detector.detect(images), MtcnnDetector().detect(images), strict=True):
        for face in wanted:
            same = [other for other in faces if face.box.overlap(other.box) > 0.5]
            assert len(same) == 1
            # eyes, nose, corners of the mouth: named in the same order, left in the picture first
            apart = np.abs(same[0].landmarks - face.landmarks).max()
            assert apart < 0.15 * face.box.longer_side
            assert same[0].detector is DetectorName.CENTERFACE


def test_a_face_that_mtcnn_misses_is_found(detector: CenterFaceDetector) -> None:
    dark = photo(sample(brightness=0.05))
    cascade = MtcnnDetector()
    assert cascade.detect([dark]) == [()]
    [[face]] = BothDetectors(cascade, detector).detect([dark])
    [[same]] = cascade.detect([photo(sample())])
    assert face.box.overlap(same.box) > 0.6


@pytest.mark.parametrize(("degrees", "turn"), [(90, 90), (180, 180), (270, 270)])
def test_what_the_first_finds_in_a_turned_picture_is_not_found_again(
    detector: CenterFaceDetector, degrees: int, turn: int
) -> None:
    image = photo(sample(degrees=degrees))
    assert len(detector.detect([image])[0]) == 1
    turning = TurningDetector(MtcnnDetector(), Turns.AUTO)
    [[face]] = BothDetectors(turning, detector).detect([image])
    assert (face.detector, face.turn) == (DetectorName.MTCNN, turn)


def test_its_landmarks_say_how_far_a_face_is_turned(detector: CenterFaceDetector) -> None:
    for degrees in (-30, 0, 30):
        [[face]] = detector.detect([photo(sample(degrees=degrees))])
        (left_x, left_y), (right_x, right_y) = face.landmarks[:2].tolist()
        roll = math.degrees(math.atan2(right_y - left_y, right_x - left_x))
        assert roll == pytest.approx(-degrees, abs=10)


def test_no_images_give_no_answers(detector: CenterFaceDetector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (31, 33), (1, 40_000)])
def test_an_image_of_any_size_is_accepted(
    detector: CenterFaceDetector, size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    assert detector.detect([photo(pixels)]) == [()]


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_even_image_has_no_face(detector: CenterFaceDetector, grey: int) -> None:
    assert detector.detect([photo(np.full((300, 400, 3), grey, np.uint8))]) == [()]


def test_pixels_may_be_read_only_or_a_view(detector: CenterFaceDetector) -> None:
    pixels = sample()
    [wanted] = detector.detect([photo(pixels)])
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    mirrored.flags.writeable = False
    [found] = detector.detect([photo(mirrored[:, ::-1])])
    assert len(wanted) == 1
    assert_alike(found, wanted)


@pytest.mark.parametrize("at_once", [1, 3])
def test_batch_mates_do_not_change_an_answer(at_once: int) -> None:
    detector = CenterFaceDetector()
    detector.at_once = at_once
    pixels = [sample(side, turn) for side in (300, 400) for turn in (0, 5, 12, 180)]
    pixels.append(np.zeros((400, 400, 3), np.uint8))
    images = [photo(each, index) for index, each in enumerate(pixels)]
    together = detector.detect(images)
    backwards = detector.detect(images[::-1])[::-1]
    assert sum(map(len, together)) >= 6
    for image, faces, again in zip(images, together, backwards, strict=True):
        [alone] = CenterFaceDetector().detect([image])
        assert_alike(faces, alone)
        assert_alike(again, alone)


def test_faces_below_the_least_size_are_not_reported() -> None:
    pixels = sample(400)
    [[face]] = CenterFaceDetector().detect([photo(pixels)])
    [[same]] = CenterFaceDetector(min_face_px=0.7 * face.box.longer_side).detect([photo(pixels)])
    assert face.box.overlap(same.box) > 0.7
    assert CenterFaceDetector(min_face_px=1.3 * face.box.longer_side).detect([photo(pixels)]) == [
        ()
    ]


def test_a_huge_picture_is_reduced_to_what_memory_allows(detector: CenterFaceDetector) -> None:
    for height, width in ((10_000, 10_000), (100_000, 1_000), (4_000, 6_000)):
        rows, columns = detector._reduced(height, width)
        assert 0.9 * second.MOST_INPUT_PIXELS < rows * columns < 1.01 * second.MOST_INPUT_PIXELS
    assert detector._reduced(2_000, 3_000) == (700, 1_050)
    # filling a few rows up to 32 must not make a large input of them
    for height, width in ((3, 33_000_000), (5_000_000, 20), (40, 2_500_000)):
        sides = detector._reduced(height, width)
        assert math.prod(-(-side // 32) * 32 for side in sides) < 1.3 * second.MOST_INPUT_PIXELS
    assert CenterFaceDetector(min_face_px=12)._reduced(300, 400) == (300, 400)


def test_one_peak_is_one_box_where_the_maps_say() -> None:
    detector = CenterFaceDetector(min_face_px=10)
    heat = np.zeros((1, 20, 30), np.float32)
    heat[0, 7, 12], heat[0, 7, 13] = 0.9, 0.6  # the second is a neighbour that sees the same face
    sides = np.full((2, 20, 30), math.log(5), np.float32)
    shifts = np.zeros((2, 20, 30), np.float32)
    shifts[0, 7, 12], shifts[1, 7, 12] = 0.25, -0.5  # y, x
    marks = np.zeros((10, 20, 30), np.float32)
    marks[0::2], marks[1::2] = 0.5, 0.25  # y, x, from the upper left corner
    scale = np.array((2.0, 3.0), np.float32)
    [face] = detector._faces([heat, sides, shifts, marks], scale, (500, 500))
    # cells are 4 pixels wide, and a peak lies in the middle of its own
    x, y = (12 + 0.5 - 0.5) * 4 - 10, (7 + 0.5 + 0.25) * 4 - 10
    edges = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    assert edges == pytest.approx((2 * x, 3 * y, 2 * (x + 20), 3 * (y + 20)))
    assert face.landmarks[0].tolist() == pytest.approx([2 * (x + 5), 3 * (y + 10)])
    assert face.score == pytest.approx(0.9)


def test_what_no_picture_can_hold_is_dropped() -> None:
    detector = CenterFaceDetector(min_face_px=10)
    heat = np.zeros((1, 20, 30), np.float32)
    heat[0, 2:6:3, 3] = heat[0, 15, 25] = 0.9
    sides = np.full((2, 20, 30), math.log(5), np.float32)
    sides[:, 2, 3] = np.nan
    sides[:, 5, 3] = np.inf
    empty = np.zeros((2, 20, 30), np.float32), np.zeros((10, 20, 30), np.float32)
    found = detector._faces([heat, sides, *empty], np.ones(2, np.float32), (50, 50))
    # the third lies in the border that fills the input up
    # and the second is wider than twice the picture's shorter side
    assert found == ()


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf])
def test_a_least_face_that_cannot_be_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="wanted more than 0"):
        CenterFaceDetector(min_face_px=wrong)


def test_weights_that_were_changed_or_lost_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = bundled.SECOND_DETECTOR
    for file, sha256, words in (
        (shipped.file, "0" * 64, "reinstall fakefacecli"),
        ("not-there.onnx", shipped.sha256, "reinstall fakefacecli"),
    ):
        changed = bundled.BundledModel(shipped.name, file, sha256)
        monkeypatch.setattr(bundled, "SECOND_DETECTOR", changed)
        with pytest.raises(ModelRefused, match=words):
            CenterFaceDetector()


def test_its_licence_is_shipped_beside_the_weights() -> None:
    path = bundled.SECOND_DETECTOR.path
    with open(path.replace(".onnx", ".LICENSE.txt"), encoding="utf-8") as handle:
        assert "MIT License" in handle.read()


@pytest.mark.skipif(not UPSTREAM.exists(), reason="the published file is not at hand")
def test_the_shipped_file_answers_like_the_published_one() -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    theirs, ours = (
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for path in (UPSTREAM, bundled.SECOND_DETECTOR.path)
    )
    # the only size that the published file takes
    pixels = np.random.default_rng(5).random((10, 3, 32, 32), np.float32) * 255
    for mine, wanted in zip(
        ours.run(None, {ours.get_inputs()[0].name: pixels}),
        theirs.run(None, {theirs.get_inputs()[0].name: pixels}),
        strict=True,
    ):
        assert np.abs(mine - wanted).max() < 1e-3


def test_the_known_hash_is_that_of_the_file() -> None:
    with open(bundled.SECOND_DETECTOR.path, "rb") as handle:
        assert hashlib.sha256(handle.read()).hexdigest() == bundled.SECOND_DETECTOR.sha256


def test_boxes_are_records_of_plain_numbers(detector: CenterFaceDetector) -> None:
    [[face]] = detector.detect([photo(sample())])
    assert isinstance(face.box, Box)
    assert all(type(edge) is float for edge in (face.box.left, face.box.bottom, face.score))


@pytest.mark.parametrize(("limit", "together"), [(1, 1), (1 << 40, 3)])
def test_pictures_wait_until_there_is_memory_for_them(
    limit: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    at_work: list[int] = []
    most = 0

    class Counted(Memory):
        def take(self, size: int, *args: Any) -> None:
            taken.append(size)
            super().take(size, *args)

    detector = CenterFaceDetector(memory=Counted(limit))
    run = detector._maps

    def slowly(pixels: Floats) -> list[Floats]:
        nonlocal most
        at_work.append(1)
        most = max(most, len(at_work))
        time.sleep(0.3)
        at_work.pop()
        return run(pixels)

    monkeypatch.setattr(detector, "_maps", slowly)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        found = detector.detect([photo(sample(side), side) for side in (200, 240, 280)])
    finally:
        torch.set_num_threads(threads)
    assert most == together
    assert [len(faces) for faces in found] == [1, 1, 1]
    # inputs of 70, 84 and 98 pixels a side, filled up to multiples of 32
    assert sorted(taken) == [side * side * second.INPUT_BYTES for side in (96, 96, 128)]
