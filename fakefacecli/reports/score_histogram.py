"""The histogram of p_fake in the HTML report: bins, and the bars of its drawing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fakefacecli.base.verdicts import Label
from fakefacecli.reports.rows import Row

BINS = 20
WIDTH, HEIGHT = 1000, 180  # of the drawing, in its own units
# the sure verdicts at the bottom, where lengths are easy to compare
_STACK = (Label.NOT_FLAGGED, Label.INCONCLUSIVE, Label.FLAGGED)


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bin's bar, in units of the drawing; y counts down from the top."""

    label: Label
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many faces have a p_fake of each of BINS equal parts of 0..1, by verdict.

    `thresholds` are LOW and HIGH; empty where the rows do not agree on them.
    """

    counts: tuple[Counter[str], ...]
    thresholds: tuple[float, ...]

    @property
    def most(self) -> int:
        """The faces of the fullest bin."""
        return max(counts.total() for counts in self.counts)

    @property
    def faces(self) -> int:
        """All faces."""
        return sum(counts.total() for counts in self.counts)

    def bars(self) -> Iterator[Bar]:
        """The bars of all bins, stacked by verdict."""
        each = WIDTH / BINS
        for number, counts in enumerate(self.counts):
            top = float(HEIGHT)
            for label in _STACK:
                height = HEIGHT * counts[label] / max(1, self.most)
                if height:
                    top -= height
                    yield Bar(label, number * each + 2, top, each - 4, height)


def histogram_of(rows: Sequence[Row]) -> Histogram:
    """The histogram of the rows that have a face."""
    counts: tuple[Counter[str], ...] = tuple(Counter() for _ in range(BINS))
    thresholds = set()
    for row in rows:
        if row["p_fake"] is not None:
            counts[min(BINS - 1, int(row["p_fake"] * BINS))][row["verdict"]] += 1
            thresholds.add((row["threshold_low"], row["threshold_high"]))
    return Histogram(counts, thresholds.pop() if len(thresholds) == 1 else ())
