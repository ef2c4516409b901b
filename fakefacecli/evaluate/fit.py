"""Fitting a calibration: from a network's logits (n,) to probabilities that can be believed.

Each method needs faces of both kinds that the network was not trained on.
"""

import math

import numpy as np

from fakefacecli.base.errors import UsageError
from fakefacecli.figures.metrics import Mask, Numbers
from fakefacecli.models.calibration import Calibration, Method

_STEEPEST = 1e3  # of a slope: a face at logit 0.02 would be certain


def fit(method: Method, fake: Mask, logits: Numbers, fitted_on: str = "") -> Calibration:
    """The calibration of n faces, `fake` (n,) bool and `logits` (n,).

    The share of fakes among them is kept as its prior: platt and isotonic learn it too.
    Raises UsageError when a class is missing, or when no rising curve fits the scores.
    """
    reals, fakes = int((~fake).sum()), int(fake.sum())
    if not reals or not fakes:
        raise UsageError(f"{reals} real and {fakes} fake faces found, wanted both to calibrate")
    if method == Method.ISOTONIC:
        knots = fit_isotonic(fake, logits)
        return Calibration(method, fitted_on=fitted_on, knots=knots, prior=fakes / len(fake))
    platt = method == Method.PLATT
    a, b = fit_platt(fake, logits) if platt else (fit_temperature(fake, logits), 0.0)
    if not 0 < a < _STEEPEST:
        wanted = f"wanted a slope above 0 and below {_STEEPEST:.0f}"
        raise UsageError(f"{method} slope {a:.3g} found, {wanted}: {_advice(fake, logits, platt)}")
    # a temperature only stretches the logits, so it cannot learn how many fakes there are
    prior = fakes / len(fake) if platt else None
    return Calibration(method, a, b, fitted_on, prior=prior)


def _advice(fake: Mask, logits: Numbers, platt: bool) -> str:
    """Why no calibration fits these scores, and what to do about it."""
    from sklearn.metrics import roc_auc_score

    auc = float(roc_auc_score(fake, logits))
    found = f"the model's AUC on these faces is {auc:.3f}"
    if auc < 0.45:
        return f"{found}, so its scores are upside down; check which label is which in the data"
    if auc < 0.55:
        return f"{found}, no better than chance; no calibration helps, train the model first"
    if platt:
        return (
            f"{found}, but a few far scores decide the curve; look at these faces, or take isotonic"
        )
    return f"{found}, which a temperature cannot express; take platt"


def at_even_odds(p_fake: Numbers, prior: float | None) -> Numbers:
    """What p_fake (n,) of a calibration fitted at `prior` would be where half of all are fakes.

    By Bayes' rule; unchanged where the prior is not known (None). A likelihood ratio is the
    posterior odds over the prior odds: at even odds the two are equal, so that Cllr does not
    depend on how many fakes the faces for the calibration happened to hold.
    """
    if prior is None:
        return p_fake
    fake, real = p_fake * (1 - prior), (1 - p_fake) * prior
    return fake / (fake + real)


def probabilities(calibration: Calibration, logits: Numbers) -> Numbers:
    """The p_fake (n,) of `logits` (n,)."""
    return np.array([calibration.probability(logit) for logit in logits.tolist()], np.float64)


def platt_targets(fake: Mask) -> Numbers:
    """What each face's probability is to be (n,): Platt's, instead of 1 for fakes and 0 for reals.

    (n + 1) / (n + 2) of n fakes and 1 / (n + 2) of n reals keep a fit finite even if a threshold
    separates the classes.
    """
    reals, fakes = int((~fake).sum()), int(fake.sum())
    return np.where(fake, (fakes + 1) / (fakes + 2), 1 / (reals + 2)).astype(np.float64)


def fit_platt(fake: Mask, logits: Numbers) -> tuple[float, float]:
    """Slope and shift of sigmoid(a * logit + b), the most likely ones (Platt 1999).

    Newton's method with halved steps (Lin, Lin and Weng 2007).
    """
    reals, fakes, target = (~fake).sum(), fake.sum(), platt_targets(fake)
    inputs = np.stack([logits, np.ones_like(logits)], axis=1)
    # Platt's own start: the same probability for all faces, the share of fakes
    at = np.array([0.0, np.log((fakes + 1) / (reals + 1))])
    for _ in range(100):
        p = sigmoid(inputs @ at)
        slope = inputs.T @ (p - target)
        # the small diagonal keeps it invertible where all logits are equal
        bend = (inputs * (p * (1 - p))[:, np.newaxis]).T @ inputs + 1e-12 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        if np.abs(slope).max() < 1e-9 * len(logits):
            break
        # a full step may overshoot where the curve is flat: halve it until the loss falls
        now, part = _loss(target, inputs @ at), 1.0
        while part > 1e-10 and _loss(target, inputs @ (at - part * step)) > now:
            part /= 2
        at = at - part * step
    return float(at[0]), float(at[1])


def fit_temperature(fake: Mask, logits: Numbers) -> float:
    """1 / temperature, the slope of sigmoid(a * logit) that is most likely (Guo et al. 2017).

    Infinite where 0 separates the classes.
    """
    from scipy.optimize import minimize_scalar

    # every face on its side of 0: the steeper, the likelier. How far a minimiser gets then depends
    # on how the processor treats the smallest numbers
    if (np.where(fake, logits, -logits) >= 0).all():
        return math.inf
    # over log(a): a stays above 0, and halving is as near as doubling. The bounds reach beyond
    # _STEEPEST, so that `fit` sees such a slope and refuses it
    found = minimize_scalar(
        lambda log_a: _loss(fake.astype(np.float64), np.exp(log_a) * logits),
        bounds=(-np.log(_STEEPEST), np.log(_STEEPEST) + 1),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(np.exp(found.x))


def fit_isotonic(fake: Mask, logits: Numbers) -> tuple[tuple[float, float], ...]:
    """Knots (logit, probability) of the best rising curve (Zadrozny and Elkan 2002).

    The curve's ends are limited to Platt's targets: a few faces beyond all faces of the other class
    make no certainty.
    """
    from sklearn.isotonic import IsotonicRegression

    targets = platt_targets(fake)
    curve = IsotonicRegression(out_of_bounds="clip").fit(logits, fake.astype(np.float64))
    heights = np.clip(curve.y_thresholds_, targets.min(), targets.max())
    knots: list[tuple[float, float]] = []
    # two knots at one logit would be a step, on which p_fake has two values: the lower one stays
    for x, p in zip(curve.X_thresholds_.tolist(), heights.tolist(), strict=True):
        if not knots or x > knots[-1][0]:
            knots.append((x, p))
    return tuple(knots)


def sigmoid(z: Numbers) -> Numbers:
    """The logistic function of `z` (n,)."""
    return np.exp(-np.logaddexp(0.0, -z))  # 1 / (1 + exp(-z)) would overflow


def _loss(target: Numbers, z: Numbers) -> float:
    """The negative log-likelihood of `target` under sigmoid(z), summed."""
    return float((np.logaddexp(0.0, z) - target * z).sum())
