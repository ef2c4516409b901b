"""Judges of several networks: their cards, how faces are fed to them, and what they say."""

import copy
import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.options import JudgeOptions, Precision
from fakefacecli.base.records import Box, DecodedImage, Face, FaceCrop, ImageRef
from fakefacecli.base.verdicts import DetectorName, Label, Reason, Thresholds
from fakefacecli.models.bundled import BUNDLED, find_model, find_network
from fakefacecli.models.judge import EarlyExit, JudgeCheckpoint, members_of, read_judge
from fakefacecli.scan import selftest
from fakefacecli.scan.build import build_judge
from fakefacecli.scan.classify import Network, TorchClassifier
from fakefacecli.scan.crop import cut
from fakefacecli.scan.machine import versions
from tests.builders import PHOTOS, ROOT, SHARED
from tests.command import fakeface

NAME = "fakeface-judge-2026.11"
GOLDEN = json.loads((ROOT / "tests" / "data" / "golden2.json").read_text("utf-8"))
WEIGHTS = pathlib.Path(BUNDLED[NAME].path).parent


@pytest.fixture(scope="module")
def checkpoint() -> JudgeCheckpoint:
    found = find_model(NAME)
    assert isinstance(found, JudgeCheckpoint)
    return found


@pytest.fixture(scope="module")
def classifier(checkpoint: JudgeCheckpoint) -> TorchClassifier:
    judge = build_judge(JudgeOptions(NAME, precision=Precision.FP32, device="cpu"), checkpoint)
    assert isinstance(judge.classifier, TorchClassifier)
    return judge.classifier


def photo_of(face: dict[str, Any]) -> DecodedImage:
    sample = face["file"].removeprefix("sample/")
    path = PHOTOS / sample if sample != face["file"] else SHARED / "photos" / face["file"]
    if not path.exists():
        pytest.skip(f"{face['file']} is not here")
    with Image.open(path) as photo:
        pixels = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
    return DecodedImage(ImageRef(0, str(path), path.name), pixels)


def crop_of(face: dict[str, Any], checkpoint: JudgeCheckpoint) -> FaceCrop:
    landmarks = np.array([*face["eyes"], *[face["eyes"][0]] * 3], np.float32)
    found = Face(Box(*face["box"]), landmarks, 0.99)
    return cut(photo_of(face), found, 1, checkpoint.card.window)


SAMPLES = [face for face in GOLDEN["faces"] if face["file"].startswith("sample/")]
TURNED = [face for face in GOLDEN["faces"] if abs(face["roll"]) >= 8]
OTHERS = [face for face in GOLDEN["faces"] if face not in SAMPLES]


@pytest.mark.slow
@pytest.mark.parametrize("faces", [SAMPLES, OTHERS], ids=["samples", "others"])
def test_golden_faces_get_their_windows_logits_and_probabilities(
    faces: list[dict[str, Any]], checkpoint: JudgeCheckpoint, classifier: TorchClassifier
) -> None:
    crops = [crop_of(face, checkpoint) for face in faces]
    for face, crop in zip(faces, crops, strict=True):
        window = crop.window
        assert [window.left, window.top, window.side] == face["window"]
        assert crop.roll == pytest.approx(face["roll"], abs=0.01)
        assert crop.outside == pytest.approx(face["outside"], abs=1e-4)
    for face, verdict in zip(faces, classifier.classify(crops), strict=True):
        logits = [said.logit for said in verdict.opinions]
        assert logits == pytest.approx(face["logits"], abs=0.05)
        assert classifier.fused(logits) == pytest.approx(face["fused"], abs=0.03)
        assert verdict.fake_probability == pytest.approx(face["p_fake"], abs=0.01)
        assert [said.member for said in verdict.opinions] == GOLDEN["members"]


def test_a_face_gets_the_same_logits_alone_and_among_others(
    checkpoint: JudgeCheckpoint, classifier: TorchClassifier
) -> None:
    crops = [crop_of(face, checkpoint) for face in SAMPLES[:3]]
    together = classifier.opinions(crops)
    alone = [row for crop in crops for row in classifier.opinions([crop])]
    assert np.abs(np.array(together) - np.array(alone)).max() < 1e-4


