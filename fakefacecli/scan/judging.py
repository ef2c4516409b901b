"""The images a run has to report: known ones from the state, the others from the pipeline."""

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator

from fakefacecli.base.protocols import ImageSource
from fakefacecli.base.records import ImageRef, ImageReport, Label, Unreadable
from fakefacecli.scan.build import build
from fakefacecli.scan.keep import FlaggedKeeper
from fakefacecli.scan.output import Output
from fakefacecli.scan.pipeline import Item, scan, unreadable
from fakefacecli.state.state import State


class Judging:
    """Iterates over one report per image that is left, in order.

    The model is loaded when the first image turns up that needs judging: often none does.
    `known` counts the reports taken from the state, `passed` the images that are not reported
    because they are not new.
    """

    def __init__(
        self, source: ImageSource, output: Output, state: State | None, stop: Callable[[], None]
    ):
        self.source = source
        self.output = output
        self.state = state
        self.stop = stop
        self.device = self.precision = "not used"
        self.seconds = 0.0
        self.copies_missed = 0
        self.known = 0
        self.passed = 0
        self._in_pipeline: deque[ImageReport] = deque()  # known ones that pass through

    def __iter__(self) -> Iterator[ImageReport]:
        items = self._items()
        folder = self.output.options.copy_flagged
        keeper = FlaggedKeeper(folder) if folder else None
        for item in items:
            if isinstance(item, ImageRef):
                yield from self._judged(itertools.chain([item], items))
                break
            report = unreadable(item) if isinstance(item, Unreadable) else item
            if keeper and report.label is Label.FLAGGED:
                keeper.keep(report)
            yield report
        self.copies_missed += keeper.missed if keeper else 0

    def _judged(self, items: Iterator[Item]) -> Iterator[ImageReport]:
        options = self.output.options
        stages, self.device = build(options, self.output.checkpoint, self.stop)
        self.precision = stages.precision
        started = time.monotonic()
        with contextlib.closing(stages.decoder):
            for report in scan(self._noted(items), stages, options.batch_size, self.stop):
                if self._in_pipeline and self._in_pipeline[0] is report:
                    self._in_pipeline.popleft()
                elif self.state:
                    self.state.add(report)
                yield report
        self.seconds = time.monotonic() - started
        self.copies_missed += stages.keeper.missed if stages.keeper else 0

    def _noted(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items, the known ones kept until they come out: the rest goes into the state."""
        for item in items:
            if isinstance(item, ImageReport):
                self._in_pipeline.append(item)
            yield item

    def _items(self) -> Iterator[Item]:
        """What is left of the source, with what the state knows already in its place."""
        for item in self.source:
            self.stop()
            ref = item.ref if isinstance(item, Unreadable) else item
            if ref.path in self.output.done:
                continue
            found = self.state.find(ref) if self.state and ref is item else None
            if found is None:
                yield item
            elif found.report is None:
                self.passed += 1
            else:
                self.known += 1
                yield found.report
