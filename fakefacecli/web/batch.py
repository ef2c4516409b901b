"""The batch tab: a whole `scan` of a zip or of an allowed folder, with its reports to download."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from fakefacecli.base.errors import UsageError
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import (
    DecodeOptions,
    Explain,
    ReportTarget,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.base.text import counted
from fakefacecli.base.verdicts import Label, Status, Thresholds
from fakefacecli.scan.machine import default_workers
from fakefacecli.scan.run import Callbacks, Outcome, run_scan
from fakefacecli.scan.source import PathSource
from fakefacecli.web.answer import render
from fakefacecli.web.options import PageOptions
from fakefacecli.web.places import Places, allowed_folder
from fakefacecli.web.unpack import Limits, Unpacked, unpack

REPORTS = ("fakeface.csv", "fakeface.html")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch is asked for: a zip that was uploaded, or else the path of a folder."""

    archive: str | None
    folder: str
    model_file: str
    thresholds: Thresholds | None


@dataclass(frozen=True, slots=True)
class Done:
    """A finished batch: a summary in HTML, and the paths of its reports."""

    summary: str
    csv: str
    html: str


def run_batch(
    wanted: Wanted,
    options: PageOptions,
    places: Places,
    session: str | None,
    on_image: Callable[[int, int], None],
    stop: Callable[[], None],
) -> Done:
    """Scan what is wanted; `on_image` is told how many of how many images are done.

    Raises a FakeFaceError with words for people.
    """
    if bool(wanted.archive) == bool(wanted.folder):
        raise UsageError("choose a zip or name a folder, one of the two")
    with _source(wanted, options, places, stop) as (source, unpacked):
        total = _count(source, options.most_batch)
        folder = places.new_folder(session)
        targets = [os.path.join(folder, name) for name in REPORTS]
        done = 0

        def on_report(report: ImageReport) -> None:
            nonlocal done
            done += 1
            on_image(done, total)

        scanned = ScanOptions(
            source=replace(source, never=(f"{targets[1]}.pictures",)),
            reports=tuple(ReportTarget(path, path.rpartition(".")[2]) for path in targets),
            explain=Explain.INCONCLUSIVE,
            judge=replace(options.judge, model=wanted.model_file, thresholds=wanted.thresholds),
            decode=DecodeOptions(default_workers(options.judge.device)),
        )
        outcome = run_scan(scanned, Callbacks(on_report=on_report, stop=stop))
    return Done(_summary(outcome, unpacked), *targets)


@contextlib.contextmanager
def _source(
    wanted: Wanted, options: PageOptions, places: Places, stop: Callable[[], None]
) -> Iterator[tuple[SourceOptions, Unpacked]]:
    if not wanted.archive:
        yield SourceOptions((allowed_folder(wanted.folder, options.folders),)), Unpacked()
        return
    limits = Limits(options.most_batch, options.most_upload, options.most_stored // 2)
    with places.workplace() as name:
        unpacked = unpack(wanted.archive, os.path.join(places.work, name), limits, stop)
        # as seen from the page's working folder: a report then names no folder of the server
        yield SourceOptions((name,)), unpacked


def _count(source: SourceOptions, most: int) -> int:
    total = 0
    for total, _ in enumerate(PathSource(source), 1):
        if total > most:
            raise UsageError(
                f"more than {most:,} images; scan fewer at a time, or use fakeface scan"
            )
    if not total:
        raise UsageError("no image found there; nothing was scanned")
    return total


def _summary(outcome: Outcome, unpacked: Unpacked) -> str:
    tally = outcome.tally
    lines = [
        ("images", tally.images),
        ("faces flagged", tally.verdict[Label.FLAGGED]),
        ("faces inconclusive", tally.verdict[Label.INCONCLUSIVE]),
        ("faces not flagged", tally.verdict[Label.NOT_FLAGGED]),
        ("images without a face", tally.status[Status.NO_FACE]),
        ("images that could not be read", tally.status[Status.ERROR]),
    ]
    left = [f"{counted(count, 'entry')}: {why}" for why, count in unpacked.left_out.items()]
    return render("batch", lines=lines, left_out=left, model=outcome.header["model"]["name"])