def test_a_face_turned_beyond_the_card_or_cut_off_is_inconclusive(
    checkpoint: JudgeCheckpoint, classifier: TorchClassifier
) -> None:
    face = SAMPLES[0]
    left_x, left_y = face["eyes"][0]
    upright = {**face, "eyes": [[left_x, left_y], [left_x + 1, left_y + 100]]}
    x0, y0, x1, y1 = face["box"]
    beyond = {**face, "box": [x0 - 400, y0, x1 - 400, y1]}
    turned, cut_off, whole = classifier.classify(
        [crop_of(face, checkpoint) for face in (upright, beyond, face)]
    )
    assert (turned.label, turned.reason) == (Label.INCONCLUSIVE, Reason.FACE_TURNED)
    assert (cut_off.label, cut_off.reason) == (Label.INCONCLUSIVE, Reason.FACE_CUT_OFF)
    assert whole.reason not in (Reason.FACE_TURNED, Reason.FACE_CUT_OFF)


def test_only_a_profile_that_mtcnn_did_not_find_is_inconclusive_for_it(
    checkpoint: JudgeCheckpoint, classifier: TorchClassifier
) -> None:
    sample = SAMPLES[0]
    x0, y0, x1, y1 = sample["box"]
    longer = max(x1 - x0, y1 - y0)
    left_x, left_y = sample["eyes"][0]
    crops = [
        crop_of(
            {**sample, "eyes": [[left_x, left_y], [left_x + share * longer, left_y]]}, checkpoint
        )
        for share in (0.27, 0.29)
    ]
    own = [
        replace(crop, face=replace(crop.face, detector=DetectorName.CENTERFACE)) for crop in crops
    ]
    profile, front, *by_mtcnn = classifier.classify([*own, *crops])
    assert (profile.label, profile.reason) == (Label.INCONCLUSIVE, Reason.PROFILE)
    assert Reason.PROFILE not in {front.reason, *(verdict.reason for verdict in by_mtcnn)}


def test_a_turned_face_is_judged_level(
    checkpoint: JudgeCheckpoint, classifier: TorchClassifier
) -> None:
    face = SAMPLES[0]
    photo = photo_of(face)
    angle = 20.0
    turned = Image.fromarray(photo.pixels).rotate(angle, Image.Resampling.BICUBIC)
    middle = np.array([photo.width / 2, photo.height / 2])
    spin = np.radians(-angle)
    matrix = np.array([[np.cos(spin), -np.sin(spin)], [np.sin(spin), np.cos(spin)]])
    eyes = (np.array(face["eyes"]) - middle) @ matrix.T + middle
    x0, y0, x1, y1 = face["box"]
    centre = (np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - middle) @ matrix.T + middle
    half = np.array([(x1 - x0) / 2, (y1 - y0) / 2])
    found = Face(
        Box(*(centre - half).tolist(), *(centre + half).tolist()),
        np.array([*eyes, *[eyes[0]] * 3], np.float32),
        0.99,
    )
    image = DecodedImage(photo.ref, np.asarray(turned))
    level = cut(image, found, 1, checkpoint.card.window)
    straight = crop_of(face, checkpoint)
    assert level.levelled
    assert not straight.levelled
    assert level.roll == pytest.approx(face["roll"] - angle, abs=0.5)
    # its own roll of under 8 degrees is left as it is, so the two differ by that at most
    small = [np.asarray(Image.fromarray(c.pixels).resize((32, 32))) for c in (level, straight)]
    inner = [picture[8:24, 8:24].astype(float) for picture in small]
    assert np.corrcoef(inner[0].ravel(), inner[1].ravel())[0, 1] > 0.9
    before, after = classifier.logits([straight, level])
    assert after > before - 1.5  # judged as it lies, the same face loses more than 3


def test_a_single_network_is_a_judge_of_one_member() -> None:
    [member] = members_of(find_model("inception-resnet-v1"))
    assert (member.weight, member.checkpoint.card.window.levels) == (1.0, True)


