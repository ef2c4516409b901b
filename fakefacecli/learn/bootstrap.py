"""Intervals of measures: what another draw of as many faces might have given.

The percentile bootstrap (Efron 1979) of the faces, real and fake ones apart, so that every resample
has as many of each. It takes faces for independent: those of one person or one series are not, and
the true interval is then wider.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fakefacecli.learn.metrics import Counts, Mask, Measure, Numbers, count

LEVEL = 0.95
RESAMPLES = 1000
_CELLS = 4_000_000  # faces times resamples at once, some 100 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; each None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two models' numbers on the same faces; `more` is what the second has over the first."""

    first: float | None
    second: float | None
    more: Estimate

    @property
    def clear(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        low, high = self.more.low, self.more.high
        return low is not None and high is not None and (low > 0 or high < 0)


def estimate(
    fake: Mask,
    p_fake: Numbers,
    measures: Mapping[str, Measure],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Each measure of n faces, (n,) and (n,), with its interval; no interval if `resamples` is 0.

    The same seed gives the same intervals.
    """
    values = {name: float(measure(count(fake, p_fake))[0]) for name, measure in measures.items()}
    drawn = _drawn(fake, p_fake, measures, resamples, seed) if resamples else {}
    return {name: around(value, drawn.get(name)) for name, value in values.items()}


def compare(
    fake: Mask,
    first: Numbers,
    second: Numbers,
    measures: Mapping[str, Measure],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Difference]:
    """Two models' measures on the same n faces; both see the same resamples (paired bootstrap)."""
    drawn = [_drawn(fake, p, measures, resamples, seed) for p in (first, second)]
    compared = {}
    for name, measure in measures.items():
        one, other = (float(measure(count(fake, p))[0]) for p in (first, second))
        more = around(other - one, drawn[1][name] - drawn[0][name])
        compared[name] = Difference(number(one), number(other), more)
    return compared


def around(value: float, drawn: Numbers | None) -> Estimate:
    """`value` with the middle LEVEL of the resamples `drawn` (b,), undefined ones left out."""
    defined = drawn[np.isfinite(drawn)] if drawn is not None else np.empty(0)
    if not np.isfinite(value) or not len(defined):
        return Estimate(number(value))
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def number(value: float) -> float | None:
    """The value, None for NaN: JSON has no NaN."""
    return value if np.isfinite(value) else None


def draws(fake: Mask, resamples: int, seed: int) -> Iterator[Numbers]:
    """How often each face is taken, (b, n) a piece, `resamples` rows in all."""
    chance = np.random.default_rng(seed)
    at_once = max(1, _CELLS // max(1, len(fake)))
    classes = [np.flatnonzero(fake), np.flatnonzero(~fake)]
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        times = np.zeros((rows, len(fake)))
        for members in classes:
            if size := len(members):
                picked = chance.integers(0, size, (rows, size))
                picked += np.arange(rows)[:, np.newaxis] * size
                tally = np.bincount(picked.ravel(), minlength=rows * size)
                times[:, members] = tally.reshape(rows, size)
        yield times


def _drawn(
    fake: Mask, p_fake: Numbers, measures: Mapping[str, Measure], resamples: int, seed: int
) -> dict[str, Numbers]:
    pieces: list[Counts] = [
        count(fake, p_fake, times) for times in draws(fake, resamples, seed)
    ]  # fmt: skip
    return {
        name: np.concatenate([measure(piece) for piece in pieces])
        for name, measure in measures.items()
    }
