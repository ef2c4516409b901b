"""Turned faces, as single networks without a rule of their own see them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.options import JudgeOptions, Turns
from fakefacecli.base.quarter import box_in_crop, turned_image
from fakefacecli.base.records import Box, DecodedImage, Face
from fakefacecli.base.verdicts import Label, Reason
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.labelled.faces import face_in_box
from fakefacecli.models.bundled import find_model
from fakefacecli.models.preprocess import region
from fakefacecli.models.window import MOST_OUTSIDE, WindowRule, window_of_network
from fakefacecli.scan.build import build_judge
from fakefacecli.scan.classify import unfit
from fakefacecli.scan.crop import cut
from tests import builders
from tests.command import SMALL

RULE = window_of_network(1.15)


def portrait(degrees: float = 0) -> DecodedImage:
    """A generated portrait, turned clockwise on a grey ground."""
    with Image.open(builders.PHOTOS / "generated_002.jpg") as picture:
        picture.thumbnail((700, 700))
        turned = picture.rotate(-degrees, Image.Resampling.BICUBIC, True, fillcolor=(90, 90, 90))
    return DecodedImage(builders.ref(), np.asarray(turned.convert("RGB")))


def test_a_flagged_portrait_stays_flagged_when_it_is_turned() -> None:
    judge = build_judge(JudgeOptions(SMALL, turns=Turns.NEVER), find_model(SMALL))
    images = [portrait(degrees) for degrees in (0, 20, -30, 45)]
    faces = [max(found, key=lambda f: f.score) for found in judge.detector.detect(images)]
    crops = [cut(i, f, 1, judge.window) for i, f in zip(images, faces, strict=True)]
    assert [crop.levelled for crop in crops] == [False, True, True, True]
    assert {verdict.label for verdict in judge.classifier.classify(crops)} == {Label.FLAGGED}
    # as it was before: turned as they are, such faces come out as not flagged
    flat = [cut(i, f, 1, WindowRule(1.15)) for i, f in zip(images, faces, strict=True)]
    assert judge.classifier.classify(flat)[1].label is not Label.FLAGGED


@pytest.mark.parametrize("roll", [0, 7.9, -7.9])
def test_level_faces_keep_their_pixels(roll: float) -> None:
    image = portrait()
    for left, side in ((100.3, 120.4), (77.5, 133.21), (-30.2, 99.9)):
        face = face_in_box(Box(left, 90.7, left + side - 3.3, 90.7 + side), roll)
        old, new = cut(image, face, 1, WindowRule(1.15)), cut(image, face, 1, RULE)
        assert new.window == old.window
        assert np.array_equal(new.pixels, old.pixels)


@pytest.mark.parametrize(
    ("roll", "left", "why"),
    [
        (59, 200, None),
        (61, 200, Reason.FACE_TURNED),
        (-175, 200, Reason.FACE_TURNED),
        (0, -10, None),
        (0, -70, Reason.FACE_CUT_OFF),
    ],
)
def test_what_a_single_network_is_not_to_judge(
    roll: float, left: float, why: Reason | None
) -> None:
    face = face_in_box(Box(left, 200, left + 200, 400), roll)
    crop = cut(portrait(), face, 1, RULE)
    assert unfit(crop, RULE) is why
    assert (crop.outside > MOST_OUTSIDE) == (why is Reason.FACE_CUT_OFF)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_stretched_box_is_seen_as_in_the_upright_picture(turn: int) -> None:
    upright = portrait()
    [[found]] = MtcnnDetector().detect([upright])
    lying = turned_image(upright, 360 - turn)
    corners = np.array([[found.box.left, found.box.top], [found.box.right, found.box.bottom]])
    width, height = upright.width, upright.height
    # counterclockwise by `turn` degrees
    for _ in range(turn // 90):
        corners = np.stack((corners[:, 1], width - corners[:, 0]), 1)
        width, height = height, width
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    roll = (found.roll - turn + 180) % 360 - 180
    face = replace(face_in_box(Box(left, top, right, bottom), roll), turn=turn)
    card = replace(find_model(SMALL).card, stretch=True)
    old, new = cut(upright, found, 1, RULE), cut(lying, face, 1, RULE)
    assert np.array_equal(new.pixels, old.pixels)
    assert region(new, card) == region(old, card)
    assert box_in_crop(new).left == pytest.approx(box_in_crop(old).left)


def test_a_face_of_a_report_lies_as_the_report_says() -> None:
    box = Box(10, 20, 110, 130)
    for roll in (0.0, 12.3, -92.4, 178.0):
        face: Face = face_in_box(box, roll, 90)
        assert face.roll == pytest.approx(roll, abs=1e-3)
        assert math.isclose(face.tilt, (roll + 270) % 360 - 180, abs_tol=1e-3)