def test_a_reports_header_names_timm_where_it_builds_a_network(checkpoint: JudgeCheckpoint) -> None:
    assert "timm" in versions(checkpoint)
    assert {"opencv-python", "opencv-python-headless"} & versions(checkpoint).keys()
    assert "timm" not in versions(find_model("inception-resnet-v1"))


def test_what_takes_one_network_refuses_a_judge_of_several() -> None:
    with pytest.raises(UsageError, match="a judge of 4 networks; calibrate takes a single one"):
        find_network(NAME, "calibrate")


@pytest.fixture
def copied(tmp_path: pathlib.Path) -> pathlib.Path:
    for member in json.loads((WEIGHTS / f"{NAME}.json").read_text("utf-8"))["members"]:
        shutil.copy(WEIGHTS / member["file"], tmp_path)
    return pathlib.Path(shutil.copy(WEIGHTS / f"{NAME}.json", tmp_path))


def test_a_missing_or_altered_member_is_named(copied: pathlib.Path) -> None:
    assert [m.name for m in read_judge(str(copied)).members] == GOLDEN["members"]
    lite = copied.parent / "efficientnet-lite2-320.safetensors"
    data = bytearray(lite.read_bytes())
    data[-1] ^= 1
    lite.write_bytes(data)
    with pytest.raises(ModelRefused, match=r"lite2-320\.safetensors: sha256 .* member lite320"):
        read_judge(str(copied))
    lite.unlink()
    with pytest.raises(ModelRefused, match=r"no such file; the judge .* needs it for its member"):
        read_judge(str(copied))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 3}, "format 3"),
        ({"members": []}, "0 members and 4 weights"),
        ({"window": {}}, "no 'side'"),
        ({"thresholds": {"low": 2, "high": 3}}, "thresholds"),
        ({"fusion": {"weights": ["x"] * 4, "bias": 0}}, "could not convert"),
    ],
)
def test_a_card_that_is_none_is_refused(
    change: dict[str, Any], words: str, tmp_path: pathlib.Path
) -> None:
    raw = json.loads((WEIGHTS / f"{NAME}.json").read_text("utf-8")) | change
    (tmp_path / "j.json").write_text(json.dumps(raw))
    with pytest.raises(ModelRefused, match=words):
        read_judge(str(tmp_path / "j.json"))


@pytest.mark.parametrize("file", ["../clip.safetensors", "/etc/passwd", "a/b", "", ".."])
def test_a_member_lies_beside_its_card(file: str, tmp_path: pathlib.Path) -> None:
    raw = json.loads((WEIGHTS / f"{NAME}.json").read_text("utf-8"))
    raw["members"][0]["file"] = file
    (tmp_path / "j.json").write_text(json.dumps(raw))
    with pytest.raises(ModelRefused, match="wanted a file beside the card"):
        read_judge(str(tmp_path / "j.json"))


def test_the_bundled_card_is_the_one_that_was_shipped(checkpoint: JudgeCheckpoint) -> None:
    data = pathlib.Path(checkpoint.path).read_bytes()
    assert hashlib.sha256(data).hexdigest() == checkpoint.sha256 == BUNDLED[NAME].sha256
    assert all(pathlib.Path(m.checkpoint.path).stat().st_size < 95e6 for m in checkpoint.members)


class Counting(TorchClassifier):
    """A judge that remembers how many faces each of its members was asked about."""

    def __init__(self, judge: TorchClassifier, rule: EarlyExit | None):
        super().__init__(judge.members, judge.card, judge.thresholds, rule)
        self.asked = dict.fromkeys((member.name for member in judge.members), 0)
        self.members = tuple(map(self._counted, judge.members))

    def _counted(self, member: Network) -> Network:
        counted = copy.copy(member)

        def logits(crops: Sequence[FaceCrop], quickly: bool = False) -> list[float]:
            self.asked[member.name] += len(crops)
            return member.logits(crops, quickly)

        counted.logits = logits  # type: ignore[method-assign]
        return counted


