import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from fakefacecli.base.records import Box, DecodedImage, Face, FaceCrop, ImageRef, Window
from fakefacecli.base.verdicts import DetectorName, Label, Reason
from fakefacecli.models.bundled import find_model
from fakefacecli.models.checkpoint import load
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.classify import Network, TorchClassifier, unfit, verdict_of
from fakefacecli.scan.crop import cut, window_of
from tests import builders

GOLDEN = json.loads((builders.ROOT / "tests" / "data" / "golden.json").read_text())["faces"]


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    checkpoint = find_model("inception-resnet-v1")
    return TorchClassifier.of_one(load(checkpoint), checkpoint.card)


def crop_of(face: dict[str, object], scale: float) -> FaceCrop:
    name = str(face["file"])
    path = builders.PHOTOS / name.removeprefix("sample/")
    if not name.startswith("sample/"):
        path = builders.SHARED / "photos" / name
        if not path.exists():
            pytest.skip("the full set of photographs is not at hand")
    picture = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    box = Box(*face["box"])  # type: ignore[misc]
    found = Face(box, np.zeros((5, 2), np.float32), 1.0)
    return cut(DecodedImage(ImageRef(0, name, name), picture), found, 1, scale)


@pytest.mark.parametrize("face", GOLDEN, ids=lambda face: f"{face['file']}-{face['window']}")
def test_golden_faces_get_their_window_and_score(
    classifier: TorchClassifier, face: dict[str, object]
) -> None:
    crop = crop_of(face, classifier.card.crop_scale)
    window = crop.window
    assert [window.left, window.top, window.side] == face["window"]
    [verdict] = classifier.classify([crop])
    assert verdict.fake_probability == pytest.approx(face["p_fake"], abs=0.01)
    [logit] = classifier.logits([crop])
    assert logit == pytest.approx(face["logit"], abs=0.01)


def test_a_face_is_judged_alike_whatever_its_batch_mates(classifier: TorchClassifier) -> None:
    crops = [
        crop_of(face, classifier.card.crop_scale)
        for face in GOLDEN
        if str(face["file"]).startswith("sample/")
    ]
    together = classifier.logits(crops)
    alone = [classifier.logits([crop])[0] for crop in crops]
    assert together == pytest.approx(alone, abs=1e-4)
    backwards = classifier.logits(crops[::-1])
    assert backwards[::-1] == pytest.approx(alone, abs=1e-4)


def test_nothing_to_judge_is_no_verdict(classifier: TorchClassifier) -> None:
    assert classifier.classify([]) == []


@pytest.mark.parametrize(
    ("probability", "face_px", "label", "reason"),
    [
        (0.9, 64, Label.FLAGGED, Reason.ABOVE_HIGH),
        (0.8999, 64, Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS),
        (0.25, 64, Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS),
        (0.2499, 64, Label.NOT_FLAGGED, Reason.BELOW_LOW),
        (0.99, 63.9, Label.INCONCLUSIVE, Reason.FACE_TOO_SMALL),
        (0.01, 63.9, Label.INCONCLUSIVE, Reason.FACE_TOO_SMALL),
    ],
)
def test_verdicts_at_the_thresholds(
    probability: float, face_px: float, label: Label, reason: Reason
) -> None:
    verdict = verdict_of(probability, builders.THRESHOLDS, face_px, 64)
    assert (verdict.label, verdict.reason) == (label, reason)


def test_a_window_is_square_around_the_box() -> None:
    assert window_of(Box(10, 20, 30, 60), 1.5) == Window(-10, 10, 60)


def test_outside_the_image_a_crop_repeats_the_edge() -> None:
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    image = DecodedImage(ImageRef(0, "a", "a"), pixels)
    face = Face(Box(-1, -1, 6, 5), np.zeros((5, 2), np.float32), 1.0)
    crop = cut(image, face, 1, 1.0)
    assert (crop.window.left, crop.window.top, crop.window.side) == (-1, -2, 7)
    padded = np.pad(pixels, ((2, 1), (1, 1), (0, 0)), mode="edge")
    assert np.array_equal(crop.pixels, padded)


def test_a_face_far_outside_still_gives_a_crop() -> None:
    image = builders.image(size=(2, 2))
    face = Face(Box(-50, -50, -40, -40), np.zeros((5, 2), np.float32), 1.0)
    assert np.unique(cut(image, face, 1, 1.15).pixels.reshape(-1, 3), axis=0).shape == (1, 3)


@pytest.mark.parametrize("left", [0, 20, 150])
def test_a_face_is_turned_level_in_a_picture_too_wide_for_opencv(
    left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 200, 3), np.uint8)
    eyes = np.array([[left + 10, 30], [left + 30, 40], *[[left + 20, 40]] * 3], np.float32)
    turned = Face(Box(left, 20, left + 40, 60), eyes, 0.99)
    image = DecodedImage(ImageRef(0, "a", "a"), pixels)
    rule = WindowRule(1.8, level_from=8, level_to=60)
    whole = cut(image, turned, 1, rule)
    monkeypatch.setattr("fakefacecli.scan.crop._MOST_CV2_PX", 50)
    part = cut(image, turned, 1, rule)
    assert whole.levelled
    # OpenCV places pixels to 1/32 of one, counted from another corner
    assert np.abs(whole.pixels.astype(int) - part.pixels).max() <= 16


@pytest.mark.parametrize(
    ("degrees", "detector", "reason"),
    [
        (0, DetectorName.CENTERFACE, Reason.PROFILE),
        (59, DetectorName.CENTERFACE, Reason.PROFILE),
        (-61, DetectorName.CENTERFACE, Reason.FACE_TURNED),
        (90, DetectorName.CENTERFACE, Reason.FACE_TURNED),
        (0, DetectorName.MTCNN, None),
        (90, DetectorName.MTCNN, Reason.FACE_TURNED),
    ],
)
def test_a_face_on_its_side_is_turned_before_it_is_a_profile(
    degrees: float, detector: DetectorName, reason: Reason | None
) -> None:
    apart = 0.2 * 100  # of the box's side
    eye = np.array((50, 40))
    turned = np.radians(degrees)
    marks = np.full((5, 2), 50, np.float32)
    marks[:2] = eye, eye + apart * np.array((np.cos(turned), np.sin(turned)))
    picture = DecodedImage(ImageRef(0, "a", "a"), np.zeros((100, 100, 3), np.uint8))
    rule = WindowRule(1.0, level_from=8, level_to=60)
    crop = cut(picture, Face(Box(0, 0, 100, 100), marks, 0.9, detector=detector), 1, rule)
    assert unfit(crop, rule) is reason


def test_a_batch_of_many_faces_can_be_stopped_between_its_parts(
    classifier: TorchClassifier,
) -> None:
    crops = [crop_of(GOLDEN[0], classifier.card.crop_scale)] * 6
    calls: list[None] = []

    def stop() -> None:
        calls.append(None)
        if len(calls) > 2:
            raise InterruptedError

    [member] = classifier.members
    slow = Network("a", member.network, member.card, batch_size=1, stop=stop)
    with pytest.raises(InterruptedError):
        TorchClassifier((slow,), classifier.card).classify(crops)
    assert len(calls) < len(crops)
