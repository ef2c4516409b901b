"""The progress bar tells a pace that can be believed, from the first image on."""

import contextlib
import io
import sys
from collections.abc import Iterator

import pytest

from fakefacecli.cli.bar import Pace, ScanBar
from tests.builders import report


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bar(clock: Clock) -> Iterator[ScanBar]:
    with contextlib.closing(ScanBar(1000, clock)) as made:
        yield made


def test_loading_the_model_is_no_part_of_the_pace(bar: ScanBar, clock: Clock) -> None:
    clock.now += 60
    bar.judging_begins()
    clock.now += 0.5
    bar.add(report(0.1))
    assert bar.words(clock.now) == "2.0 img/s, 08:17 left, flagged 0"


def test_bursts_of_a_batch_do_not_shake_the_pace() -> None:
    # 16 images come at once every 10 seconds: 1.6 a second
    pace, now = Pace(0.0), 0.0
    for _ in range(30):
        now += 10
        for _ in range(16):
            pace.add(now)
        assert 1.55 < pace.rate(now) < 1.9
    assert pace.rate(now + 9.9) > 1.3


def test_the_pace_follows_a_change() -> None:
    pace = Pace(0.0)
    for second in range(1, 601):
        pace.add(float(second))
    assert pace.rate(600.0) == pytest.approx(1.0, rel=0.02)
    for tenth in range(1, 1801):
        pace.add(600 + tenth / 10)
    assert pace.rate(780.0) == pytest.approx(10.0, rel=0.06)


def test_the_last_image_of_a_burst_is_drawn(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    with contextlib.closing(ScanBar(1000, clock)) as bar:
        clock.now += 10
        for number in range(16):
            bar.add(report(0.99 if number == 15 else 0.1))
        drawn = screen.getvalue().rpartition("| ")[2]
    assert drawn == "16/1000 [00:00, 1.7 img/s, 09:26 left, flagged 1]"


def test_slow_images_are_told_in_seconds_each(bar: ScanBar, clock: Clock) -> None:
    assert bar.words(clock.now) == "flagged 0"
    bar.judging_begins()
    clock.now += 4
    bar.add(report(0.1))
    assert bar.words(clock.now).startswith("3.9 s/img, 1:0")


def test_a_line_that_is_said_meanwhile_stands_alone(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    with contextlib.closing(ScanBar(3, clock)) as drawn:
        drawn.aside(lambda: print("a note", file=sys.stderr))
    before, _, after = shown.getvalue().partition("a note\n")
    # blanks over what was there, and back to where the line begins
    assert before.endswith("\r")
    assert not before.split("\r")[-2].strip()
    assert "0/3" in after


def test_the_machines_of_a_cluster_have_a_pace_each(bar: ScanBar, clock: Clock) -> None:
    bar.judging_begins()
    clock.now += 10
    bar.add(report(0.1))
    bar.nodes({"one": 20, "two": 5})
    assert bar.words(clock.now).endswith("flagged 0, one 2.0, two 0.5")
    bar.nodes({str(number): 1 for number in range(4)})
    assert bar.words(clock.now).endswith("flagged 0, 4 machines")
