"""One whole run: inputs in, rows out, reports moved into place at the end."""

import contextlib
import hashlib
import itertools
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from fakefacecli import __version__
from fakefacecli.build import build, versions
from fakefacecli.errors import ExitCode, NothingToDo
from fakefacecli.lock import locked
from fakefacecli.models.bundled import find_model
from fakefacecli.models.checkpoint import Checkpoint
from fakefacecli.options import ScanOptions
from fakefacecli.output import Output
from fakefacecli.pipeline import scan
from fakefacecli.records import ImageReport, Label, Status
from fakefacecli.stages.source import PathSource
from fakefacecli.stages.tally import Tally
from fakefacecli.targets import check_targets


@dataclass(frozen=True, slots=True)
class Watch:
    """What the caller does along the way; each may raise to end the run.

    `say` writes report text to stdout, `seen` is told of every finished image, `stop` is asked
    between steps.
    """

    say: Callable[[str], None] = lambda text: None
    seen: Callable[[ImageReport], None] = lambda report: None
    stop: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a complete run came to; `seconds` are those of the scan, loading left out."""

    tally: Tally
    header: dict[str, Any]
    seconds: float
    resumed: int
    copies_missed: int


def run_scan(options: ScanOptions, watch: Watch) -> Outcome:
    """Scan and write every report.

    Raises a FakeFaceError; then no report was replaced, and the journal beside the first report
    holds what was finished.
    """
    source = PathSource(options.source)
    if next(iter(source), None) is None:  # told before the model is loaded
        raise NothingToDo("no image found in the inputs; nothing was scanned or written")
    checkpoint = find_model(options.model)
    check_targets(options)
    with contextlib.ExitStack() as stack:
        for target in options.reports:
            if not target.is_stdout:
                stack.enter_context(locked(target.path))
        output = Output(options, checkpoint, _head(options, checkpoint), watch.say)
        stack.callback(output.close)
        return _go(source, output, watch)


def exit_code_of(tally: Tally, fail_on: frozenset[Label]) -> ExitCode:
    """The exit code of a complete run."""
    unreadable = tally.status[Status.ERROR] > 0
    if any(tally.verdict[label] for label in fail_on):
        return ExitCode.FAIL_ON_AND_UNREADABLE if unreadable else ExitCode.FAIL_ON
    return ExitCode.SOME_UNREADABLE if unreadable else ExitCode.COMPLETE


def _go(source: PathSource, output: Output, watch: Watch) -> Outcome:
    for report in output.start():
        watch.seen(report)
    judging = _Judging(source, output, watch)
    for report in judging:
        output.take(report)
        watch.seen(report)
    watch.stop()
    header = _header(output, judging.device, source)
    output.commit(header)
    return Outcome(
        output.tally, header, judging.seconds, len(output.done), judging.copies_missed
    )  # fmt: skip


class _Judging:
    """The images that still need judging; loads the model only if there is any."""

    def __init__(self, source: PathSource, output: Output, watch: Watch):
        self.source = source
        self.output = output
        self.watch = watch
        self.device = "not used"
        self.seconds = 0.0
        self.copies_missed = 0

    def __iter__(self) -> Iterator[ImageReport]:
        options, done = self.output.options, self.output.done
        left = (
            item
            for item in self.source
            if (item.ref.path if hasattr(item, "ref") else item.path) not in done
        )
        first = next(left, None)
        if first is None:
            return
        stages, self.device = build(options, self.output.checkpoint, self.watch.stop)
        started = time.monotonic()
        items = itertools.chain([first], left)
        with contextlib.closing(stages.decoder):
            yield from scan(items, stages, options.batch_size, self.watch.stop)
        self.seconds = time.monotonic() - started
        self.copies_missed = stages.keeper.missed if stages.keeper else 0


def _head(options: ScanOptions, checkpoint: Checkpoint) -> dict[str, Any]:
    """The journal's first line; runs with the same fingerprint make the same rows."""
    source = asdict(options.source)
    source["paths"] = [os.path.abspath(path) for path in options.source.paths]
    what = [source, options.deciding, checkpoint.sha256, versions()]
    return {
        "fingerprint": hashlib.sha256(json.dumps(what).encode()).hexdigest(),
        "run_id": uuid.uuid4().hex,
        "started": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _header(output: Output, device: str, source: PathSource) -> dict[str, Any]:
    card, options = output.checkpoint.card, output.options
    thresholds = options.thresholds or card.thresholds
    return {
        "run_id": output.head["run_id"],
        "tool": "fakeface",
        "tool_version": __version__,
        "started": output.head["started"],
        "ended": _now(),
        "model": {
            "name": card.name,
            "sha256": output.checkpoint.sha256,
            "backbone": card.backbone,
            "calibration": asdict(card.calibration),
            "thresholds": asdict(thresholds),
            "min_face_px": card.min_face_px,
        },
        "device": device,
        "versions": versions(),
        "options": {
            **options.deciding,
            "batch_size": options.batch_size,
            "workers": options.workers,
        },
        "counts": output.tally.counts(source.skipped),
    }
