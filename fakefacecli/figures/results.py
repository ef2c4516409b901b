"""What was found out about a model, as records; tables and plots are drawn from them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; each None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def note(self) -> str:
        """Why an interval has no width; "" where it has one, or where there is none."""
        # such as an AUC of 1: no draw of these faces has an overlap of the classes
        same = self.low is not None and self.low == self.high
        return "every resample gave the same" if same else ""


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


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """How many faces of one label got each verdict, and the share of each among them."""

    faces: int
    flagged: int
    inconclusive: int
    not_flagged: int
    flagged_share: Estimate
    inconclusive_share: Estimate
    not_flagged_share: Estimate


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts by label, and what a flag is worth.

    `precision_at_prevalence` maps the share of fakes among all faces, as text ("0.01"), to the
    share of fakes among the flagged ones.
    """

    real: VerdictCounts
    fake: VerdictCounts
    precision_at_prevalence: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """The faces that have `name` in one dimension, such as a generator or a size class.

    With `auc_against_all_others` the slice lacks real (or fake) faces: its AUC is against all.
    """

    name: str
    real: int
    fake: int
    real_flagged: Estimate
    fake_flagged: Estimate
    inconclusive: int
    accuracy: Estimate
    auc: Estimate
    auc_against_all_others: bool


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """Measures, by their names, of faces degraded by `family` at `strength` (the family's unit).

    `strength` is None for the faces as they are. The `at_high` are the shares of faces whose p_fake
    reaches HIGH. The last three are shares of the real faces by the verdict of a scan: flagged,
    between the thresholds, and inconclusive for whatever reason.
    """

    family: str
    strength: float | None
    measures: dict[str, Estimate]
    real_at_high: Estimate
    fake_at_high: Estimate
    real_flagged: Estimate
    real_between: Estimate
    real_inconclusive: Estimate

    @property
    def name(self) -> str:
        """What was done to the faces."""
        return self.family if self.strength is None else f"{self.family} {self.strength:g}"
