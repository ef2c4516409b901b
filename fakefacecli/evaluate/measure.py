"""Everything `fakeface evaluate` says of a model, as numbers fit for JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from fakefacecli.base.records import Label, Thresholds
from fakefacecli.evaluate.bootstrap import Estimate, around, estimate
from fakefacecli.evaluate.degrade import Degradation
from fakefacecli.evaluate.fit import at_even_odds
from fakefacecli.evaluate.scored import Judged
from fakefacecli.evaluate.thresholds import share
from fakefacecli.figures.metrics import MEASURES, Measure, Numbers
from fakefacecli.models.card import ModelCard

Facts = dict[str, Any]

PREVALENCES = (0.01, 0.1)
IN_GRID = ("auc", "accuracy", "recall", "tpr_at_fpr_0.01")


def measures(judged: Judged, card: ModelCard, resamples: int, groups: bool = True) -> Facts:
    """Every measure at its value, `low` and `high` (null where it is not defined).

    The intervals resample groups, or images: what other images of the same groups might give.
    """
    clusters = judged.clusters(groups)
    found: dict[str, Estimate] = {}
    for p, some in read_at(judged.p_fake(card), card):
        found |= estimate(judged.fake, p, some, resamples, clusters)
    return {name: asdict(value) for name, value in found.items()}


def read_at(p_fake: Numbers, card: ModelCard) -> Iterator[tuple[Numbers, dict[str, Measure]]]:
    """All MEASURES in order, with the probabilities (n,) each works on.

    Cllr takes its likelihood ratio from p_fake at even odds, the others p_fake as a report has it.
    """
    yield p_fake, {name: MEASURES[name] for name in MEASURES if name != "cllr"}
    yield at_even_odds(p_fake, card.calibration.prior), {"cllr": MEASURES["cllr"]}


def verdicts(judged: Judged, card: ModelCard, thresholds: Thresholds, resamples: int) -> Facts:
    """How often real and fake faces get each verdict, and what a flag is worth by prevalence."""
    labels = np.array([str(v.label) for v in judged.verdicts(card, thresholds)])
    fake = judged.fake
    told: Facts = {}
    for name, members in (("real", ~fake), ("fake", fake)):
        counts = {str(label): int((labels[members] == label).sum()) for label in Label}
        total = int(members.sum())
        told[name] = {
            "faces": total,
            **counts,
            **{f"{label}_share": asdict(share(part, total)) for label, part in counts.items()},
        }
    real_hits = told["real"][Label.FLAGGED], told["real"]["faces"]
    fake_hits = told["fake"][Label.FLAGGED], told["fake"]["faces"]
    told["precision_at_prevalence"] = {
        f"{part:g}": asdict(precision_at(part, real_hits, fake_hits, resamples))
        for part in PREVALENCES
    }
    return told


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
    return Estimate(found.value, worst, 1.0)


def robustness(
    judged: Judged, card: ModelCard, grid: tuple[Degradation, ...], resamples: int
) -> list[Facts]:
    """A row for the plain faces and one for each degradation."""
    chosen = {name: MEASURES[name] for name in IN_GRID}
    rows = []
    for cell in (None, *range(len(grid))):
        p = judged.p_fake(card, cell)
        found = estimate(judged.fake, p, chosen, resamples, judged.clusters())
        names = ("as it is", None) if cell is None else (grid[cell].family, grid[cell].strength)
        rows.append(
            {
                "family": names[0],
                "strength": names[1],
                **{name: asdict(value) for name, value in found.items()},
                "real_at_high": asdict(_reach(p[~judged.fake], card.thresholds.high)),
                "fake_at_high": asdict(_reach(p[judged.fake], card.thresholds.high)),
            }
        )
    return rows


def _reach(p: Numbers, high: float) -> Estimate:
    return share(int((p >= high).sum()), len(p))
