"""How many flags are expected to be wrong: a card's measured rates, at a stated share of fakes.

Where a share s of all faces are fakes, and a model flags fpr of the real ones and tpr of the
fakes, (1 - s) fpr / ((1 - s) fpr + s tpr) of what it flags is real (Bayes). Intervals of the rates
are 95 % by Clopper and Pearson (Biometrika 26, 1934).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Label
from fakefacecli.reports.page_data import PageCounts
from fakefacecli.reports.rows import Row

PREVALENCE = 0.01
_UNSEEN = "never_seen"  # in the name of a set of a card: no model was trained on its sources
_OWN = ("calibrated_on", "fused_on")
_FLAGGED = ("above_high", "flagged")  # what cards call faces at or above HIGH
# figures of a calibration that the card no longer has
_OLD = "before this calibration"


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of `faces` with its 95 % interval."""

    value: float
    low: float
    high: float
    faces: int


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """How many of the real and of the fake faces of a set a model flags; `name` is the card's."""

    name: str
    real: Rate
    fake: Rate

    @property
    def words(self) -> str:
        """The name for people."""
        return printable(self.name).replace("_", " ")


@dataclass(frozen=True, slots=True)
class Rates:
    """The sets of a card, the most telling first; or why there are none that hold here."""

    sets: tuple[MeasuredSet, ...] = ()
    why_none: str = ""
    calibrated: bool = True


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of the flags of a run: `flagged` of its `faces`, with the first of `sets`.

    `wrong`, `wrong_low`, `wrong_high`: so many of them are real faces. `expected` would be flagged
    at this prevalence.
    """

    prevalence: float
    flagged: int
    faces: int
    sets: tuple[MeasuredSet, ...]
    wrong: float
    wrong_low: float
    wrong_high: float
    expected: float

    @property
    def many(self) -> bool:
        """Whether clearly more are flagged than `expected`."""
        # three standard deviations of a count (Poisson): such a difference is hardly chance
        return self.flagged > self.expected + 3 * math.sqrt(self.expected) + 1


def rates_of(card: Mapping[str, Any], header: Mapping[str, Any], rows: Sequence[Row]) -> Rates:
    """The rates that `card` states, if they hold for the thresholds that `rows` were judged with.

    What is in a card's `measured` is free: sets of unknown form are passed over.
    """
    model = header.get("model") or {}
    state = (card.get("calibration") or model.get("calibration") or {}).get("method")
    calibrated = state is None or state != "none"
    if not card:
        return Rates((), "Nothing is known here of how often this model is wrong.", calibrated)
    used = {row["threshold_high"] for row in rows if row["threshold_high"] is not None}
    measured_at = (card.get("thresholds") or {}).get("high")
    if not used <= {measured_at}:
        why = (
            "The run used other thresholds than those that the model was measured at, so its "
            "error rates do not hold here."
        )
        return Rates((), why, calibrated)
    measured = card.get("measured")
    sets = sorted(_sets(measured if isinstance(measured, Mapping) else {}), key=_telling)
    why = "" if sets else "The model's card does not say how often it is wrong."
    return Rates(tuple(sets), why, calibrated)


def expect(rates: Rates, counts: PageCounts, prevalence: float) -> Outlook | None:
    """What to expect of a run's flags, `prevalence` of all faces being fakes; None if unknown."""
    if not rates.sets:
        return None
    best, flagged = rates.sets[0], counts.verdict[Label.FLAGGED]
    real, fake = best.real, best.fake
    hits = (1 - prevalence) * real.value + prevalence * fake.value
    return Outlook(
        prevalence,
        flagged,
        counts.faces,
        rates.sets,
        wrong=flagged * wrong_share(prevalence, real.value, fake.value),
        # the ends of both intervals at once: wider than 95 % rather than narrower
        wrong_low=flagged * wrong_share(prevalence, real.low, fake.high),
        wrong_high=flagged * wrong_share(prevalence, real.high, fake.low),
        expected=counts.faces * hits,
    )


def wrong_share(prevalence: float, fpr: float, tpr: float) -> float:
    """The share of real faces among the flagged ones; 1 where nothing would be flagged."""
    false, true = (1 - prevalence) * fpr, prevalence * tpr
    return false / (false + true) if false + true > 0 else 1.0


def _telling(found: MeasuredSet) -> tuple[int, float]:
    """Sources never seen before come first, as they are; then the set with the most wrong flags."""
    nested = ":" in found.name
    rank = 0 if _UNSEEN in found.name else 1 if found.name in _OWN else 2
    worst = wrong_share(PREVALENCE, found.real.value, found.fake.value)
    return rank + 3 * nested, -worst


def _sets(measured: Mapping[str, Any], prefix: str = "") -> Iterator[MeasuredSet]:
    for key, figures in measured.items():
        name = f"{prefix}{key}"
        if not isinstance(figures, Mapping) or name.startswith(_OLD):
            continue
        found = _counted(figures) or _summed(figures)
        if found:
            yield MeasuredSet(name, *found)
            yield from _sets(figures, f"{name}: ")


def _counted(figures: Mapping[str, Any]) -> tuple[Rate, Rate] | None:
    """A set that states its faces and the shares of them that are flagged."""
    found = []
    for kind, share in (("real", "fpr"), ("fake", "tpr")):
        faces = figures.get(kind)
        value = figures.get(f"flagged_{kind}", figures.get(share))
        value = value.get("value") if isinstance(value, Mapping) else value
        if not _is_count(faces) or not _is_share(value):
            return None
        found.append(_rate(round(value * faces), faces))
    return found[0], found[1]


def _summed(figures: Mapping[str, Any]) -> tuple[Rate, Rate] | None:
    """A set by generators, each stating its faces and how many of them are flagged."""
    total, hits = {"real": 0, "fake": 0}, {"real": 0, "fake": 0}
    for name, cell in figures.items():
        # swaps are fakes
        kind = {"real": "real", "fake": "fake", "swap": "fake"}.get(str(name)[:4])
        if kind is None or not isinstance(cell, Mapping):
            return None
        flagged = next((cell[word] for word in _FLAGGED if word in cell), None)
        faces = cell.get("n")
        if not _is_count(faces) or not _is_count(flagged) or flagged > faces:
            return None
        total[kind] += faces
        hits[kind] += flagged
    if not all(total.values()):
        return None
    return _rate(hits["real"], total["real"]), _rate(hits["fake"], total["fake"])


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> TypeGuard[float]:
    # NaN and infinity are none
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1


def _rate(hits: int, faces: int) -> Rate:
    """`hits` of `faces`, with the interval; 0..1 where there are no faces."""
    if not faces:
        return Rate(0.0, 0.0, 1.0, 0)
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, faces - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, faces - hits)) if hits < faces else 1.0
    return Rate(hits / faces, low, high, faces)
