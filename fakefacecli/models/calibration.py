"""From a network's logit to a probability: the ways a card may name."""

import bisect
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Method(StrEnum):
    """The ways to fit a calibration."""

    PLATT = "platt"
    TEMPERATURE = "temperature"
    ISOTONIC = "isotonic"


NONE = "none"  # of a model that was never calibrated
_NAMES = (NONE, *Method)
_MAX_KNOTS = 10_000  # a card may come from a stranger


@dataclass(frozen=True, slots=True)
class Calibration:
    """How p_fake follows from a logit.

    `none`: sigmoid(logit), a score that was never calibrated. `platt` (Platt 1999):
    sigmoid(a * logit + b). `temperature` (Guo et al. 2017): the same with b = 0; a is
    1 / temperature. `isotonic` (Zadrozny and Elkan 2002): `knots` of (logit, probability), straight
    lines between them and level outside.

    `prior` is the share of fakes it was fitted at, which p_fake assumes; None where it is not
    known, or where p_fake assumes none (a temperature shifts nothing).
    """

    method: str
    a: float = 1.0
    b: float = 0.0
    fitted_on: str = ""
    knots: tuple[tuple[float, float], ...] = ()
    prior: float | None = None

    def __post_init__(self) -> None:
        if self.method not in _NAMES:
            raise ValueError(f"calibration {self.method!r} found, wanted {', '.join(_NAMES)}")
        if not (math.isfinite(self.a) and math.isfinite(self.b) and self.a > 0):
            raise ValueError(f"calibration slope {self.a} found, wanted more than 0")
        if self.method == NONE and (self.a, self.b) != (1, 0):
            raise ValueError("calibration 'none' with a slope or a shift")
        # a card must not say one thing in words and another in numbers
        if self.method == Method.TEMPERATURE and self.b != 0:
            raise ValueError(f"calibration 'temperature' with the shift {self.b}, wanted 0")
        if (self.method == Method.ISOTONIC) != bool(self.knots):
            raise ValueError(f"calibration {self.method!r} with {len(self.knots)} knots")
        if self.prior is not None and not 0 < self.prior < 1:
            raise ValueError(f"calibration prior {self.prior} found, wanted a share in 0..1")
        _check_knots(self.knots)

    @property
    def calibrated(self) -> bool:
        """Whether p_fake may be read as a probability."""
        return self.method != NONE

    @property
    def state(self) -> str:
        """The word reports use: "calibrated" or "uncalibrated"."""
        return "calibrated" if self.calibrated else "uncalibrated"

    def probability(self, logit: float) -> float:
        """The probability in [0, 1] of a raw score."""
        if self.knots:
            return _between(self.knots, logit)
        z = self.a * logit + self.b
        # either branch keeps exp() from overflowing
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))

    def facts(self) -> dict[str, Any]:
        """What a card's JSON holds of it; `read_calibration` reads it."""
        numbers: dict[str, Any] = {"a": self.a, "b": self.b}
        if self.method == Method.ISOTONIC:
            numbers = {"knots": [list(knot) for knot in self.knots]}
        return {
            "method": self.method,
            **(numbers if self.calibrated else {}),
            "fitted_on": self.fitted_on,
            **({} if self.prior is None else {"prior": self.prior}),
        }

    def words(self) -> str:
        """The formula, for people."""
        if self.method == NONE:
            return "uncalibrated: sigmoid(logit), a score and not a probability"
        if self.method == Method.ISOTONIC:
            return f"isotonic, {len(self.knots)} knots"
        if self.method == Method.TEMPERATURE:
            return f"temperature, sigmoid({self.a} * logit)"
        return f"platt, sigmoid({self.a} * logit + {self.b})"


def read_calibration(raw: Mapping[str, Any]) -> Calibration:
    """A card's calibration; KeyError, TypeError or ValueError for what is not one."""
    method, fitted_on = str(raw["method"]), str(raw.get("fitted_on", ""))
    prior = None if raw.get("prior") is None else finite(raw["prior"])
    if method == Method.ISOTONIC:
        knots = tuple((finite(x), finite(p)) for x, p in raw["knots"])
        return Calibration(method, fitted_on=fitted_on, knots=knots, prior=prior)
    if method in (Method.PLATT, Method.TEMPERATURE):
        shift = finite(raw["b"] if method == Method.PLATT else raw.get("b", 0))
        return Calibration(method, finite(raw["a"]), shift, fitted_on, prior=prior)
    return Calibration(method, fitted_on=fitted_on)


def finite(value: Any) -> float:
    """`value` as a number; TypeError or ValueError when it is none, infinite or NaN."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} found, wanted a finite number")
    return number


def _between(knots: tuple[tuple[float, float], ...], logit: float) -> float:
    place = bisect.bisect_right(knots, logit, key=lambda knot: knot[0])
    if place in (0, len(knots)):
        return knots[min(place, len(knots) - 1)][1]
    # between two neighbours, as isotonic regression draws its line; a step would jump at a knot
    (left, low), (right, high) = knots[place - 1 : place + 1]
    return low + (high - low) * (logit - left) / (right - left)


def _check_knots(knots: tuple[tuple[float, float], ...]) -> None:
    if len(knots) > _MAX_KNOTS:
        raise ValueError(f"{len(knots)} knots found, wanted {_MAX_KNOTS} at most")
    if not all(math.isfinite(x) and 0 <= p <= 1 for x, p in knots):
        raise ValueError("knots found outside 0..1, wanted (logit, probability)")
    for (x, p), (x_next, p_next) in itertools.pairwise(knots):
        if not (x < x_next and p <= p_next):
            raise ValueError(f"knots fall or repeat at the logit {x_next}, wanted rising ones")
