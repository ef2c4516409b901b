"""Judging a face again after small changes that no picture's origin depends on.

Honest pictures that a phone has denoised can look made to the networks. Weak noise takes that look
from them, and leaves most of a generated face's traces.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fakefacecli.base.options import Stability
from fakefacecli.base.protocols import Classifier
from fakefacecli.base.records import FaceView, Pixels
from fakefacecli.base.verdicts import Label, Reason, Verdict
from fakefacecli.scan.alterations import jpeg, noise, resize
from fakefacecli.scan.cut_there import on_host


@dataclass(frozen=True, slots=True)
class Probe:
    """A change of a window's pixels (n, n, 3) uint8, by its name."""

    name: str
    apply: Callable[[Pixels], Pixels]


# Of 174 denoised real faces the judge flags 9. Noise of sigma 6 leaves 2 of these, and 85 of 104
# flagged fakes; with sigma 10 and MARGIN 1 stays, and 96 fakes (tests/bench/stability.py)
PROBES = (
    Probe("noise, sigma 10", partial(noise, sigma=10)),
    Probe("JPEG, quality 85", partial(jpeg, quality=85)),
    Probe("resized by 0.8", partial(resize, factor=0.8)),
)
# how far a probe's p_fake must cross a threshold, over the distance of the two: fakes lose some of
# their look as well
MARGIN = 0.2
# of the others it is known already that nobody can judge them
JUDGED = (Reason.ABOVE_HIGH, Reason.BETWEEN_THRESHOLDS, Reason.BELOW_LOW)


class StableClassifier:
    """A `Classifier` that asks another one again about changed copies of a face.

    `stability` says of which faces: of the flagged ones, or of all that could be judged. A verdict
    that one of `probes` changes clearly, by MARGIN, is inconclusive with the reason `unstable`;
    p_fake stays that of the face as it is.
    """

    def __init__(
        self, judge: Classifier, stability: Stability, probes: Sequence[Probe] = PROBES
    ) -> None:
        self.judge = judge
        self.stability = stability
        self.probes = tuple(probes)

    def classify(self, crops: Sequence[FaceView]) -> list[Verdict]:
        """One verdict per crop, in order; those asked again have their `probed` p_fake."""
        verdicts = self.judge.classify(crops)
        places = [place for place, verdict in enumerate(verdicts) if self._covers(verdict)]
        changed = [
            replace(crop, pixels=probe.apply(crop.pixels))
            for crop in (on_host(crops[place]) for place in places)
            for probe in self.probes
        ]
        again = iter(self.judge.classify(changed))
        for place in places:
            answers = list(itertools.islice(again, len(self.probes)))
            verdicts[place] = settled(verdicts[place], answers)
        return verdicts

    def _covers(self, verdict: Verdict) -> bool:
        if verdict.reason not in JUDGED or self.stability is Stability.OFF:
            return False
        return self.stability is Stability.ALL or verdict.label is Label.FLAGGED


def settled(verdict: Verdict, again: Sequence[Verdict]) -> Verdict:
    """The verdict with what changed copies got."""
    scores = [verdict.fake_probability, *(other.fake_probability for other in again)]
    probed = (min(scores), max(scores))
    low, high = verdict.thresholds.low, verdict.thresholds.high
    margin = MARGIN * (high - low)
    flips = {
        Label.FLAGGED: probed[0] < high - margin,
        Label.NOT_FLAGGED: probed[1] >= low + margin,
        Label.INCONCLUSIVE: False,
    }
    if not flips[verdict.label]:
        return replace(verdict, probed=probed)
    return replace(verdict, label=Label.INCONCLUSIVE, reason=Reason.UNSTABLE, probed=probed)
