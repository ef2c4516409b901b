"""Calibrations recover what the scores were made with; thresholds keep to their rule."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fakefacecli.base.errors import UsageError
from fakefacecli.evaluate.fit import (
    at_even_odds,
    fit,
    fit_isotonic,
    fit_platt,
    fit_temperature,
)
from fakefacecli.evaluate.thresholds import BAND, MISSED, choose, share
from fakefacecli.figures.metrics import Mask, Numbers, calibration_error, cllr, count
from fakefacecli.models.calibration import Method


def made(a: float, b: float, faces: int = 20_000, seed: int = 0) -> tuple[Mask, Numbers]:
    """Logits whose true probability is sigmoid(a * logit + b)."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 3, faces)
    return chance.random(faces) < 1 / (1 + np.exp(-(a * logits + b))), logits


def test_platt_finds_the_slope_and_shift_the_labels_were_drawn_with() -> None:
    a, b = fit_platt(*made(0.7, -0.4))
    assert a == pytest.approx(0.7, abs=0.03)
    assert b == pytest.approx(-0.4, abs=0.06)


def test_platt_is_logistic_regression_on_smoothed_targets() -> None:
    fake, logits = made(0.5, 1.0, 60)
    n, m = fake.sum(), (~fake).sum()
    target = np.where(fake, (n + 1) / (n + 2), 1 / (m + 2))
    twice = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(
        np.r_[logits, logits][:, np.newaxis],
        np.r_[np.ones(60), np.zeros(60)],
        np.r_[target, 1 - target],
    )
    found = fit_platt(fake, logits)
    assert found == pytest.approx((twice.coef_[0, 0], twice.intercept_[0]), rel=1e-4)


def test_platt_stays_finite_where_a_threshold_parts_the_classes() -> None:
    a, b = fit_platt(np.array([False] * 10 + [True] * 10), np.r_[-np.ones(10), np.ones(10)])
    assert 0 < a < 10
    assert b == pytest.approx(0, abs=1e-6)
    assert 1 / (1 + math.exp(-a - b)) == pytest.approx(11 / 12)


def test_platt_does_not_mind_huge_logits() -> None:
    fake, logits = made(0.001, 0.0)
    assert fit_platt(fake, logits * 1000)[0] == pytest.approx(1e-6, rel=2)
    assert all(map(math.isfinite, fit_platt(fake, logits * 1e6)))


def test_temperature_finds_the_slope_the_labels_were_drawn_with() -> None:
    assert fit_temperature(*made(2.5, 0.0)) == pytest.approx(2.5, rel=0.05)


def test_isotonic_pools_neighbours_that_are_out_of_order() -> None:
    fake = np.array([0, 1, 0, 1], bool)
    knots = fit_isotonic(fake, np.array([-2.0, -1.0, 0.0, 2.0]))
    # -1 and 0 are pooled at one half; the ends are drawn in to 1/4 and 3/4
    assert knots == ((-2.0, 0.25), (-1.0, 0.5), (0.0, 0.5), (2.0, 0.75))


@pytest.mark.parametrize("method", Method)
def test_every_method_makes_probabilities_that_can_be_believed(method: Method) -> None:
    fake, logits = made(0.4, 0.0)
    raw = 1 / (1 + np.exp(-logits))
    calibration = fit(method, fake, logits, "these")
    p = np.array([calibration.probability(logit) for logit in logits])
    assert calibration_error(count(fake, raw))[0] > 0.1
    assert calibration_error(count(fake, p))[0] < 0.015
    assert (calibration.method, calibration.fitted_on) == (method, "these")
    ranked = p[np.argsort(logits)]
    assert (np.diff(ranked) >= 0).all()


def cllr_of(method: Method, faces: tuple[Mask, Numbers], at: tuple[Mask, Numbers]) -> float:
    """Cllr of the faces `at` under a calibration fitted on `faces`."""
    calibration = fit(method, *faces)
    p = np.array([calibration.probability(logit) for logit in at[1]])
    return float(cllr(count(at[0], at_even_odds(p, calibration.prior)))[0])


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_cllr_does_not_depend_on_the_share_of_fakes_that_was_calibrated_on(method: Method) -> None:
    chance = np.random.default_rng(0)
    fake = np.arange(20_000) % 2 == 1
    faces = fake, chance.normal(np.where(fake, 1.0, -1.0), 1.0)
    few = ~fake | (np.arange(20_000) % 20 == 1)  # a tenth of the fakes: 9 % of these faces
    even = cllr_of(method, faces, faces)
    rare = cllr_of(method, (fake[few], faces[1][few]), faces)
    assert rare == pytest.approx(even, abs=0.01)
    assert fit(method, fake[few], faces[1][few]).prior == pytest.approx(1 / 11)


def test_a_prior_that_is_not_known_is_taken_for_even_odds() -> None:
    p = np.array([0.0, 0.1, 0.5, 1.0])
    assert (at_even_odds(p, None) == p).all()
    assert at_even_odds(p, 0.5) == pytest.approx(p)
    assert at_even_odds(p, 0.1) == pytest.approx([0, 0.5, 0.9, 1])
    assert fit(Method.TEMPERATURE, *made(1.0, 0.0, 200)).prior is None


