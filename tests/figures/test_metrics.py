"""Measures against numbers worked out by hand, and against scikit-learn's."""

import math

import numpy as np
import pytest
import sklearn.metrics as reference

from fakefacecli.evaluate.bootstrap import Clusters, around, compare, draws, estimate, tail_of
from fakefacecli.figures import metrics
from fakefacecli.figures.metrics import MEASURES, Mask, Numbers, count

Faces = tuple[Mask, Numbers]


def faces(real: list[float], fake: list[float]) -> Faces:
    labels = np.array([False] * len(real) + [True] * len(fake), bool)
    return labels, np.array([*real, *fake], np.float64)


def many(seed: int = 0, real: int = 400, fake: int = 250, decimals: int = 2) -> Faces:
    """Overlapping classes with many ties."""
    chance = np.random.default_rng(seed)
    scores = np.r_[chance.normal(-1, 1, real), chance.normal(1, 1, fake)]
    labels = np.r_[np.zeros(real, bool), np.ones(fake, bool)]
    return labels, np.round(1 / (1 + np.exp(-scores)), decimals)


def measured(name: str, at: Faces) -> float:
    return float(MEASURES[name](count(*at))[0])


BY_HAND = faces([0.1, 0.4, 0.6], [0.4, 0.8])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("accuracy", 3 / 5),  # 0.6 is a false alarm, the fake at 0.4 a miss
        ("precision", 1 / 2),
        ("recall", 1 / 2),
        ("f1", 1 / 2),
        ("auc", (1 + 1.5 / 3) / 2),  # of 3 pairs each: 0.8 beats 3; 0.4 beats 1, ties 1, loses 1
        ("ap", 1 / 2 * 1 + 1 / 2 * 2 / 4),
        ("brier", (0.1**2 + 0.4**2 + 0.6**2 + 0.6**2 + 0.2**2) / 5),
        # from (fpr 1/3, tpr 1/2) to (2/3, 1): 1/3 + t/3 = 1/2 - t/2 at t = 1/5
        ("eer", 1 / 3 + 1 / 15),
        (
            "cllr",
            (
                -(math.log2(0.9) + math.log2(0.6) + math.log2(0.4)) / 3
                - (math.log2(0.4) + math.log2(0.8)) / 2
            )
            / 2,
        ),
    ],
)
def test_measures_worked_out_by_hand(name: str, wanted: float) -> None:
    assert measured(name, BY_HAND) == pytest.approx(wanted)


def test_ece_worked_out_by_hand() -> None:
    # 0.4 twice and 0.6 once, one fake among the former: bins [0.4, 0.467) and [0.6, 0.667)
    assert measured("ece", faces([0.4, 0.6], [0.4])) == pytest.approx((abs(1 - 0.8) + 0.6) / 3)
    assert measured("ece", faces([0.0], [1.0])) == 0


@pytest.mark.parametrize("seed", range(5))
def test_measures_are_those_of_scikit_learn(seed: int) -> None:
    labels, p = at = many(seed, decimals=2 if seed % 2 else 12)
    called = p >= 0.5
    assert measured("auc", at) == pytest.approx(reference.roc_auc_score(labels, p))
    assert measured("ap", at) == pytest.approx(reference.average_precision_score(labels, p))
    assert measured("brier", at) == pytest.approx(reference.brier_score_loss(labels, p))
    for name in ("accuracy", "precision", "recall", "f1"):
        wanted = getattr(reference, f"{name}_score")(labels, called)
        assert measured(name, at) == pytest.approx(wanted)
    fpr, tpr, _ = reference.roc_curve(labels, p, drop_intermediate=False)
    assert measured("tpr_at_fpr_0.01", at) == pytest.approx(tpr[fpr <= 0.01].max())
    curve = metrics.roc(count(*at))
    assert curve[0][0] == pytest.approx(fpr)
    assert curve[1][0] == pytest.approx(tpr)


def test_perfect_and_useless_scores() -> None:
    perfect, useless = faces([0.0, 0.1], [0.9, 1.0]), faces([0.5, 0.5], [0.5, 0.5])
    assert [measured(n, perfect) for n in ("auc", "ap", "eer", "accuracy")] == [1, 1, 0, 1]
    assert [measured(n, useless) for n in ("auc", "ap", "eer", "cllr")] == [0.5, 0.5, 0.5, 1]


def test_certainty_on_the_wrong_side_costs_much_and_not_infinity() -> None:
    assert 19 < measured("cllr", faces([1.0], [0.0])) < 40


@pytest.mark.parametrize("at", [faces([0.2, 0.7], []), faces([], [0.2, 0.7])])
def test_what_needs_both_classes_is_not_defined_without_one(at: Faces) -> None:
    found = estimate(*at, MEASURES, resamples=20)
    for name in ("auc", "ap", "eer", "precision", "f1", "cllr", "tpr_at_fpr_0.01"):
        assert (found[name].value, found[name].low, found[name].high) == (None, None, None)
    for name in ("accuracy", "brier", "ece"):
        assert found[name].value is not None


def test_no_face_at_all_is_not_defined() -> None:
    assert {e.value for e in estimate(*faces([], []), MEASURES, 5).values()} == {None}


def test_nothing_called_fake_has_no_precision() -> None:
    assert math.isnan(measured("precision", faces([0.1], [0.2])))
    assert measured("recall", faces([0.1], [0.2])) == 0


def test_too_few_real_faces_show_no_small_rate() -> None:
    real = list(np.linspace(0, 0.5, 199))
    at = faces(real, [0.9])
    assert measured("tpr_at_fpr_0.01", at) == 1
    assert math.isnan(measured("tpr_at_fpr_0.005", at))
    assert measured("tpr_at_fpr_0.005", faces([*real, 0.1], [0.9])) == 1


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        count(np.array([True]), np.array([math.nan]))
    with pytest.raises(ValueError, match="wanted"):
        count(np.array([True]), np.array([0.1, 0.2]))


