"""Intervals of measures: what another draw of as many faces might have given.

The percentile bootstrap (Efron 1979) of clusters: faces that belong together, such as those of one
group or of one image, are drawn together, as they are not independent (Davison and Hinkley 1997,
section 3.8; Field and Welsh 2007). Real and fake faces are drawn separately; where a cluster holds
both, all clusters are drawn together, so that none is divided. In each resample a class is then
weighted to the size it has in the set, so that the share of fakes stays. The interval
is expanded for few clusters, as in Hesterberg 2015 (What Teachers Should Know About the Bootstrap);
with fewer than FEW_CLUSTERS in a class it is still rough, and with a single one there is none.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from fakefacecli.figures.metrics import Counts, Mask, Measure, Numbers, count
from fakefacecli.figures.results import Difference, Estimate

Clusters = npt.NDArray[np.intp]

LEVEL = 0.95
RESAMPLES = 1000
FEW_CLUSTERS = 20  # in a class; with fewer an interval is rough
_CELLS = 4_000_000  # faces times resamples at once, some 100 MB


def estimate(
    fake: Mask,
    p_fake: Numbers,
    measures: Mapping[str, Measure],
    resamples: int = RESAMPLES,
    clusters: Clusters | None = None,
) -> dict[str, Estimate]:
    """Each measure of n faces, (n,) and (n,), with its interval; the same faces give the same one.

    `clusters` (n,) has one number for faces that belong together; without it each stands for
    itself. There is no interval if `resamples` is 0 or a class has a single cluster.
    """
    values = {name: float(measure(count(fake, p_fake))[0]) for name, measure in measures.items()}
    drawn: dict[str, Numbers] = {}
    # the class with fewer clusters decides: most measures are no surer than what they know of it
    tail = tail_of(fewest(fake, clusters))
    if resamples and tail is not None:
        drawn = _drawn(fake, p_fake, measures, resamples, clusters)
    return {name: around(value, drawn.get(name), tail or 0.0) for name, value in values.items()}


def compare(
    fake: Mask,
    first: Numbers,
    second: Numbers,
    measures: Mapping[str, Measure],
    resamples: int = RESAMPLES,
    clusters: Clusters | None = None,
) -> dict[str, Difference]:
    """Two models' measures on the same n faces; both see the same resamples (paired bootstrap).

    `clusters` as in `estimate`: where a class has a single one no difference has an interval.
    """
    drawn: list[dict[str, Numbers]] = []
    tail = tail_of(fewest(fake, clusters))
    if tail is not None:
        # same seed, same draws: what makes a resample hard for both models cancels out
        drawn = [_drawn(fake, p, measures, resamples, clusters) for p in (first, second)]
    compared = {}
    for name, measure in measures.items():
        one, other = (float(measure(count(fake, p))[0]) for p in (first, second))
        apart = drawn[1][name] - drawn[0][name] if drawn else None
        more = around(other - one, apart, tail or 0.0)
        compared[name] = Difference(number(one), number(other), more)
    return compared


def around(value: float, drawn: Numbers | None, tail: float = (1 - LEVEL) / 2) -> Estimate:
    """`value` and the interval without a `tail` of the resamples `drawn` (b,) at each end."""
    # a measure may be undefined in a resample, such as precision where nothing was called fake
    defined = drawn[np.isfinite(drawn)] if drawn is not None else np.empty(0)
    if not np.isfinite(value) or not len(defined):
        return Estimate(number(value))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def number(value: float) -> float | None:
    """The value, None for NaN: JSON has no NaN."""
    return value if np.isfinite(value) else None


def fewest(fake: Mask, clusters: Clusters | None = None) -> int:
    """How many clusters the class with the fewest has; 0 without any face."""
    numbers = np.arange(len(fake)) if clusters is None else clusters
    return min((len(np.unique(numbers[fake == kind])) for kind in np.unique(fake)), default=0)


def tail_of(clusters: int) -> float | None:
    """The part of resamples cut off at each end, None for fewer than two clusters.

    Resamples of n vary too little by (n - 1) / n, and a normal's tails are too short: the
    percentile interval is expanded as Student's t is (Hesterberg 2015, section 5.3).
    """
    if clusters < 2:
        return None
    from scipy.stats import norm, t

    # as many standard errors as t with n - 1 degrees of freedom asks for, stretched by the
    # missing variance; back as a tail of the normal, which the percentiles of resamples follow
    far = math.sqrt(clusters / (clusters - 1)) * t.ppf((1 + LEVEL) / 2, clusters - 1)
    return float(norm.sf(far))


def draws(
    fake: Mask, resamples: int, seed: int = 0, clusters: Clusters | None = None
) -> Iterator[Numbers]:
    """Weights of the n faces, in pieces of (b, n), `resamples` rows in all.

    A row that lacks a class, which clusters of both classes make possible, is left out.
    """
    chance = np.random.default_rng(seed)
    at_once = max(1, _CELLS // max(1, len(fake)))
    strata = _strata(fake, np.arange(len(fake)) if clusters is None else clusters)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        times = np.zeros((rows, len(fake)))
        for members, numbers in strata:
            # every row draws as many clusters as there are, with replacement. Adding size * row
            # to the numbers of a row lets one bincount tally all rows at once
            size = int(numbers.max()) + 1
            picked = chance.integers(0, size, (rows, size))
            picked += np.arange(rows)[:, np.newaxis] * size
            tally = np.bincount(picked.ravel(), minlength=rows * size)
            times[:, members] = tally.reshape(rows, size)[:, numbers]
        yield _to_size(times, fake)


def _strata(fake: Mask, clusters: Clusters) -> list[tuple[Clusters, Clusters]]:
    """Places of the faces that are drawn together, and the number from 0 of each one's cluster."""
    classes = [np.flatnonzero(fake), np.flatnonzero(~fake)]
    if np.intersect1d(clusters[fake], clusters[~fake]).size:
        classes = [np.arange(len(fake))]
    return [
        (members, np.unique(clusters[members], return_inverse=True)[1])
        for members in classes
        if len(members)
    ]


def _to_size(times: Numbers, fake: Mask) -> Numbers:
    """The rows, each class weighted so that it counts as often as it has faces.

    Clusters differ in size: a row that happened to draw large clusters of fakes would otherwise
    have more fakes, and precision and accuracy would vary with that share alone.
    """
    for kind in np.unique(fake):
        found = times[:, fake == kind].sum(1, keepdims=True)
        times = times[found[:, 0] > 0]
        times[:, fake == kind] *= (fake == kind).sum() / found[found[:, 0] > 0]
    return times


def _drawn(
    fake: Mask,
    p_fake: Numbers,
    measures: Mapping[str, Measure],
    resamples: int,
    clusters: Clusters | None,
) -> dict[str, Numbers]:
    # counting takes most of the time, so it is done once for all measures
    pieces: list[Counts] = [
        count(fake, p_fake, times) for times in draws(fake, resamples, clusters=clusters)
    ]
    return {
        name: np.concatenate([measure(piece) for piece in pieces])
        for name, measure in measures.items()
    }
