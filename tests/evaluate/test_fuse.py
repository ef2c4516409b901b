"""Fusing: weights are found, drawn together as far as groups say, and refused where they cannot."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fakefacecli.base.errors import UsageError
from fakefacecli.base.verdicts import Reason
from fakefacecli.evaluate.bootstrap import Clusters
from fakefacecli.evaluate.fuse import STRENGTHS, fit_fusion, fuse
from fakefacecli.evaluate.fused import EQUAL, JUDGE, Fused, fuse_judge, unfitted
from fakefacecli.evaluate.scored import Judged, JudgedFace
from fakefacecli.figures.metrics import Mask, Numbers
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.models.bundled import find_model
from fakefacecli.models.judge import JudgeCheckpoint
from fakefacecli.models.members import find_candidates

Faces = tuple[Mask, Numbers, Clusters]
NAME = "fakeface-judge-2026.11"


def made(good: tuple[float, ...], faces: int = 600, groups: int = 40, seed: int = 0) -> Faces:
    """Faces whose members' logits are +-good apart from noise of 1.5; half of the groups fake."""
    chance = np.random.default_rng(seed)
    clusters = np.arange(faces) % groups
    fake = clusters % 2 == 1
    sign = np.where(fake, 1.0, -1.0)[:, np.newaxis]
    return fake, sign * np.array(good) + chance.normal(0, 1.5, (faces, len(good))), clusters


def test_without_a_ridge_it_is_logistic_regression_with_balanced_classes() -> None:
    fake, logits, _ = made((0.6, 0.9))
    few = ~fake | (np.arange(len(fake)) % 3 == 0)
    for keep in (slice(None), few):
        found = fuse(fake[keep], logits[keep], 0.0)
        other = LogisticRegression(C=1e9, class_weight="balanced", tol=1e-8).fit(
            logits[keep], fake[keep]
        )
        # Platt's targets, which are a little inside 0 and 1, make it a little flatter
        assert found.weights == pytest.approx(other.coef_[0], rel=0.08)
        assert found.bias == pytest.approx(other.intercept_[0], abs=0.08)


def test_a_ridge_draws_weights_together_and_an_endless_one_makes_them_equal() -> None:
    fake, logits, _ = made((0.2, 1.2))
    spread = [float(np.ptp(fuse(fake, logits, strength).weights)) for strength in STRENGTHS]
    assert spread == sorted(spread, reverse=True)
    assert spread[0] > 0.5
    assert spread[-1] == 0
    near, equal = fuse(fake, logits, 1e4), fuse(fake, logits, math.inf)
    assert near.weights == pytest.approx(equal.weights, abs=1e-3)
    assert near.bias == pytest.approx(equal.bias, abs=1e-3)


def test_a_member_that_says_the_contrary_is_not_listened_to() -> None:
    fake, logits, _ = made((1.0, -1.0))
    found = fuse(fake, logits, 0.001)
    assert found.weights[1] == 0
    assert found.weights[0] > 0.5


def test_weights_stay_finite_where_the_classes_are_apart() -> None:
    fake = np.arange(20) >= 10
    found = fuse(fake, np.where(fake, 1.0, -1.0)[:, np.newaxis] * np.ones(2), 0.1)
    assert 0 < found.weights.sum() < 10
    p = 1 / (1 + math.exp(-found.fused(np.ones((1, 2)))[0]))
    assert p == pytest.approx(11 / 12, abs=1e-4)


def test_alike_members_get_equal_weights_and_unlike_ones_do_not() -> None:
    alike = fit_fusion(*made((0.7, 0.7, 0.7)))
    assert alike.strength == math.inf
    assert np.ptp(alike.fusion.weights) == 0
    unlike = fit_fusion(*made((0.0, 1.5)))
    assert unlike.strength <= 1
    assert unlike.fusion.weights[1] > 2 * unlike.fusion.weights[0]
    assert (unlike.folds, len(unlike.losses)) == (5, len(STRENGTHS))


def test_what_a_group_gets_in_cross_validation_does_not_depend_on_it() -> None:
    fake, logits, clusters = made((0.4, 1.2), groups=20)
    mine, proportions = clusters == 3, []
    changed = logits.copy()
    changed[mine, 1] *= 0.8
    for seen in (logits, changed):
        found = fit_fusion(fake, seen, clusters)
        assert found.strength < math.inf
        inputs = np.column_stack([seen[mine], np.ones(mine.sum())])
        parts = np.linalg.lstsq(inputs, found.apart[mine], rcond=None)[0]
        proportions.append((parts[0] / parts[:2].sum(), found.strength, found.fusion.weights[0]))
    (before, strength, weight), (after, same, other) = proportions
    assert strength == same
    assert before == pytest.approx(after)
    assert weight != pytest.approx(other, rel=1e-4)  # the whole fit does depend on it


def test_the_same_faces_give_the_same_fit() -> None:
    one, other = (fit_fusion(*made((0.5, 0.8))) for _ in range(2))
    assert (one.fusion.weights == other.fusion.weights).all()
    assert (one.apart == other.apart).all()


def test_a_class_of_one_group_is_refused() -> None:
    fake, logits, _ = made((1.0, 1.0), faces=40)
    with pytest.raises(UsageError, match="1 group of real and 20 of fake faces found"):
        fit_fusion(fake, logits, np.where(fake, np.arange(40), 0))


