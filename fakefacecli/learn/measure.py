"""Everything `fakeface evaluate` says of a model, as numbers fit for JSON."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from fakefacecli.learn.bootstrap import Estimate, around, estimate
from fakefacecli.learn.degrade import Degradation
from fakefacecli.learn.judged import Judged, JudgedFace
from fakefacecli.learn.metrics import MEASURES, Mask, Numbers
from fakefacecli.learn.thresholds import share
from fakefacecli.models.card import ModelCard
from fakefacecli.records import Label, Thresholds
from fakefacecli.text import printable

Facts = dict[str, Any]

PREVALENCES = (0.01, 0.1)
SIZES = (64, 96, 128, 160, 224, 320)  # px, where one class of face sizes ends and the next begins
QUALITIES = (50, 75, 90)
FEWEST = 5
IN_GRID = ("auc", "accuracy", "recall", "tpr_at_fpr_0.01")


def measures(judged: Judged, card: ModelCard, resamples: int) -> Facts:
    """Every measure at its value, `low` and `high` (null where it is not defined)."""
    found = estimate(judged.fake, judged.p_fake(card), MEASURES, resamples)
    return {name: asdict(value) for name, value in found.items()}


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
        found = estimate(judged.fake, p, chosen, resamples)
        names = ("as it is", None) if cell is None else (grid[cell].family, grid[cell].strength)
        rows.append({
            "family": names[0],
            "strength": names[1],
            **{name: asdict(value) for name, value in found.items()},
            "real_at_high": asdict(_reach(p[~judged.fake], card.thresholds.high)),
            "fake_at_high": asdict(_reach(p[judged.fake], card.thresholds.high)),
        })  # fmt: skip
    return rows


def slices(
    judged: Judged, card: ModelCard, thresholds: Thresholds, resamples: int
) -> dict[str, list[Facts]]:
    """The faces by split, group, generator, size and JPEG quality.

    A slice without real (or fake) faces is held against all real (or fake) ones for its AUC, which
    has no interval where a class has fewer than FEWEST faces: all resamples look alike then.
    """
    fake, p = judged.fake, judged.p_fake(card)
    labels = np.array([str(v.label) for v in judged.verdicts(card, thresholds)])
    return {
        dimension: [
            _slice(name, members, fake, p, labels, resamples)
            for name, members in _parts(judged, name_of)
        ]
        for dimension, name_of in DIMENSIONS.items()
    }


def _slice(
    name: str,
    members: Mask,
    fake: Mask,
    p: Numbers,
    labels: np.ndarray[Any, Any],
    resamples: int,
) -> Facts:
    alone = not (fake[members].any() and (~fake[members]).any())
    against = members | (fake != fake[members].any()) if alone else members
    here = estimate(fake[members], p[members], {"accuracy": MEASURES["accuracy"]}, resamples)
    few = min((members & (fake == kind)).sum() for kind in set(fake[members].tolist())) < FEWEST
    both = estimate(fake[against], p[against], {"auc": MEASURES["auc"]}, 0 if few else resamples)
    facts: Facts = {"name": name, "real": int((members & ~fake).sum()),
                    "fake": int((members & fake).sum())}  # fmt: skip
    for word, rows in (("real", members & ~fake), ("fake", members & fake)):
        facts[f"{word}_flagged"] = asdict(share(int((labels[rows] == "flagged").sum()),
                                                int(rows.sum())))  # fmt: skip
    return facts | {
        "inconclusive": int((labels[members] == "inconclusive").sum()),
        "accuracy": asdict(here["accuracy"]),
        "auc": asdict(both["auc"]),
        "auc_against_all_others": alone,
    }


def _parts(judged: Judged, name_of: Callable[[JudgedFace], str]) -> Iterator[tuple[str, Mask]]:
    names = np.array([name_of(face) for face in judged.faces], object)
    for name in sorted(set(names), key=_in_order):
        yield name, names == name


def size_class(face: JudgedFace) -> str:
    """In which of the SIZES classes a face falls."""
    return _class(face.face_px, SIZES, " px")


def quality_class(face: JudgedFace) -> str:
    """The same of its file's JPEG quality."""
    return "not a JPEG" if face.quality is None else _class(face.quality, QUALITIES, "")


def _class(value: float, edges: tuple[int, ...], unit: str) -> str:
    below = [edge for edge in edges if edge <= value]
    if not below:
        return f"under {edges[0]}{unit}"
    first = below[-1]
    if first == edges[-1]:
        return f"{first}{unit} and more"
    return f"{first} to {edges[edges.index(first) + 1] - 1}{unit}"


def _in_order(name: str) -> tuple[bool, int, str]:
    """Numbers by size, "under" first; other names by the alphabet."""
    first = name.split(maxsplit=1)[0] if name else ""
    return not name.startswith("under"), int(first) if first.isdecimal() else 0, name


def _reach(p: Numbers, high: float) -> Estimate:
    return share(int((p >= high).sum()), len(p))


DIMENSIONS: dict[str, Callable[[JudgedFace], str]] = {
    "split": lambda face: face.image.split or "(none)",
    "group": lambda face: printable(face.image.group) or "(none)",
    "generator": lambda face: (
        printable(face.image.generator) or ("(not stated)" if face.image.fake else "(real)")
    ),
    "face size": size_class,
    "JPEG quality": quality_class,
}
