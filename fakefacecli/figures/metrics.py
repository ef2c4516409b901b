"""How well probabilities tell fake faces from real ones: one function for each measure.

Every measure works on `Counts`, which hold many resamples of the same faces side by side, so that
a bootstrap costs little more than the measure itself. A measure's answer is (b,), one number
for each resample, NaN where it is not defined (a class is missing, nothing was called fake, too few
faces).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ECE_BINS = 15  # as in Guo et al. 2017
_SLACK = 1e-9  # of a rate: 1/100 of 100 faces is 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How often each of k distinct probabilities was given, in b resamples.

    `p_fake` (k,) in [0, 1], highest first; `real` and `fake` (b, k), numbers of faces.
    """

    p_fake: Numbers
    real: Numbers
    fake: Numbers

    @property
    def reals(self) -> Numbers:
        """Real faces in each resample, (b,)."""
        return np.asarray(self.real.sum(1), np.float64)

    @property
    def fakes(self) -> Numbers:
        """Fake faces in each resample, (b,)."""
        return np.asarray(self.fake.sum(1), np.float64)


Measure = Callable[[Counts], Numbers]


def count(fake: Mask, p_fake: Numbers, times: Numbers | None = None) -> Counts:
    """Count n faces: `fake` (n,), `p_fake` (n,) in [0, 1], `times` (b, n) each face is taken.

    Without `times` every face is taken once, b = 1. Raises ValueError for shapes that differ and
    for probabilities that are none.
    """
    if fake.shape != p_fake.shape or fake.ndim != 1:
        raise ValueError(f"{fake.shape} labels and {p_fake.shape} probabilities found, wanted (n,)")
    if not ((p_fake >= 0) & (p_fake <= 1)).all():  # NaN fails too
        raise ValueError("a probability outside 0..1 found")
    # equal probabilities share a column: nothing says which of these faces comes first
    order = np.argsort(-p_fake, kind="stable")
    ranked = p_fake[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=2.0))  # 2 is no p_fake: a column begins at 0
    taken = np.ones((1, len(ranked))) if times is None else times[:, order].astype(np.float64)
    is_fake = fake[order]
    real = np.add.reduceat(taken * ~is_fake, starts, axis=1)
    return Counts(ranked[starts], real, np.add.reduceat(taken * is_fake, starts, axis=1))


def roc(counts: Counts) -> tuple[Numbers, Numbers]:
    """False and true positive rates (b, k + 1) as the threshold falls from above 1."""
    return _rates(counts.real), _rates(counts.fake)


def accuracy(counts: Counts) -> Numbers:
    """The share of faces on the right side of p_fake 0.5."""
    tp, fp = _above(counts)
    return _ratio(tp + counts.reals - fp, counts.reals + counts.fakes)


def precision(counts: Counts) -> Numbers:
    """The share of fakes among the faces at p_fake 0.5 and above."""
    tp, fp = _above(counts)
    return _of_both(counts, _ratio(tp, tp + fp))


def recall(counts: Counts) -> Numbers:
    """The share of the fakes that lies at p_fake 0.5 or above."""
    return _ratio(_above(counts)[0], counts.fakes)


def f1(counts: Counts) -> Numbers:
    """The harmonic mean of precision and recall at p_fake 0.5."""
    tp, fp = _above(counts)
    return _of_both(counts, _ratio(2 * tp, tp + fp + counts.fakes))


def auc(counts: Counts) -> Numbers:
    """The area under the ROC curve; a tie of a real and a fake face counts half (Hanley 1982)."""
    fpr, tpr = roc(counts)
    area = (np.diff(fpr) * (tpr[:, 1:] + tpr[:, :-1]) / 2).sum(1)
    return _of_both(counts, np.minimum(area, 1.0))  # rounding may pass 1


def average_precision(counts: Counts) -> Numbers:
    """The sum of precision times the recall gained, threshold by threshold; not interpolated."""
    tp, fp = counts.fake.cumsum(1), counts.real.cumsum(1)
    held = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    return _of_both(counts, _ratio((held * counts.fake).sum(1), counts.fakes))


