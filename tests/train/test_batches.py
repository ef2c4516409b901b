"""What training shows a network is what a scan, a measurement, would show it."""

import pathlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import DecodedImage, Pixels
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace, read_faces
from fakefacecli.models.bundled import find_model
from fakefacecli.models.preprocess import shrink
from fakefacecli.scan.pipeline import Judge
from fakefacecli.train.faces import CutOptions, LabelledFace, find_faces
from fakefacecli.train.feed import Shown, disturbed_face, fed_face, window_px
from tests.builders import FakeClassifier, FakeDetector

CARD = replace(find_model("inception-resnet-v1").card, input_px=48)


def noise(path: pathlib.Path, width: int, height: int, channels: int = 3) -> str:
    chance = np.random.default_rng(width * height)
    pixels = chance.integers(0, 256, (height, width, channels), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def trained_and_measured(path: str, ready_scale: float, cache: str) -> tuple[Pixels, FoundFace]:
    """What training feeds of a ready crop, and what `evaluate --faces-only` finds in it."""
    images = [LabelledImage(path, True, "", "")]
    [face], _ = find_faces(images, CutOptions(cache, ready_scale, workers=1))
    decoder = WorkerDecoder(1, DecodeLimits())
    try:
        judge = Judge(FakeDetector(), FakeClassifier(), CARD.window)
        [found] = read_faces(images, FaceReader(judge, decoder, ready_scale))
    finally:
        decoder.close()
    assert isinstance(found, FoundFace)
    assert window_px(face, CARD) == found.crop.window.side
    return fed_face(face, CARD), found


@pytest.mark.parametrize(
    ("width", "height", "ready_scale"),
    [(96, 96, 1.15), (97, 97, 1.3), (89, 109, 1.15), (109, 88, 1.3), (96, 96, 1.0), (89, 109, 1.0)],
)
def test_training_sees_the_pixels_of_a_ready_crop_that_a_measurement_sees(
    tmp_path: pathlib.Path, width: int, height: int, ready_scale: float
) -> None:
    path = noise(tmp_path / "a.png", width, height)
    fed, found = trained_and_measured(path, ready_scale, str(tmp_path))
    assert (fed == shrink(found.crop, CARD)).all()


def test_a_crop_that_is_not_square_is_its_middle_and_nothing_else(tmp_path: pathlib.Path) -> None:
    path = noise(tmp_path / "a.png", 89, 109)
    _, found = trained_and_measured(path, CARD.crop_scale, str(tmp_path))
    assert isinstance(found.photo, DecodedImage)
    assert (found.crop.pixels == found.photo.pixels[10:99]).all()


def test_see_through_crops_are_read_as_a_scan_reads_them(tmp_path: pathlib.Path) -> None:
    path = noise(tmp_path / "a.png", 64, 64, channels=4)
    fed, found = trained_and_measured(path, 1.15, str(tmp_path))
    assert (fed == shrink(found.crop, CARD)).all()


@pytest.mark.parametrize(("scale", "side"), [(1.0, 55), (1.15, 48), (1.3, 48)])
def test_a_crop_narrower_than_the_window_is_disturbed_at_the_windows_scale(
    tmp_path: pathlib.Path, scale: float, side: int
) -> None:
    image = LabelledImage(noise(tmp_path / "a.png", 48, 48), True, "", "")
    face = LabelledFace(image.path, image, 48, scale, 0, None)  # type: ignore[arg-type]
    seen = disturbed_face(face, CARD, Shown(side), 0)
    with Image.open(image.path) as picture:
        border = (side - 47) // 2  # the window is rounded to the left
        whole = np.pad(np.asarray(picture), ((border, side - 48 - border),) * 2 + ((0, 0),), "edge")
    assert (seen == whole).mean() > 0.99


def test_a_picture_smaller_than_its_record_still_gives_the_window(tmp_path: pathlib.Path) -> None:
    image = LabelledImage(noise(tmp_path / "a.png", 20, 20), True, "", "")
    face = LabelledFace(image.path, image, 200, 1.3, 0, None)  # type: ignore[arg-type]
    narrow = np.asarray(Image.open(image.path))[1:19, 1:19]
    wanted = Image.fromarray(narrow).resize((48, 48), Image.Resampling.BICUBIC)
    assert (fed_face(face, CARD) == np.asarray(wanted)).all()
