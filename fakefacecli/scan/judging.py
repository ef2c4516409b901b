"""What a run reports: what the state knows of an image, or else the model's verdicts."""

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.protocols import ImageSource
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import Label
from fakefacecli.scan.build import build
from fakefacecli.scan.keep import FlaggedKeeper
from fakefacecli.scan.output import Output
from fakefacecli.scan.pipeline import Item, scan, unreadable_report
from fakefacecli.state.state import State

JUDGED_BEFORE = "judged before"  # under the header's "skipped", with --since-last


class PendingReports:
    """Iterates over one report per image that is not done yet, in order; flagged images are copied.

    The model is loaded for the first image that needs judging. In a nightly run there is often
    none, and the run then ends in less time than importing torch takes. `known` counts the reports
    taken from the state, `not_new` the images left out because of --since-last. Each report says
    what it matches of the output's known pictures.
    """

    def __init__(
        self,
        source: ImageSource,
        output: Output,
        state: State | None,
        stop: Callable[[], None],
        on_skip: Callable[[str, str], None] = lambda path, reason: None,
        on_judging: Callable[[], None] = lambda: None,
    ):
        self.source = source
        self.output = output
        self.state = state
        self.stop = stop
        self.on_skip = on_skip
        self.on_judging = on_judging
        self.device = self.precision = "not used"
        self.seconds = 0.0
        self.known = 0
        self.not_new = 0
        folder = output.options.copy_flagged
        self._keeper = FlaggedKeeper(folder) if folder else None
        self._in_pipeline: deque[ImageReport] = deque()  # known ones that pass through

    @property
    def copies_missed(self) -> int:
        """How many flagged images changed or vanished before they were copied."""
        return self._keeper.missed if self._keeper else 0

    def __iter__(self) -> Iterator[ImageReport]:
        for found, judged_now in self._reports():
            report = self._matched(found)
            if self._keeper and report.label is Label.FLAGGED:
                self._keeper.keep(report)
            # after the copy: what could not be copied is judged again by the next run
            if self.state and judged_now:
                self.state.add(report)
            yield report

    def _matched(self, report: ImageReport) -> ImageReport:
        """The report with what a list says of its picture; the lists may be others each night."""
        if self.output.known is None:
            return report
        match = self.output.known.match(report.facts.sha256, report.pdq)
        return replace(report, known=match) if match else report

    def _reports(self) -> Iterator[tuple[ImageReport, bool]]:
        """The reports, and for each whether it came from the model just now."""
        items = self._items()
        for item in items:
            if isinstance(item, ImageRef):
                # from here on all pass through the pipeline, which keeps them in order
                yield from self._judged(itertools.chain([item], items))
                return
            yield (unreadable_report(item) if isinstance(item, Unreadable) else item), False

    def _judged(self, items: Iterator[Item]) -> Iterator[tuple[ImageReport, bool]]:
        options = self.output.options
        stages = build(options, self.output.checkpoint, self.stop)
        self.device, self.precision = stages.judge.device, stages.judge.precision
        self.on_judging()
        started = time.monotonic()
        with contextlib.closing(stages.decoder):
            for report in scan(self._noted(items), stages, stages.judge.batch_size, self.stop):
                known = bool(self._in_pipeline) and self._in_pipeline[0] is report
                if known:
                    self._in_pipeline.popleft()
                yield report, not known
        self.seconds = time.monotonic() - started

    def _noted(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items; known ones are noted, so that `_judged` can tell them from new ones."""
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
                self.not_new += 1
                self.on_skip(ref.path, JUDGED_BEFORE)
            else:
                self.known += 1
                yield found.report