def equal_error_rate(counts: Counts) -> Numbers:
    """Where the ROC curve, drawn with straight lines, has as many misses as false alarms."""
    fpr, tpr = roc(counts)
    gap = fpr + tpr - 1  # rises from -1 to 1
    if gap.shape[1] < 2:
        return gap[:, 0]  # no face at all: NaN
    # the first point with no more misses than false alarms; the curve crosses on the way to it
    at = np.maximum(np.argmax(gap >= 0, axis=1), 1)[:, np.newaxis]
    (before, after), (x, y) = _pair(gap, at), _pair(fpr, at)
    part = _ratio(-before, after - before)
    return _of_both(counts, x + part * (y - x))


def tpr_at_fpr(target: float) -> Measure:
    """A measure: the most fakes found by any threshold that flags at most `target` of the reals.

    Not defined for fewer than 1 / target real faces: they cannot show so small a rate.
    """

    def found(counts: Counts) -> Numbers:
        fpr, tpr = roc(counts)
        # not interpolated: between two points there is no threshold that anybody could set
        best = np.where(fpr <= target + _SLACK, tpr, 0.0).max(1)
        return _of_both(counts, np.where(counts.reals * target + _SLACK >= 1, best, np.nan))

    return found


def brier(counts: Counts) -> Numbers:
    """The mean squared distance of p_fake from 1 for a fake, 0 for a real face (Brier 1950)."""
    p = counts.p_fake
    lost = counts.fake @ (1 - p) ** 2 + counts.real @ p**2
    return _ratio(lost, counts.reals + counts.fakes)


def calibration_error(counts: Counts) -> Numbers:
    """ECE (Naeini et al. 2015): ECE_BINS bins of equal width, weighted by their faces."""
    # p_fake 1 belongs to the last bin
    where = np.minimum((counts.p_fake * ECE_BINS).astype(int), ECE_BINS - 1)
    into = (where[:, np.newaxis] == np.arange(ECE_BINS)).astype(np.float64)
    expected = (counts.real + counts.fake) * counts.p_fake
    off = np.abs((counts.fake - expected) @ into).sum(1)
    return _ratio(off, counts.reals + counts.fakes)


def cllr(counts: Counts) -> Numbers:
    """Cost of the log-likelihood ratio in bits (Bruemmer and du Preez 2006); 1 says nothing.

    p_fake is read as the posterior of even odds (`evaluate.fit.at_even_odds`). 0 and 1 are taken as
    1e-12 from there.
    """
    p = np.clip(counts.p_fake, 1e-12, 1 - 1e-12)
    real = _ratio(counts.real @ -np.log2(1 - p), counts.reals)
    return (real + _ratio(counts.fake @ -np.log2(p), counts.fakes)) / 2


MEASURES: dict[str, Measure] = {
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "auc": auc,
    "ap": average_precision,
    "eer": equal_error_rate,
    "tpr_at_fpr_0.01": tpr_at_fpr(0.01),
    "tpr_at_fpr_0.005": tpr_at_fpr(0.005),
    "brier": brier,
    "ece": calibration_error,
    "cllr": cllr,
}


def _above(counts: Counts) -> tuple[Numbers, Numbers]:
    """Fakes and reals at p_fake 0.5 and above, each (b,)."""
    called = counts.p_fake >= 0.5
    return counts.fake[:, called].sum(1), counts.real[:, called].sum(1)


def _rates(of: Numbers) -> Numbers:
    so_far = np.pad(of.cumsum(1), ((0, 0), (1, 0)))
    return _ratio(so_far, of.sum(1, keepdims=True))


def _pair(values: Numbers, at: npt.NDArray[np.intp]) -> tuple[Numbers, Numbers]:
    """The values before and at the column `at` (b, 1), each (b,)."""
    before, after = np.take_along_axis(values, at - 1, 1), np.take_along_axis(values, at, 1)
    return before[:, 0], after[:, 0]


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    shape = np.broadcast_shapes(part.shape, whole.shape)
    ratio: Numbers = np.divide(part, whole, out=np.full(shape, np.nan), where=whole > 0)
    return ratio


def _of_both(counts: Counts, values: Numbers) -> Numbers:
    return np.where((counts.reals > 0) & (counts.fakes > 0), values, np.nan)
