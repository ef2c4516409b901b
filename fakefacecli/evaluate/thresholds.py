"""Choosing LOW and HIGH, and how sure a rate of a few faces is."""

import math
from dataclasses import dataclass

import numpy as np

from fakefacecli.base.errors import UsageError
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.evaluate.bootstrap import LEVEL
from fakefacecli.figures.metrics import Mask, Numbers
from fakefacecli.figures.results import Estimate

MISSED = 0.05  # of the fakes may lie below LOW
BAND = 0.5  # LOW is at most this part of HIGH: faces between them are inconclusive
_SLACK = 1e-9  # of a face: in floating point 0.29 * 100 is a little less than 29


@dataclass(frozen=True, slots=True)
class Choice:
    """Thresholds, and the shares of the faces they were chosen on, with exact intervals."""

    thresholds: Thresholds
    target_fpr: float
    flagged_real: Estimate
    flagged_fake: Estimate
    cleared_fake: Estimate


def choose(fake: Mask, p_fake: Numbers, target_fpr: float) -> Choice:
    """HIGH and LOW for n faces, `fake` (n,) and calibrated `p_fake` (n,).

    HIGH is the k-th highest p_fake of the real faces, k the most that `target_fpr` allows: a new
    real face then reaches it with a chance of k / (n + 1) for n real faces, which is below the
    target (a number just above the next real face would be reached by (k + 1) / (n + 1), almost
    twice the target for k = 1). Where more than k tie there, HIGH lies just above them. LOW is the
    largest number that at most MISSED of the fakes lie below, but never above BAND times HIGH, so
    that a band is left. Raises UsageError for fewer real faces than 1 / target_fpr, or when even
    p_fake 1 is reached by too many real faces.
    """
    real, fakes = np.sort(p_fake[~fake])[::-1], np.sort(p_fake[fake])
    # by rank: an interpolated quantile lies between two faces, and flags more than it promises
    allowed = math.floor(len(real) * target_fpr + _SLACK)
    if allowed < 1 or not len(fakes):
        needed = math.ceil(1 / target_fpr - _SLACK)
        raise UsageError(
            f"{len(real)} real and {len(fakes)} fake faces found; an FPR of {target_fpr:g} takes "
            f"at least {needed} real faces and a fake one: add faces, or raise --target-fpr"
        )
    high = float(real[allowed - 1])
    # equal scores cannot be told apart: either all of them are flagged or none
    if (real >= high).sum() > allowed:
        if high >= 1:
            raise UsageError(
                f"more than {target_fpr:g} of the real faces have p_fake 1, so no threshold keeps "
                "to that; raise --target-fpr or calibrate with platt"
            )
        high = float(np.nextafter(high, 1.0))
    # sorted, so `passed` fakes lie below the one at this place (fewer where some tie with it)
    passed = math.floor(len(fakes) * MISSED + _SLACK)
    thresholds = Thresholds(min(float(fakes[passed]), BAND * high), high)
    return Choice(
        thresholds,
        target_fpr,
        flagged_real=share(int((real >= high).sum()), len(real)),
        flagged_fake=share(int((fakes >= high).sum()), len(fakes)),
        cleared_fake=share(int((fakes < thresholds.low).sum()), len(fakes)),
    )


def share(part: int, whole: int) -> Estimate:
    """part / whole with its 95 % interval after Clopper and Pearson 1934, None for 0 of 0.

    Unlike a bootstrap it has a width for 0 of 20: up to 17 %.
    """
    from scipy.stats import binomtest

    if not whole:
        return Estimate(None)
    interval = binomtest(part, whole).proportion_ci(LEVEL, method="exact")
    return Estimate(part / whole, float(interval.low), float(interval.high))
