"""Fitting a judge: the weights of its members' logits, and how sure that makes it of new groups.

Logistic regression of the label on the members' logits. Fitted freely, the weights trust most what
knows the sources of the fit best, and do worse on others; so they are drawn towards each other by
a ridge on their distance from their mean. How strongly is decided by cross-validation over groups.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import UsageError
from fakefacecli.base.text import counted
from fakefacecli.evaluate.bootstrap import Clusters, fewest
from fakefacecli.evaluate.fit import platt_targets, sigmoid
from fakefacecli.figures.metrics import Mask, Numbers

# of the squared distances from the mean weight, against a loss in nats a face; math.inf: all equal
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, math.inf)
FOLDS = 5

Fold = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights (m,) of the members' logits, none below 0, and what is added to their sum."""

    weights: Numbers
    bias: float

    def fused(self, logits: Numbers) -> Numbers:
        """The judge's logits (n,) from its members' (n, m)."""
        return np.asarray(logits @ self.weights + self.bias, np.float64)

    def scaled_as(self, other: "Fusion") -> "Fusion":
        """The same proportions of the weights, with the sum of the `other`'s and its bias."""
        total = self.weights.sum()
        return Fusion(self.weights * (other.weights.sum() / total if total else 0.0), other.bias)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fusion of all faces; `strength` drew its weights together, as `folds` folds decided.

    `apart` (n,) are the fused logits of each face by proportions of the weights that other folds
    gave; `losses` are those of STRENGTHS, in nats a face, classes counting alike.
    """

    fusion: Fusion
    strength: float
    folds: int
    losses: tuple[float, ...]
    apart: Numbers


def fit_fusion(fake: Mask, logits: Numbers, clusters: Clusters) -> Fitted:
    """Fit the weights of n faces, `fake` (n,) and `logits` (n, m); `clusters` (n,) stay together.

    Of all strengths the largest is taken whose loss exceeds the least by no more than one standard
    error of that difference over the folds (as Breiman et al. 1984, section 3.4.3, but paired):
    what the groups cannot tell apart is left to the ridge. The same faces give the same fit. Raises
    UsageError where a class has one cluster.
    """
    folds = _folds(fake, clusters)
    tried = [[_without(fold, fake, logits, strength) for fold in folds] for strength in STRENGTHS]
    by_fold = np.array(
        [
            [_loss(fake[f], one.fused(logits[f])) for f, one in zip(folds, fusions, strict=True)]
            for fusions in tried
        ]
    )
    sizes = np.array([len(fold) for fold in folds])
    losses = np.average(by_fold, axis=1, weights=sizes)
    best = int(losses.argmin())
    more = by_fold - by_fold[best]  # on the same folds: some are harder for any weights
    errors = more.std(axis=1, ddof=1) / math.sqrt(len(folds))
    chosen = int(np.flatnonzero(losses - losses[best] <= errors).max())
    fusion = fuse(fake, logits, STRENGTHS[chosen])
    apart = np.zeros(len(fake))
    for fold, one in zip(folds, tried[chosen], strict=True):
        # a calibration fits scale and shift anew; those of each fold would only blur the ranking
        apart[fold] = one.scaled_as(fusion).fused(logits[fold])
    return Fitted(fusion, STRENGTHS[chosen], len(folds), tuple(losses.tolist()), apart)


def fuse(fake: Mask, logits: Numbers, strength: float) -> Fusion:
    """The most likely fusion under a ridge of `strength`; both classes count alike.

    No weight is negative: no member is taken to mean the contrary of what it says.
    """
    from scipy.optimize import minimize

    members = logits.shape[1]
    if math.isinf(strength):
        alike = fuse(fake, logits.mean(1, keepdims=True), 0.0)
        return Fusion(np.repeat(alike.weights / members, members), alike.bias)
    target = platt_targets(fake)
    counts = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum())
    inputs = np.column_stack([logits, np.ones(len(fake))])

    def cost(at: Numbers) -> tuple[float, Numbers]:
        z = inputs @ at
        off = at[:-1] - at[:-1].mean()
        loss = counts @ (np.logaddexp(0, z) - target * z) + strength * off @ off
        slope = inputs.T @ (counts * (sigmoid(z) - target))
        # the mean's own share cancels out, as distances from a mean sum to 0
        slope[:-1] += 2 * strength * off
        return float(loss), slope

    start = np.append(np.full(members, 1 / members), 0.0)
    bounds = [(0, None)] * members + [(None, None)]
    exact = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 10_000}
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options=exact)
    return Fusion(np.asarray(found.x[:-1], np.float64), float(found.x[-1]))


def _folds(fake: Mask, clusters: Clusters) -> list[Fold]:
    """Places of the faces of each fold; every cluster is in one, every fold has both classes."""
    from sklearn.model_selection import StratifiedGroupKFold

    for count in range(min(FOLDS, fewest(fake, clusters)), 1, -1):
        cutter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
        folds = [fold for _, fold in cutter.split(fake, fake, clusters)]
        # with few and large clusters a fold may get a single class
        if all(0 < fake[fold].sum() < len(fold) for fold in folds):
            return folds
    real, fakes = (len(np.unique(clusters[members])) for members in (~fake, fake))
    raise UsageError(
        f"{counted(real, 'group')} of real and {fakes} of fake faces found, which cannot be "
        "divided for cross-validation; wanted two of each class at least, better twenty: add groups"
    )


def _without(fold: Fold, fake: Mask, logits: Numbers, strength: float) -> Fusion:
    """The fusion of all faces but those of `fold`."""
    others = np.ones(len(fake), bool)
    others[fold] = False
    return fuse(fake[others], logits[others], strength)


def _loss(fake: Mask, z: Numbers) -> float:
    """Negative log-likelihood a face in nats, the mean of both classes'."""
    each = np.logaddexp(0, np.where(fake, -z, z))
    return float((each[fake].mean() + each[~fake].mean()) / 2)
