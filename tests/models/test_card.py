"""Cards: what they can say of feeding and calibration, and that it comes back unchanged."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.records import Box, Face, FaceCrop, Window
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.bundled import find_model
from fakefacecli.models.calibration import Calibration, read_calibration
from fakefacecli.models.card import ModelCard, card_json, parse_card
from fakefacecli.models.preprocess import error_levels, prepare, region, shrink
from fakefacecli.models.window import FLAT_WINDOW, LEVEL_WINDOW
from tests import builders


def card(**changes: Any) -> ModelCard:
    plain = ModelCard(
        name="tiny",
        backbone="resnet18",
        input_px=32,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        crop_scale=1.0,
        calibration=Calibration("none"),
        thresholds=Thresholds(0.25, 0.9),
        min_face_px=40,
    )
    return dataclasses.replace(plain, **changes)


ISOTONIC = Calibration("isotonic", knots=((-2.0, 0.1), (0.0, 0.4), (1.0, 0.4), (3.0, 1.0)))
PUBLISHED = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "levels": 1,
    "resize": "bilinear, antialiased",
    "via_px": 160,
    "stretch": True,
    "channels": "ela",
    "backbone": "resnet50",
    "head": "1000-500",
    "meaning": "tuned on nothing",
}


@pytest.mark.parametrize(
    "made",
    [
        card(),
        card(**PUBLISHED),
        card(calibration=ISOTONIC),
        card(calibration=Calibration("platt", 1.5, -0.25, "1,000 faces")),
        card(calibration=Calibration("temperature", 1 / 3)),
        card(calibration=Calibration("platt", 1.5, -0.25, prior=0.1)),
        find_model("inception-resnet-v1").card,
        card(rule=LEVEL_WINDOW, crop_scale=1.3, via_px=320),
        card(rule=FLAT_WINDOW, crop_scale=1.8, view="native"),
    ],
    ids=range(9),
)
def test_a_card_comes_back_as_it_was(made: ModelCard) -> None:
    assert parse_card(card_json(made), "x") == made


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": "yuv"},
        {"levels": 100},
        {"levels": True},
        {"via_px": 5},
        {"head": "2-2"},
        {"mean": [1, 2]},
        {"std": [1, 0, 1]},
        {
            "crop": {
                "scale": 1,
                "side": "area",
                "centre": "centre of the box",
                "outside": "edge pixels repeated",
            }
        },
        {"calibration": {"method": "platt", "a": 1}},
        {"calibration": {"method": "temperature", "a": 1, "b": 1}},
        {"calibration": {"method": "isotonic"}},
        {"calibration": {"method": "isotonic", "knots": []}},
        {"calibration": {"method": "isotonic", "knots": [[0, 0.5], [0, 0.6]]}},
        {"calibration": {"method": "isotonic", "knots": [[0, 0.5], [1, 0.4]]}},
        {"calibration": {"method": "isotonic", "knots": [[0, 1.5]]}},
        {"calibration": {"method": "isotonic", "knots": [[0, "NaN"]]}},
        {"calibration": {"method": "isotonic", "knots": [[0, 1, 2]]}},
    ],
    ids=str,
)
def test_what_cannot_be_followed_exactly_is_refused(changes: dict[str, Any]) -> None:
    raw = json.loads(card_json(card())) | changes
    with pytest.raises(ModelRefused, match=r"x\.safetensors: its card"):
        parse_card(json.dumps(raw), "x.safetensors")


WINDOW = json.loads(card_json(card(rule=LEVEL_WINDOW)))["window"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"view": "fisheye"}, "view 'fisheye'"),
        ({"view": None}, "view None"),
        ({"window": {**WINDOW, "span": 0}}, "span 0"),
        ({"window": {**WINDOW, "level_to_degrees": 4}}, "level_to_degrees 4"),
        ({"window": {**WINDOW, "level_to_degrees": None}}, "malformed"),
        ({"window": {**WINDOW, "most_px": 1}}, "most_px 1"),
        ({"window": {**WINDOW, "outside": "black"}}, "outside 'black'"),
        ({"window": {}}, "no 'side'"),
        ({"window": {**WINDOW, "span": 0.9}}, "crop scale 1.0"),
    ],
    ids=str,
)
def test_a_window_that_cannot_be_cut_is_refused(changes: dict[str, Any], words: str) -> None:
    raw = json.loads(card_json(card(rule=LEVEL_WINDOW))) | changes
    with pytest.raises(ModelRefused, match=words):
        parse_card(json.dumps(raw), "x.safetensors")


def test_a_reader_that_knows_no_windows_refuses_a_card_with_one() -> None:
    """It would pass over what it does not know, and cut the box where the card wants more."""
    raw = json.loads(card_json(card(rule=LEVEL_WINDOW)))
    del raw["window"], raw["view"]
    with pytest.raises(ModelRefused, match="centre 'middle of the window'"):
        parse_card(json.dumps(raw), "x.safetensors")


def test_a_card_without_a_window_says_what_it_always_said() -> None:
    raw = json.loads(card_json(card()))
    assert not {"window", "view"} & set(raw)
    assert raw["crop"]["centre"] == "centre of the box"


def test_uncalibrated_is_a_sigmoid_and_says_so() -> None:
    none = read_calibration({"method": "none"})
    assert none.probability(0.0) == 0.5
    assert none.probability(2.0) == pytest.approx(0.8808, abs=1e-4)
    assert (none.state, none.facts()["method"]) == ("uncalibrated", "none")
    assert Calibration("platt", 1.5).state == "calibrated"


def test_isotonic_joins_its_knots_by_lines_and_is_level_outside() -> None:
    logits = [-9.0, -2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0]
    found = [ISOTONIC.probability(logit) for logit in logits]
    assert found == pytest.approx([0.1, 0.1, 0.25, 0.4, 0.4, 0.4, 0.7, 1.0, 1.0])


def crop(box: Box, side: int = 40) -> FaceCrop:
    pixels = np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)
    face = Face(box, np.zeros((5, 2), np.float32), 1.0)
    return FaceCrop(builders.ref(), 1, face, Window(10, 20, side), pixels)


def test_a_stretched_face_is_its_box_alone() -> None:
    narrow = crop(Box(20, 20, 40, 60))  # 20 x 40 px in the middle of the window
    assert region(narrow, card(stretch=True)) == (10, 0, 30, 40)
    assert region(narrow, card(stretch=False)) == (0, 0, 40, 40)
    wanted = Image.fromarray(narrow.pixels[:, 10:30]).resize((32, 32), Image.Resampling.BILINEAR)
    found = shrink(narrow, card(stretch=True, resize="bilinear, antialiased"))
    assert np.array_equal(found, np.asarray(wanted))
    assert region(crop(Box(0, 0, 1, 1)), card(stretch=True)) == (0, 0, 1, 1)  # outside its window


def test_levels_mean_and_std_are_applied_per_channel() -> None:
    grey = FaceCrop(
        builders.ref(), 1, builders.face(), Window(0, 0, 4), np.full((4, 4, 3), 51, np.uint8)
    )
    batch = prepare([grey], card(levels=1, mean=(0.1, 0.2, 0.0), std=(0.5, 1.0, 2.0)), "cpu")
    assert batch.shape == (1, 3, 32, 32)
    assert batch[0, :, 5, 5].tolist() == pytest.approx([0.2, 0.0, 0.1])


def test_error_levels_tell_what_was_saved_before_from_what_was_not() -> None:
    noise = crop(Box(10, 20, 50, 60)).pixels
    found = np.asarray(error_levels(Image.fromarray(noise)))
    assert (found.shape, found.max()) == ((40, 40, 3), 255)
    flat = np.asarray(error_levels(Image.new("RGB", (16, 16), (90, 90, 90))))
    assert flat.max() == 0
    for rule in (None, FLAT_WINDOW):
        seen = shrink(crop(Box(10, 20, 50, 60)), card(channels="ela", rule=rule))
        assert not np.array_equal(seen, shrink(crop(Box(10, 20, 50, 60)), card(rule=rule)))