def test_weights_count_faces_as_often() -> None:
    labels, p = many(1)
    times = next(draws(labels, 3, seed=7))
    for row, counts in enumerate(times.astype(int)):
        repeated = count(np.repeat(labels, counts), np.repeat(p, counts))
        for measure in MEASURES.values():
            wanted = measure(repeated)[0]
            assert measure(count(labels, p, times))[row] == pytest.approx(wanted)


def test_resamples_keep_the_classes_sizes_and_the_seed() -> None:
    labels, _ = many()
    one, same = (np.concatenate(list(draws(labels, 50, seed=3))) for _ in range(2))
    assert (one == same).all()
    assert set(one[:, labels].sum(1)) == {250}
    assert set(one[:, ~labels].sum(1)) == {400}


def test_an_interval_has_the_width_theory_gives() -> None:
    at = many(3, 1000, 1000, decimals=9)
    found = estimate(*at, MEASURES)["recall"]
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    wide = 2 * 1.96 * math.sqrt(found.value * (1 - found.value) / 1000)
    assert found.high - found.low == pytest.approx(wide, rel=0.15)
    assert found.low < found.value < found.high


def test_few_clusters_widen_an_interval_as_students_t_does() -> None:
    assert tail_of(1) is None
    tails = [tail_of(clusters) or 0 for clusters in (5, 10, 100, 100_000)]
    assert tails == sorted(tails)
    assert tails[1] == pytest.approx(0.00855, abs=1e-4)  # beyond 2.262 * sqrt(10 / 9)
    assert tails[3] == pytest.approx(0.025, abs=1e-5)


def test_undefined_resamples_are_left_out_of_an_interval() -> None:
    found = around(0.5, np.array([np.nan, 0.4, 0.6]))
    assert found.low is not None
    assert found.low == pytest.approx(0.405)
    assert around(0.5, np.array([np.nan])).low is None


def test_a_model_does_not_differ_from_itself_and_does_from_a_worse_one() -> None:
    labels, p = many(2)
    same = compare(labels, p, p, MEASURES, 100)["auc"]
    assert (same.more.value, same.more.low, same.more.high, same.clear) == (0, 0, 0, False)
    worse = np.clip(p + np.random.default_rng(0).normal(0, 0.4, len(p)), 0, 1)
    found = compare(labels, p, worse, MEASURES, 300)["auc"]
    assert found.clear
    assert found.more.value is not None
    assert found.more.value < 0


def grouped(
    seed: int, groups: int = 20, each: int = 30, effect: float = 1.0
) -> tuple[Mask, Numbers, Numbers, Clusters]:
    """Two equally good models on groups of one class each, which shift each model's scores."""
    chance = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(groups), each)
    fake = clusters % 2 == 1
    first, second = (
        chance.normal(0, effect, groups)[clusters] + chance.normal(0, 1, len(fake)) + 2.0 * fake
        for _ in range(2)
    )
    return fake, 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second)), clusters


def test_equally_good_models_on_groups_seldom_differ_clearly() -> None:
    auc = {"auc": MEASURES["auc"]}
    clear = {"groups": 0, "faces": 0}
    for seed in range(40):
        fake, first, second, clusters = grouped(seed)
        clear["groups"] += compare(fake, first, second, auc, 200, clusters)["auc"].clear
        clear["faces"] += compare(fake, first, second, auc, 200)["auc"].clear
    assert clear["groups"] <= 5  # 2 of 40 should be
    assert clear["faces"] >= 20  # what drawing faces would say


def test_copies_of_a_face_in_one_cluster_change_no_interval() -> None:
    labels, p = many(4, 60, 50, decimals=12)
    alone = estimate(labels, p, MEASURES, 200)
    thrice = estimate(
        np.repeat(labels, 3), np.repeat(p, 3), MEASURES, 200, np.repeat(np.arange(110), 3)
    )
    for name in ("auc", "recall", "brier", "cllr"):
        assert (thrice[name].low, thrice[name].high) == pytest.approx(
            (alone[name].low, alone[name].high)
        )


def test_a_single_cluster_in_a_class_gives_no_interval() -> None:
    labels, p = many(5, 40, 30)
    clusters = np.where(labels, 0, np.arange(1, 71))
    found = estimate(labels, p, MEASURES, 50, clusters)["auc"]
    assert (found.value is None, found.low, found.high) == (False, None, None)
    more = compare(labels, p, 1 - p, MEASURES, 50, clusters)["auc"]
    assert (more.more.low, more.clear) == (None, False)


def test_a_cluster_of_both_classes_stays_whole_and_classes_keep_their_weight() -> None:
    labels = np.array([True, True, False, False, False, True])
    clusters = np.array([7, 7, 7, 3, 4, 5])
    [times] = draws(labels, 300, clusters=clusters)
    assert len(times) < 300  # those without a fake or a real face are left out
    assert times[:, labels].sum(1) == pytest.approx(3)
    assert times[:, ~labels].sum(1) == pytest.approx(3)
    assert (times[:, 0] == times[:, 1]).all()
    assert ((times[:, 0] > 0) == (times[:, 2] > 0)).all()


def test_clusters_of_one_class_are_drawn_whole_and_the_classes_apart() -> None:
    fake, _, _, clusters = grouped(0, groups=8, each=3)
    [times] = draws(fake, 100, clusters=clusters)
    assert len(times) == 100
    held = times.reshape(100, 8, 3)
    assert (held == held[:, :, :1]).all()
    assert (times[:, fake].sum(1) == 12).all()