def test_with_an_early_exit_slow_networks_are_asked_about_open_faces_alone(
    checkpoint: JudgeCheckpoint, classifier: TorchClassifier
) -> None:
    crops = [crop_of(face, checkpoint) for face in SAMPLES[:4]]
    rule = checkpoint.card.early_exit
    assert rule is not None
    whole = classifier.classify(crops)
    cheap = [dict(zip(GOLDEN["members"], row, strict=True)) for row in classifier.opinions(crops)]
    estimates = [
        rule.bias + sum(w * row[name] for w, name in zip(rule.weights, rule.members, strict=True))
        for row in cheap
    ]
    # between the estimates: of some faces the cheap networks know enough
    low, high = sorted(estimates)[0] + 1e-3, sorted(estimates)[2] + 1e-3
    judge = Counting(classifier, dataclasses.replace(rule, below=low, above=high))
    found = judge.classify(crops)
    still_open = [low <= estimate <= high for estimate in estimates]
    assert sorted(still_open) == [False, False, True, True]
    assert judge.asked == {"clip": 2, "lite320": 4, "irv1": 2, "native": 4}
    for verdict, full, more, estimate in zip(found, whole, still_open, estimates, strict=True):
        names = [said.member for said in verdict.opinions]
        if more:
            assert verdict.fake_probability == pytest.approx(full.fake_probability, abs=1e-4)
            assert names == GOLDEN["members"]
        else:
            wanted = checkpoint.card.calibration.probability(estimate)
            assert verdict.fake_probability == pytest.approx(wanted, abs=1e-4)
            assert names == ["lite320", "native"]
    assert judge.classify([]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"members": ["native", "lite320"]}, "in its order"),
        ({"members": ["lite320", "another"]}, "in its order"),
        ({"members": ["clip", "lite320", "irv1", "native"], "weights": [1] * 4}, "in its order"),
        ({"weights": [1.0]}, "a weight for each"),
        ({"below": 4.0}, "ends below 4.0 and above 3.34"),
        ({"bias": float("nan")}, "finite"),
        ({"above": 1.0}, "between the thresholds"),
        ({"below": -0.1}, "between the thresholds"),
    ],
)
def test_an_early_exit_that_cannot_be_is_refused(
    change: dict[str, Any], words: str, copied: pathlib.Path
) -> None:
    raw = json.loads(copied.read_text("utf-8"))
    raw["early_exit"] |= change
    copied.write_text(json.dumps(raw))
    with pytest.raises(ModelRefused, match=words):
        read_judge(str(copied))


def test_an_early_exit_needs_a_judge_that_has_one_and_its_own_thresholds(
    checkpoint: JudgeCheckpoint,
) -> None:
    for options, model, words in (
        (JudgeOptions(early_exit=True), find_model("inception-resnet-v1"), "has none"),
        (
            JudgeOptions(early_exit=True, thresholds=Thresholds(0.1, 0.2)),
            checkpoint,
            "leave out --threshold or --early-exit",
        ),
    ):
        with pytest.raises(UsageError, match=words):
            build_judge(dataclasses.replace(options, device="cpu"), model)


@pytest.mark.slow
def test_the_default_model_names_all_its_networks_rows_and_all(tmp_path: pathlib.Path) -> None:
    report = tmp_path / "out.json"
    done = fakeface("scan", PHOTOS / "generated_000.jpg", "--report", report, default_model=True)
    assert done.returncode == 0, done.stderr
    [row] = json.loads(report.read_text("utf-8"))["rows"]
    [golden] = [face for face in SAMPLES if face["file"] == "sample/generated_000.jpg"]
    assert list(row["members"]) == GOLDEN["members"]
    assert list(row["members"].values()) == pytest.approx(golden["logits"], abs=0.05)
    assert row["p_fake"] == pytest.approx(golden["p_fake"], abs=0.01)


@pytest.mark.slow
def test_models_selftest_names_every_network_and_what_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = fakeface("models", "selftest")
    assert done.returncode == 0, done.stderr
    for name in (*BUNDLED, *GOLDEN["members"], "centerface"):
        assert name in done.stdout
    found = selftest.self_test("inception-resnet-v1", "cpu")
    wrong = dataclasses.replace(found, members=(("clip", 1.0, 1.06),))
    with pytest.raises(ModelRefused, match=r"its network clip says 1\.000"):
        selftest.check(wrong)
    with pytest.raises(UsageError, match="no bundled model"):
        selftest.self_test("another", "cpu")
