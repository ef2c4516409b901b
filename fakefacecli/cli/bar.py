"""The progress bar of a scan: how many images, how fast, how much longer."""

import math
import sys
import time
from collections.abc import Callable

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Label

_MEMORY_S = 60.0  # images that were finished this long ago count 1/e as much as new ones
_MOST_NODES = 3  # that have room in a line
_DRAWING = 0.02  # the part of the time that drawing may take


class Pace:
    """Images a second, as an exponential average over time; `now` are seconds of one clock.

    Images come in bursts, a batch at a time. An average over the gaps between images, as tqdm has
    it, takes the last gap of a burst for the pace; this one divides images by the time they took,
    both fading alike.
    """

    def __init__(self, now: float):
        self._began = self._last = now
        self._images = 0.0

    def begin(self, now: float) -> None:
        """Leave out what was before, such as loading the model."""
        self._began = self._last = now
        self._images = 0.0

    def add(self, now: float) -> None:
        """Count one finished image."""
        self._images = self._faded(now) + 1
        self._last = now

    def rate(self, now: float) -> float:
        """Images a second; 0 before the first."""
        passed = _MEMORY_S * -math.expm1((self._began - now) / _MEMORY_S)
        return self._faded(now) / passed if passed > 0 else 0.0

    def _faded(self, now: float) -> float:
        return self._images * math.exp((self._last - now) / _MEMORY_S)


class ScanBar:
    """A bar on stderr over `total` images, None where nobody knows; `clock` gives seconds."""

    def __init__(self, total: int | None, clock: Callable[[], float] = time.monotonic):
        from tqdm import tqdm

        self._clock = clock
        self._total = total
        self._began = self._judging_since = clock()
        self._spent = 0.0
        self._flagged = 0
        self._nodes: dict[str, int] = {}
        self._pace = Pace(self._began)
        self._bar = tqdm(
            total=total,
            file=sys.stderr,
            dynamic_ncols=True,
            leave=False,
            # it draws when it is told to; its own rate and ETA are left out
            mininterval=math.inf,
            bar_format="{n_fmt} images [{elapsed}{postfix}]"
            if total is None
            else "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
        )

    def judging_begins(self) -> None:
        """The model is loaded: from here on the pace is measured."""
        self._judging_since = self._clock()
        self._pace.begin(self._judging_since)

    def add(self, report: ImageReport) -> None:
        """One more image is finished."""
        now = self._clock()
        self._pace.add(now)
        self._bar.n += 1
        self._flagged += report.label is Label.FLAGGED
        # the last image of a burst must be drawn, and nobody knows which it is: so all are, unless
        # they come so fast that drawing would slow the scan
        if self._spent <= _DRAWING * (now - self._began) or self._bar.n == self._total:
            self._draw(now)

    def nodes(self, judged: dict[str, int]) -> None:
        """How many images each machine of a cluster has judged."""
        self._nodes = judged

    def aside(self, speak: Callable[[], None]) -> None:
        """Let `speak` write lines on stderr: the bar is taken off the screen meanwhile."""
        self._bar.clear()
        speak()
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()

    def _draw(self, now: float) -> None:
        self._bar.set_postfix_str(self.words(now), refresh=False)
        self._bar.refresh()
        self._spent += self._clock() - now

    def words(self, now: float) -> str:
        """Rate, time left and flagged images, as the bar shows them."""
        rate = self._pace.rate(now)
        if not rate:
            return f"flagged {self._flagged}"
        speed = f"{rate:.1f} img/s" if rate >= 1 else f"{1 / rate:.1f} s/img"
        if self._total is None:
            return f"{speed}, flagged {self._flagged}"
        left = self._bar.format_interval((self._total - self._bar.n) / rate)
        return f"{speed}, {left} left, flagged {self._flagged}{self._machines(now)}"

    def _machines(self, now: float) -> str:
        """The pace of each machine since judging began; of many only how many they are."""
        if len(self._nodes) > _MOST_NODES:
            return f", {len(self._nodes)} machines"
        seconds = max(now - self._judging_since, 1e-9)
        return "".join(
            f", {printable(name)} {count / seconds:.1f}" for name, count in self._nodes.items()
        )
