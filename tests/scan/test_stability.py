"""Faces judged again after small changes of their pixels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fakefacecli.base.options import Stability
from fakefacecli.base.records import FaceCrop, Window
from fakefacecli.base.verdicts import Label, Reason, Verdict
from fakefacecli.scan.alterations import noise
from fakefacecli.scan.stability import PROBES, Probe, StableClassifier
from tests import builders


def crop(grey: int, number: int = 1) -> FaceCrop:
    pixels = np.full((8, 8, 3), grey, np.uint8)
    return FaceCrop(builders.ref(), number, builders.face(), Window(0, 0, 8), pixels)


class GreyClassifier:
    """p_fake is the crop's mean grey level over 255; it counts how many faces it is asked about."""

    def __init__(self) -> None:
        self.asked = 0

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
        self.asked += len(crops)
        return [builders.verdict(float(item.pixels.mean()) / 255) for item in crops]


def darker(by: int) -> Probe:
    return Probe(f"{by} darker", lambda pixels: pixels - np.uint8(by))


def test_a_verdict_that_a_small_change_flips_is_inconclusive_and_keeps_its_score() -> None:
    judge = StableClassifier(GreyClassifier(), Stability.FLAGGED, [darker(2), darker(60)])
    [verdict] = judge.classify([crop(240)])
    assert (verdict.label, verdict.reason) == (Label.INCONCLUSIVE, Reason.UNSTABLE)
    assert verdict.fake_probability == pytest.approx(240 / 255)
    assert verdict.probed == pytest.approx((180 / 255, 240 / 255))


def test_a_score_that_falls_just_below_the_threshold_does_not_flip() -> None:
    # HIGH is 0.9, the margin 0.13
    [verdict] = StableClassifier(GreyClassifier(), Stability.FLAGGED, [darker(30)]).classify(
        [crop(240)]
    )
    assert (verdict.label, verdict.probed) == (Label.FLAGGED, pytest.approx((210 / 255, 240 / 255)))


def test_a_verdict_that_holds_stays_and_tells_its_range() -> None:
    judge = StableClassifier(GreyClassifier(), Stability.FLAGGED, [darker(2), darker(5)])
    [verdict] = judge.classify([crop(250)])
    assert (verdict.label, verdict.reason) == (Label.FLAGGED, Reason.ABOVE_HIGH)
    assert verdict.probed == pytest.approx((245 / 255, 250 / 255))


@pytest.mark.parametrize(
    ("stability", "asked"), [(Stability.OFF, 3), (Stability.FLAGGED, 4), (Stability.ALL, 6)]
)
def test_only_the_faces_that_are_meant_are_judged_again(stability: Stability, asked: int) -> None:
    inner = GreyClassifier()
    judge = StableClassifier(inner, stability, [darker(1)])
    verdicts = judge.classify([crop(30), crop(250, 2), crop(128, 3)])
    assert inner.asked == asked
    assert [verdict.probed is not None for verdict in verdicts] == [
        stability is Stability.ALL,
        stability is not Stability.OFF,
        stability is Stability.ALL,
    ]


def test_a_cleared_face_that_a_small_change_flags_is_inconclusive_when_all_are_probed() -> None:
    brighter = Probe("brighter", lambda pixels: pixels + np.uint8(220))
    judge = StableClassifier(GreyClassifier(), Stability.ALL, [brighter])
    [verdict] = judge.classify([crop(30)])
    assert (verdict.label, verdict.reason) == (Label.INCONCLUSIVE, Reason.UNSTABLE)


def test_a_face_that_cannot_be_judged_is_not_judged_again() -> None:
    class Unfit(GreyClassifier):
        def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
            return [
                replace(verdict, label=Label.INCONCLUSIVE, reason=Reason.FACE_TOO_SMALL)
                for verdict in super().classify(crops)
            ]

    inner = Unfit()
    [verdict] = StableClassifier(inner, Stability.ALL).classify([crop(250)])
    assert (inner.asked, verdict.reason, verdict.probed) == (1, Reason.FACE_TOO_SMALL, None)


def test_a_face_is_answered_alike_whatever_its_batch_mates() -> None:
    chance = np.random.default_rng(5)
    crops = [
        replace(crop(0, n), pixels=chance.integers(200, 256, (8, 8, 3), np.uint8))
        for n in range(1, 6)
    ]
    judge = StableClassifier(GreyClassifier(), Stability.ALL)
    together = judge.classify(crops)
    assert together == [judge.classify([one])[0] for one in crops]
    assert judge.classify([]) == []


def test_the_probes_change_pixels_a_little_and_always_alike() -> None:
    pixels = builders.image(size=(64, 64)).pixels // 2 + 64
    for probe in PROBES:
        once, twice = probe.apply(pixels), probe.apply(pixels)
        assert (once == twice).all()
        assert once.shape != pixels.shape or (once != pixels).any()
        assert abs(float(once.mean()) - float(pixels.mean())) < 2
    off = noise(np.full((64, 64, 3), 128, np.uint8), 6).astype(float) - 128
    assert off.std() == pytest.approx(6, rel=0.05)
