"""The numbers of `fakeface evaluate`: measures, verdicts and robustness, with intervals."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fakefacecli.base.verdicts import Label, Reason, Thresholds
from fakefacecli.evaluate.bootstrap import around, estimate
from fakefacecli.evaluate.degrade import Degradation
from fakefacecli.evaluate.fit import at_even_odds
from fakefacecli.evaluate.scored import Judged
from fakefacecli.evaluate.thresholds import share
from fakefacecli.figures.metrics import MEASURES, Measure, Numbers
from fakefacecli.figures.results import Estimate, RobustnessRow, VerdictCounts, Verdicts
from fakefacecli.models.judge import AnyCard

PREVALENCES = (0.01, 0.1)
IN_GRID = ("auc", "accuracy", "recall", "tpr_at_fpr_0.01")


def measures(
    judged: Judged, card: AnyCard, resamples: int, groups: bool = True
) -> dict[str, Estimate]:
    """Every one of MEASURES with its interval.

    The intervals resample groups, or images: what other images of the same groups might give.
    """
    clusters = judged.clusters(groups)
    found: dict[str, Estimate] = {}
    for p, some in read_at(judged.p_fake(card), card):
        found |= estimate(judged.fake, p, some, resamples, clusters)
    return found


def read_at(p_fake: Numbers, card: AnyCard) -> Iterator[tuple[Numbers, dict[str, Measure]]]:
    """All MEASURES in order, with the probabilities (n,) each works on.

    Cllr takes its likelihood ratio from p_fake at even odds, the others p_fake as a report has it.
    """
    # cllr is the last of MEASURES, so their order stays
    yield p_fake, {name: MEASURES[name] for name in MEASURES if name != "cllr"}
    yield at_even_odds(p_fake, card.calibration.prior), {"cllr": MEASURES["cllr"]}


def verdicts(judged: Judged, card: AnyCard, thresholds: Thresholds, resamples: int) -> Verdicts:
    """How often real and fake faces get each verdict, and the precision of a flag by prevalence."""
    labels = np.array([str(v.label) for v in judged.verdicts(card, thresholds)])
    real, fake = (_count_verdicts(labels[members]) for members in (~judged.fake, judged.fake))
    false_alarms, found = (real.flagged, real.faces), (fake.flagged, fake.faces)
    worth = {
        f"{part:g}": precision_at(part, false_alarms, found, resamples) for part in PREVALENCES
    }
    return Verdicts(real, fake, worth)


def _count_verdicts(labels: np.ndarray[Any, Any]) -> VerdictCounts:
    total = len(labels)
    counts = {label: int((labels == label).sum()) for label in Label}
    return VerdictCounts(
        total,
        counts[Label.FLAGGED],
        counts[Label.INCONCLUSIVE],
        counts[Label.NOT_FLAGGED],
        flagged_share=share(counts[Label.FLAGGED], total),
        inconclusive_share=share(counts[Label.INCONCLUSIVE], total),
        not_flagged_share=share(counts[Label.NOT_FLAGGED], total),
    )


def precision_at(
    prevalence: float, real_hits: tuple[int, int], fake_hits: tuple[int, int], resamples: int
) -> Estimate:
    """The share of fakes among flagged faces where `prevalence` of all faces are fakes.

    `real_hits` and `fake_hits` are (flagged, all). Where no real face was flagged a bootstrap
    sees no spread: the low end then takes the largest false alarm rate of Clopper and Pearson.
    """

    def worth(fpr: Numbers, tpr: Numbers) -> Numbers:
        flagged = prevalence * tpr + (1 - prevalence) * fpr
        none = np.full(flagged.shape, np.nan)
        return np.asarray(np.divide(prevalence * tpr, flagged, out=none, where=flagged > 0))

    (false, reals), (true, fakes) = real_hits, fake_hits
    if not reals or not fakes:
        return Estimate(None)
    at = float(worth(np.array([false / reals]), np.array([true / fakes]))[0])
    # how many of n faces are flagged in a resample of them is a binomial number
    chance = np.random.default_rng(0)
    drawn = worth(
        chance.binomial(reals, false / reals, resamples) / reals,
        chance.binomial(fakes, true / fakes, resamples) / fakes,
    )
    found = around(at, drawn)
    if false or found.value is None:
        return found
    most = share(false, reals).high or 1.0
    worst = float(worth(np.array([most]), np.array([true / fakes]))[0])
    return Estimate(found.value, worst, 1.0)  # high: no false alarm at all


def robustness(
    judged: Judged,
    card: AnyCard,
    thresholds: Thresholds,
    grid: tuple[Degradation, ...],
    resamples: int,
) -> tuple[RobustnessRow, ...]:
    """A row for the plain faces and one for each degradation."""
    chosen = {name: MEASURES[name] for name in IN_GRID}
    rows = []
    for cell in (None, *range(len(grid))):
        p = judged.p_fake(card, cell)
        verdicts = judged.verdicts(card, thresholds, cell)
        real = [v for v, fake in zip(verdicts, judged.fake, strict=True) if not fake]
        rows.append(
            RobustnessRow(
                family="as it is" if cell is None else grid[cell].family,
                strength=None if cell is None else grid[cell].strength,
                measures=estimate(judged.fake, p, chosen, resamples, judged.clusters()),
                real_at_high=_reach(p[~judged.fake], card.thresholds.high),
                fake_at_high=_reach(p[judged.fake], card.thresholds.high),
                real_flagged=_part(v.label is Label.FLAGGED for v in real),
                real_between=_part(v.reason is Reason.BETWEEN_THRESHOLDS for v in real),
                real_inconclusive=_part(v.label is Label.INCONCLUSIVE for v in real),
            )
        )
    return tuple(rows)


def _reach(p: Numbers, high: float) -> Estimate:
    return _part((p >= high).tolist())


def _part(members: Iterable[bool]) -> Estimate:
    found = list(members)
    return share(sum(found), len(found))