@pytest.fixture(scope="module")
def judge() -> JudgeCheckpoint:
    return unfitted("j.json", "j", find_candidates([f"{NAME}:lite320", f"{NAME}:irv1"]))


def judged(fake: Mask, logits: Numbers, clusters: Clusters, split: str = "val") -> Judged:
    faces = []
    rows = zip(fake.tolist(), logits.tolist(), clusters.tolist(), strict=True)
    for number, (kind, row, cluster) in enumerate(rows):
        image = LabelledImage(f"{number}.jpg", kind, f"g{cluster}", split)
        face = JudgedFace(image, 1, 200, 94, f"{number}", 0.0, opinions=tuple(row))
        faces.append(face)
    return Judged(faces)


@pytest.fixture(scope="module")
def done(judge: JudgeCheckpoint) -> Fused:
    return fuse_judge(judge, judged(*made((0.4, 1.2))), 0.01)


def test_the_card_says_what_it_was_fused_on_and_how_good_that_is(done: Fused) -> None:
    card = done.judge.card
    told, crossed = card.measured["fused_on"], card.measured["cross_validated"]
    assert (told["faces"], told["real"], told["fake"], told["folds"]) == (600, 300, 300, 5)
    assert told["splits"] == {"val": 600}
    assert len(told["groups"]) == 40
    assert told["fpr"]["value"] <= 0.01 < told["fpr"]["high"]
    assert (crossed["real"], crossed["fake"]) == (300, 300)
    members = crossed["members"]
    assert crossed["auc"] > members["irv1"]["auc"] > members["lite320"]["auc"] > 0.5
    assert crossed["auc"] >= crossed["equal_weights"]["auc"]
    assert "600 faces (300 real, 300 fake) of 40 groups" in card.calibration.fitted_on
    assert card.meaning.startswith("high: at most 1 % of the real faces reach it")
    assert card.thresholds.low <= card.thresholds.high / 2
    assert not done.few


def test_thresholds_hold_for_the_judge_as_it_is_written(done: Fused) -> None:
    fake, logits, _ = made((0.4, 1.2), faces=20_000, seed=1)
    weights = np.array([member.weight for member in done.judge.members])
    fused = logits @ weights + done.judge.card.bias
    of = done.judge.card.calibration.probability
    p = np.array([of(logit) for logit in fused.tolist()])
    assert (p[~fake] >= done.judge.card.thresholds.high).mean() < 0.03
    assert np.abs(p[p > 0.5].mean() - fake[p > 0.5].mean()) < 0.03


def test_the_figures_are_of_members_of_equal_weights_and_of_the_judge(done: Fused) -> None:
    assert list(done.figures) == ["lite320", "irv1", EQUAL, JUDGE]
    area = {name: row["auc"] for name, row in done.figures.items()}
    for found in area.values():
        assert found.low is not None
        assert found.low < found.value < found.high  # type: ignore[operator]
    assert area[JUDGE].value >= area[EQUAL].value  # type: ignore[operator]


def test_where_the_weights_are_equal_cross_validation_changes_no_rank(
    judge: JudgeCheckpoint,
) -> None:
    found = fuse_judge(judge, judged(*made((0.7, 0.7), 200, 20)), 0.05)
    assert found.fitted.strength == math.inf
    assert found.figures[JUDGE]["auc"].value == found.figures[EQUAL]["auc"].value


@pytest.mark.parametrize("split", ["train", "test", "held_out"])
def test_faces_of_training_and_for_measuring_are_never_fused_on(
    judge: JudgeCheckpoint, split: str
) -> None:
    with pytest.raises(UsageError, match=f"split {split} found; fuse on val or unseen"):
        fuse_judge(judge, judged(*made((1.0, 1.0), 40, 10), split), 0.05)


def test_faces_that_a_scan_would_not_judge_are_left_out(judge: JudgeCheckpoint) -> None:
    scored = judged(*made((1.0, 1.0), 200), "unseen")
    scored.faces[0] = replace(scored.faces[0], unfit=Reason.FACE_CUT_OFF)
    scored.faces[1] = replace(scored.faces[1], face_px=20)
    found = fuse_judge(judge, scored, 0.05)
    assert (found.faces, found.left_out, found.few) == (198, 2, True)
    assert found.judge.card.measured["fused_on"]["splits"] == {"unseen": 198}


def test_too_few_faces_for_the_rate_are_refused(judge: JudgeCheckpoint) -> None:
    with pytest.raises(UsageError, match="at least 100 real faces"):
        fuse_judge(judge, judged(*made((1.0, 1.0), 40, 10)), 0.01)
    fake, logits, clusters = made((1.0, 1.0), 40, 10)
    with pytest.raises(UsageError, match="20 real and 0 fake faces found"):
        fuse_judge(judge, judged(fake[~fake], logits[~fake], clusters[~fake]), 0.1)


def test_a_judge_before_its_fit_has_equal_weights_and_its_members_words() -> None:
    one = unfitted("a/j.json", "j", find_candidates([f"{NAME}:irv1", f"{NAME}:native"]))
    bundled = find_model(NAME).card
    assert [member.weight for member in one.members] == [0.5, 0.5]
    assert one.card.window == bundled.window
    assert one.card.min_face_px == bundled.min_face_px