@pytest.mark.parametrize("method", Method)
def test_one_class_alone_is_refused(method: Method) -> None:
    with pytest.raises(UsageError, match="3 real and 0 fake"):
        fit(method, np.zeros(3, bool), np.arange(3.0))


def test_scores_that_run_the_wrong_way_are_refused() -> None:
    fake, logits = made(1.0, 0.0)
    with pytest.raises(UsageError, match="slope"):
        fit(Method.PLATT, fake, -logits)
    with pytest.raises(UsageError, match="slope"):
        fit(Method.TEMPERATURE, np.array([False, True]), np.array([-1.0, 1.0]))


ALTERNATING = np.arange(200) % 2 == 0
APART = np.where(ALTERNATING, 1.0, -1.0)
HARD = np.r_[APART, -1e6]  # and one fake that is far on the wrong side
ADVICE = {
    "scores that say nothing": (Method.PLATT, ALTERNATING, np.arange(200.0), "than chance"),
    "labels the wrong way": (Method.PLATT, ALTERNATING, -APART, "which label is which"),
    "a temperature that is none": (Method.TEMPERATURE, ALTERNATING, APART, "take platt"),
    "platt, led by few": (Method.PLATT, np.r_[ALTERNATING, True], HARD, "take isotonic"),
}


@pytest.mark.parametrize("kind", ADVICE)
def test_advice_fits_the_fault_and_names_another_method(kind: str) -> None:
    method, fake, logits, words = ADVICE[kind]
    with pytest.raises(UsageError, match=words) as caught:
        fit(method, fake, logits)
    assert f"take {method}" not in str(caught.value)
    if words == "than chance":
        assert "take" not in str(caught.value)


def test_high_is_the_highest_threshold_that_as_many_real_faces_reach_as_allowed() -> None:
    real = np.linspace(0, 0.99, 100)  # one of 100 may be flagged
    fake = np.full(40, 0.995)
    labels = np.r_[np.zeros(100, bool), np.ones(40, bool)]
    found = choose(labels, np.r_[real, fake], 0.01)
    assert found.thresholds.high == real[99]
    assert found.flagged_real.value == 0.01
    assert found.flagged_fake.value == 1
    assert found.thresholds.low == pytest.approx(BAND * found.thresholds.high)


@pytest.mark.parametrize(("reals", "target"), [(100, 0.01), (150, 0.02), (20, 0.05)])
def test_new_real_faces_are_flagged_no_more_often_than_the_target(
    reals: int, target: float
) -> None:
    chance = np.random.default_rng(0)
    labels = np.r_[np.zeros(reals, bool), True]
    highs = [
        choose(labels, np.append(chance.random(reals), 1.0), target).thresholds.high
        for _ in range(2000)
    ]
    # p_fake of real faces is uniform here: 1 - HIGH is the true rate. k / (n + 1) on average
    rates = 1 - np.array(highs)
    allowed = math.floor(reals * target)
    error = 3 * rates.std() / math.sqrt(len(rates))
    assert rates.mean() == pytest.approx(allowed / (reals + 1), abs=error)
    assert allowed / (reals + 1) < target


def test_ties_never_break_the_target() -> None:
    labels = np.r_[np.zeros(200, bool), np.ones(10, bool)]
    p = np.r_[np.full(190, 0.1), np.full(10, 0.6), np.full(10, 0.8)]
    found = choose(labels, p, 0.01)  # 2 of 200 may be flagged, but 10 tie at 0.6
    assert found.flagged_real.value == 0
    assert 0.6 < found.thresholds.high <= 0.8
    p[:3] = (0.9, 0.7, 0.7)  # one above, and two that tie where the second is
    found = choose(labels, p, 0.01)
    assert found.thresholds.high == np.nextafter(0.7, 1)
    assert found.flagged_real.value == 1 / 200


def test_low_leaves_few_fakes_below_it() -> None:
    labels = np.r_[np.zeros(100, bool), np.ones(100, bool)]
    p = np.r_[np.linspace(0, 0.9, 100), np.linspace(0.01, 1, 100)]
    found = choose(labels, p, 0.05)
    assert found.thresholds.low == pytest.approx(0.06)
    assert found.cleared_fake.value == MISSED
    assert found.thresholds.low < found.thresholds.high


def test_a_rate_that_the_real_faces_cannot_show_is_refused() -> None:
    labels = np.r_[np.zeros(199, bool), np.ones(10, bool)]
    p = np.linspace(0, 1, 209)
    assert choose(labels, p, 0.01).target_fpr == 0.01
    with pytest.raises(UsageError, match=r"199 real and 10 fake.*at least 200 real"):
        choose(labels, p, 0.005)


def test_real_faces_at_certainty_leave_no_threshold() -> None:
    labels = np.r_[np.zeros(100, bool), np.ones(2, bool)]
    with pytest.raises(UsageError, match="no threshold"):
        choose(labels, np.ones(102), 0.01)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 20, 0.0, 0.1684), (1, 100, 0.00025, 0.0545), (5, 10, 0.1871, 0.8129), (3, 3, 0.2924, 1)],
)
def test_shares_have_clopper_and_pearsons_interval(
    part: int, whole: int, low: float, high: float
) -> None:
    found = share(part, whole)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.value == part / whole


def test_a_share_of_nothing_is_not_defined() -> None:
    assert share(0, 0).value is None
