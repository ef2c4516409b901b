"""Labelled faces: which pixels are judged, how slices and mistakes are picked."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from fakefacecli.base.errors import UsageError
from fakefacecli.base.records import DecodedImage, Face
from fakefacecli.base.verdicts import Label, Reason
from fakefacecli.evaluate import measure, pictures, slices
from fakefacecli.evaluate.calibrate import recalibrate
from fakefacecli.evaluate.degrade import GRID
from fakefacecli.evaluate.grid import Scored
from fakefacecli.evaluate.scored import Judged, JudgedFace, score_faces
from fakefacecli.figures.results import Estimate
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace, Missed, read_faces
from fakefacecli.models.bundled import find_model
from fakefacecli.models.calibration import Method
from fakefacecli.models.judge import JudgeCard
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.classify import Network, TorchClassifier
from fakefacecli.scan.pipeline import Judge
from tests.builders import FakeClassifier, FakeDecoder, face

CARD = find_model("inception-resnet-v1").card


class Pair:
    """Finds two faces, the smaller one first; none on even images."""

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        return [(face(1, 1, 3), face(0, 0, 6)) * (item.ref.index % 2) for item in images]


JUDGE = Judge(Pair(), FakeClassifier(), 1.15)


def labelled(name: str, fake: bool = False, **more: object) -> LabelledImage:
    return LabelledImage(name, fake, str(more.pop("group", "")), str(more.pop("split", "")), **more)  # type: ignore[arg-type]


def judged(real: list[float], fake: list[float], face_px: float = 200, split: str = "") -> Judged:
    """Faces of these logits."""
    return Judged(
        [
            JudgedFace(
                labelled(f"{n}.jpg", kind, group="g", split=split), 1, face_px, 94, f"{n}", x
            )
            for n, (x, kind) in enumerate([(x, False) for x in real] + [(x, True) for x in fake])
        ]
    )


def test_a_face_that_a_scan_would_not_judge_is_inconclusive_here_as_well() -> None:
    scored = judged([-9.0], [9.0])
    cut_off = [replace(face, unfit=Reason.FACE_CUT_OFF) for face in scored.faces]
    verdicts = Judged(cut_off).verdicts(CARD, CARD.thresholds)
    assert {verdict.label for verdict in verdicts} == {Label.INCONCLUSIVE}
    assert {verdict.reason for verdict in verdicts} == {Reason.FACE_CUT_OFF}


class Mean(torch.nn.Module):
    """Answers with the mean of what it sees."""

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return faces.mean((1, 2, 3))[:, None]


def test_scoring_notes_which_faces_a_scan_would_not_judge() -> None:
    # of 8 pixels: 40 % of the smaller face's window of 9 lie outside, 80 % of the other's of 18
    rule = WindowRule(3.0, level_from=8, level_to=60, most_outside=0.5)
    card = JudgeCard("j", rule, 0.0, CARD.calibration, CARD.thresholds, 64, "one + other")
    networks = [Network(name, Mean(), CARD) for name in ("one", "other")]
    reader = FaceReader(replace(JUDGE, window=rule), FakeDecoder())
    found = read_faces([labelled("a.jpg"), labelled("b.jpg")], reader)
    scored = score_faces(found, TorchClassifier(networks, card))
    assert [face.unfit for face in scored.faces] == [None, Reason.FACE_CUT_OFF]


def test_degraded_faces_get_the_same_answers_whatever_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = FaceReader(JUDGE, FakeDecoder())
    classifier = TorchClassifier.of_one(Mean(), CARD)

    def scored() -> list[JudgedFace]:
        images = [labelled(f"{number}.jpg") for number in range(6)]
        return score_faces(read_faces(images, reader), classifier, GRID).faces

    several = scored()
    monkeypatch.setattr("fakefacecli.evaluate.grid.usable_cores", lambda: 1)
    assert several == scored()
    assert {len(face.degraded) for face in several} == {len(GRID)}
    _, found, *_ = read_faces([labelled(f"{number}.jpg") for number in range(2)], reader)
    assert isinstance(found, FoundFace)
    for cell, answer in zip(GRID, several[0].degraded, strict=True):
        assert [answer.logit] == classifier.logits([cell(found, CARD.window)])


def test_a_shrunk_face_may_be_too_small_and_a_turned_one_too_far() -> None:
    face = JudgedFace(
        labelled("a.jpg"), 1, 100, None, "", 9.0,
        degraded=(Scored(25, 9.0), Scored(100, 9.0, Reason.FACE_TURNED), Scored(100, 9.0)),
    )  # fmt: skip
    one = Judged([face])
    said = [one.verdicts(CARD, CARD.thresholds, n)[0].reason for n in (None, 0, 1, 2)]
    assert said == [
        Reason.ABOVE_HIGH,
        Reason.FACE_TOO_SMALL,
        Reason.FACE_TURNED,
        Reason.ABOVE_HIGH,
    ]
    grid = [cell for cell in GRID if cell.family in ("resize", "turn, degrees")][:3]
    rows = measure.robustness(one, CARD, CARD.thresholds, tuple(grid), 20)
    assert [row.real_flagged.value for row in rows] == [1, 0, 0, 1]
    assert [row.real_inconclusive.value for row in rows] == [0, 1, 1, 0]
    assert [row.real_between.value for row in rows] == [0, 0, 0, 0]
    assert [row.real_at_high.value for row in rows] == [1, 1, 1, 1]
    assert rows[0].real_flagged.low == pytest.approx(0.025)


def test_every_face_bears_its_images_label_and_none_is_told() -> None:
    images = [labelled("a.jpg"), labelled("b.jpg", True), labelled("bad.jpg")]
    found = list(read_faces(images, FaceReader(JUDGE, FakeDecoder())))
    assert [item.image.path for item in found] == ["a.jpg", "b.jpg", "b.jpg", "bad.jpg"]
    assert [item.why for item in found if isinstance(item, Missed)] == [
        "no face found",
        "does not decode",
    ]
    sizes = [item.face_px for item in found if isinstance(item, FoundFace)]
    assert sizes == [3, 6]


def test_a_ready_crop_is_cut_in_the_middle_to_the_models_window() -> None:
    images = [labelled("a.jpg", face_px=300.0), labelled("b.jpg")]
    found = [
        f
        for f in read_faces(images, FaceReader(JUDGE, FakeDecoder(), 1.6))
        if isinstance(f, FoundFace)
    ]
    # 8 pixels at scale 1.6: the box is 5 px, the window of 1.15 times that 6, from 1 to 7
    assert [item.crop.window.side for item in found] == [6, 6]
    assert (found[0].crop.pixels == found[0].photo.pixels[1:7, 1:7]).all()
    assert [item.face_px for item in found] == [300, 5]


def test_a_ready_crop_knows_how_much_of_it_was_no_photograph() -> None:
    images = [labelled("a.jpg", outside=0.4)]
    for ready, outside in ((1.6, 0.4), (None, 0.0)):
        for item in read_faces(images * 2, FaceReader(JUDGE, FakeDecoder(), ready)):
            if isinstance(item, FoundFace):
                assert (item.crop.outside > 0) == (outside > 0), item


def test_the_set_is_told_by_its_files_and_labels_whatever_their_order() -> None:
    one = judged([0, 1], [2])
    other = Judged(one.faces[::-1])
    assert one.sha256() == other.sha256() != judged([0], [1, 2]).sha256()


def test_the_most_confident_mistakes_come_first() -> None:
    alarms, misses = pictures.mistakes(judged([-3, 2, 5, 1], [-1, -4, 3]), CARD, 2)
    assert (alarms, misses) == ([2, 1], [5, 4])


def test_a_sample_takes_both_kinds_in_turn_and_ends() -> None:
    one = judged([0.0] * 5, [0.0] * 2)
    drawn = pictures.sample(one, 6)
    assert len(drawn) == len(set(drawn)) == 6
    assert one.fake[drawn[:4]].tolist() == [False, True, False, True]
    assert sorted(pictures.sample(one, 40)) == list(range(7))


def test_small_faces_are_inconclusive_in_the_verdicts() -> None:
    found = measure.verdicts(judged([9.0], [9.0], face_px=50), CARD, CARD.thresholds, 20)
    assert found.real.inconclusive == found.fake.inconclusive == 1
    assert found.precision_at_prevalence["0.01"].value is None


def test_precision_at_a_prevalence_worked_out_by_hand() -> None:
    found = measure.precision_at(0.01, (1, 100), (50, 100), 2000)
    assert found.value == pytest.approx(0.005 / (0.005 + 0.0099))
    assert found.low is not None
    assert found.low < found.value
    # none of 100 real faces flagged: up to 3.62 % may be
    found = measure.precision_at(0.01, (0, 100), (50, 100), 100)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.005 / (0.005 + 0.99 * 0.0362), abs=1e-3)


def test_a_slice_of_fakes_is_held_against_all_real_faces() -> None:
    one = judged([-2, 0], [1, -1])
    [group] = slices.slices(one, CARD, CARD.thresholds, 20)["group"]
    assert (group.real, group.fake, group.auc_against_all_others) == (2, 2, False)
    [none, real] = slices.slices(one, CARD, CARD.thresholds, 20)["generator"]
    assert (none.name, none.fake, none.auc_against_all_others) == ("(not stated)", 2, True)
    assert none.auc == Estimate(0.75, None, None)
    assert real.name == "(real)"


@pytest.mark.parametrize(
    ("px", "name"),
    [(10, "under 64 px"), (64, "64 to 95 px"), (159.9, "128 to 159 px"), (900, "320 px and more")],
)
def test_face_sizes_fall_into_classes(px: float, name: str) -> None:
    assert slices.size_class(judged([0.0], [], px).faces[0]) == name


def test_held_out_and_training_faces_are_never_calibrated_on() -> None:
    for split in ("held_out", "train", "test"):
        with pytest.raises(UsageError, match=split):
            recalibrate(CARD, judged([0.0], [1.0], split=split), Method.PLATT, 0.5)


def test_calibration_leaves_small_faces_out_and_keeps_old_figures_apart() -> None:
    chance = np.random.default_rng(0)
    one = judged(list(chance.normal(-2, 1, 40)), list(chance.normal(2, 1, 40)), split="val")
    small = judged([9.0], [], face_px=20)
    done = recalibrate(CARD, Judged(one.faces + small.faces), Method.ISOTONIC, 0.05)
    assert (done.faces, done.too_small) == (80, 1)
    assert done.card.measured["calibrated_on"]["fpr"]["value"] <= 0.05
    again = recalibrate(done.card, one, Method.PLATT, 0.05).card
    assert list(again.measured) == list(done.card.measured)
    assert "80 faces (40 real, 40 fake) of 1 group, set" in again.calibration.fitted_on
    alone = Judged([replace(item, image=replace(item.image, group="")) for item in one.faces])
    fitted_on = recalibrate(CARD, alone, Method.PLATT, 0.05).card.calibration.fitted_on
    assert "80 faces (40 real, 40 fake), set" in fitted_on


def test_a_calibrated_models_name_tells_it_from_the_one_it_was_made_from() -> None:
    chance = np.random.default_rng(0)
    one = judged(list(chance.normal(-2, 1, 40)), list(chance.normal(2, 1, 40)), split="val")
    first = recalibrate(CARD, one, Method.PLATT, 0.05).card
    assert re.fullmatch(rf"{re.escape(CARD.name)}\.c[0-9a-f]{{6}}", first.name)
    assert recalibrate(CARD, one, Method.PLATT, 0.05).card.name == first.name
    assert recalibrate(CARD, one, Method.PLATT, 0.1).card.name != first.name
    again = recalibrate(first, one, Method.ISOTONIC, 0.05).card.name
    assert again != first.name
    assert len(again) == len(first.name)


def test_faces_of_a_group_or_else_of_an_image_belong_together() -> None:
    images = [labelled("a"), labelled("a"), labelled("b", group="a"), labelled("c", group="a")]
    one = Judged([JudgedFace(image, 1, 200, None, "", 0.0) for image in images])
    assert one.clusters().tolist() == [0, 0, 1, 1]
    assert one.clusters(groups=False).tolist() == [0, 0, 1, 2]


def test_a_slice_of_one_group_is_resampled_by_image() -> None:
    chance = np.random.default_rng(0)
    one = judged(list(chance.normal(-1, 1, 20)), list(chance.normal(1, 1, 20)))  # all of group g
    assert measure.measures(one, CARD, 50)["auc"].low is None
    assert measure.measures(one, CARD, 50, groups=False)["auc"].low is not None
    [group] = slices.slices(one, CARD, CARD.thresholds, 50)["group"]
    assert group.auc.low < group.auc.value < group.auc.high
