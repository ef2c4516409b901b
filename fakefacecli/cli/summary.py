"""What people see of a scan: a progress bar while it runs, and a table at its end."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fakefacecli.base.options import Progress, ScanOptions, SourceOptions
from fakefacecli.base.records import ImageReport
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Label, Status
from fakefacecli.reports.tally import Tally
from fakefacecli.scan.output import journal_path
from fakefacecli.scan.run import Outcome
from fakefacecli.scan.source import PathSource

_STYLES = {Label.FLAGGED: "bold red", Label.INCONCLUSIVE: "yellow", Label.NOT_FLAGGED: "default"}


@contextlib.contextmanager
def progress_bar(
    source: SourceOptions, progress: Progress, quiet: bool
) -> Iterator[Callable[[ImageReport], None]]:
    """A tqdm bar on stderr, if wanted; gives the function to call after each finished image."""
    wanted = progress is Progress.ON or (progress is Progress.AUTO and sys.stderr.isatty())
    if not wanted or quiet:
        yield lambda report: None
        return
    from tqdm import tqdm

    # one walk more, only to know where the bar ends: quick compared with judging the images
    total = sum(1 for _ in PathSource(source))
    flagged = 0
    with tqdm(total=total, unit="img", file=sys.stderr, dynamic_ncols=True, leave=False) as bar:

        def seen(report: ImageReport) -> None:
            nonlocal flagged
            flagged += report.label is Label.FLAGGED
            # refresh=False: update() draws, and no more often than people can read
            bar.set_postfix_str(f"flagged {flagged}", refresh=False)
            bar.update()

        yield seen


def journal_note(options: ScanOptions) -> str:
    """The message about a journal that an interrupted run left, or did not leave; "" for none."""
    path = journal_path(options)
    left = bool(path) and os.path.lexists(path)
    if options.resume and not left:
        return f"{path}: no journal to go on from; scanning from the first image"
    if left and not options.resume:
        return f"{path}: left by an interrupted run; without --resume it is started again"
    return ""


def summary(options: ScanOptions, outcome: Outcome) -> None:
    """The closing table on stderr."""
    tally = outcome.tally
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="left", style="bold")
    table.add_column(justify="right")
    table.add_column()
    # images per second of those that were judged now: the others took no time
    rate = ""
    if outcome.seconds > 0 and (judged := tally.images - outcome.resumed - outcome.known):
        rate = f"{judged / outcome.seconds:.1f} images/s"
    table.add_row("images", str(tally.images), rate)
    if outcome.resumed:
        table.add_row("", str(outcome.resumed), "of them finished before this run was resumed")
    if outcome.known:
        table.add_row("", str(outcome.known), "of them known from the state")
    table.add_row("faces", str(tally.faces), "")
    for label in Label:
        words = str(label).replace("_", " ")
        table.add_row(Text(f"  {words}", _STYLES[label]), str(tally.verdict[label]), "")
    table.add_row("without a face", str(tally.status[Status.NO_FACE]), "")
    table.add_row("errors", str(tally.status[Status.ERROR]), _kinds(outcome))
    skipped = outcome.header["counts"]["skipped"]
    if skipped:
        kinds = ", ".join(f"{count} {kind}" for kind, count in skipped.items())
        table.add_row("passed over", str(sum(skipped.values())), Text(kinds))
    console = Console(stderr=True, highlight=False)
    console.print(table)
    for words, what in (*_places(options), *(() if options.reports else _names(tally))):
        # soft_wrap: a path that is broken into lines cannot be copied
        console.print(Text.assemble((f"{words:<16}", "bold"), printable(what)), soft_wrap=True)
    if outcome.copies_missed:
        console.print(f"{outcome.copies_missed} flagged images changed before they were copied")
    if outcome.header["model"]["calibration"]["state"] == "uncalibrated":
        console.print("The model is uncalibrated: its p_fake is a score, not a probability.")
    console.print("A verdict is evidence, not proof.", style="dim")


def _kinds(outcome: Outcome) -> Text:
    return Text(", ".join(f"{n} {code}" for code, n in outcome.tally.error_code.most_common()))


def _names(tally: Tally) -> Iterator[tuple[str, str]]:
    """The flagged and the unreadable images, for a run that writes no report."""
    unreadable = [f"{path}: {code}" for path, code in tally.unreadable]
    for words, names, count in (
        ("flagged", tally.flagged, tally.image_verdict[Label.FLAGGED]),
        ("unreadable", unreadable, tally.status[Status.ERROR]),
    ):
        for number, name in enumerate(names):
            yield "" if number else words, name
        if count > len(names):
            yield "", f"and {count - len(names)} more; add --report FILE for all rows"


def _places(options: ScanOptions) -> Iterator[tuple[str, str]]:
    for target in options.reports:
        yield "report", "stdout" if target.is_stdout else target.path
    if options.state:
        yield "state", options.state
    if options.overlays:
        yield "overlays", options.overlays
    if options.copy_flagged:
        yield "flagged copies", options.copy_flagged
