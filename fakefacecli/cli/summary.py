"""What people see of a scan: a progress bar while it runs, and a table at its end."""

import contextlib
import os
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fakefacecli.base.addresses import shown
from fakefacecli.base.options import Progress, ScanOptions, SourceOptions
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Label, ProvenanceKind, Status
from fakefacecli.cli.bar import ScanBar
from fakefacecli.reports.tally import Tally
from fakefacecli.scan.inputs import are_remote
from fakefacecli.scan.output import journal_path
from fakefacecli.scan.run import Outcome
from fakefacecli.scan.source import PathSource

_TO_LOOK_AT = (Label.FLAGGED, Label.INCONCLUSIVE)
_STYLES = {Label.FLAGGED: "bold red", Label.INCONCLUSIVE: "yellow", Label.NOT_FLAGGED: "default"}


@contextlib.contextmanager
def progress_bar(
    source: SourceOptions, progress: Progress, quiet: bool
) -> Iterator[ScanBar | None]:
    """A bar on stderr, or None where none is wanted."""
    wanted = progress is Progress.ON or (progress is Progress.AUTO and sys.stderr.isatty())
    if not wanted or quiet:
        yield None
        return
    # one walk more, only to know where the bar ends: quick compared with judging the images. A
    # store is not listed twice for that
    total = None if are_remote(source) else sum(1 for _ in PathSource(source))
    with contextlib.closing(ScanBar(total)) as bar:
        yield bar


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
        speed = judged / outcome.seconds
        # a slow one not as 0.0
        rate = f"{speed:.1f} images/s" if speed >= 0.1 else f"{speed:.2g} images/s"
    table.add_row("images", str(tally.images), rate)
    for name, count in outcome.nodes.items():
        pace = f"{count / outcome.seconds:.1f} images/s" if outcome.seconds > 0 else ""
        table.add_row("", str(count), Text(f"{pace} on {printable(name)}"))
    if outcome.resumed:
        table.add_row("", str(outcome.resumed), "of them finished before this run was resumed")
    if outcome.known:
        table.add_row("", str(outcome.known), "of them known from the state")
    table.add_row("faces", str(tally.faces), "")
    for label in Label:
        words = str(label).replace("_", " ")
        note = _pile(tally) if label is Label.INCONCLUSIVE else ""
        table.add_row(Text(f"  {words}", _STYLES[label]), str(tally.verdict[label]), note)
    declared = tally.provenance[ProvenanceKind.AI_DECLARED]
    if declared:
        table.add_row("declare AI", str(declared), "images whose files say so of themselves")
    table.add_row("without a face", str(tally.status[Status.NO_FACE]), "")
    table.add_row("errors", str(tally.status[Status.ERROR]), _kinds(outcome))
    skipped = outcome.header["counts"]["skipped"]
    if skipped:
        kinds = ", ".join(f"{count} {kind}" for kind, count in skipped.items())
        table.add_row("passed over", str(sum(skipped.values())), Text(kinds))
    console = Console(stderr=True, highlight=False)
    console.print(table)
    named = _faces(tally) if tally.images == 1 else () if options.reports else _names(tally)
    for words, what in (*_places(options, outcome), *named):
        # soft_wrap: a path that is broken into lines cannot be copied
        console.print(Text.assemble((f"{words:<16}", "bold"), printable(what)), soft_wrap=True)
    if outcome.copies_missed:
        console.print(f"{outcome.copies_missed} flagged images changed before they were copied")
    if outcome.header["model"]["calibration"]["state"] == "uncalibrated":
        console.print("The model is uncalibrated: its p_fake is a score, not a probability.")
    console.print("A verdict is evidence, not proof.", style="dim")


def _kinds(outcome: Outcome) -> Text:
    return Text(", ".join(f"{n} {code}" for code, n in outcome.tally.error_code.most_common()))


def _pile(tally: Tally) -> str:
    """What share of the faces is left for people to judge."""
    if not tally.verdict[Label.INCONCLUSIVE]:
        return ""
    share = tally.verdict[Label.INCONCLUSIVE] / tally.faces
    return f"{share:.0%} of the faces: for a person to look at"


def _faces(tally: Tally) -> Iterator[tuple[str, str]]:
    """Every face of a run's only image, with its score; or why there is none."""
    report = tally.first
    if report is None:
        return
    if report.code is not None:
        yield "unreadable", f"{report.ref.path}: {report.code}"
    for number, finding in enumerate(report.findings, 1):
        verdict = finding.verdict
        face = f"face {number}: " if len(report.findings) > 1 else ""
        words = str(verdict.label).replace("_", " ")
        yield words, f"{face}p_fake {verdict.fake_probability:.4f} ({verdict.reason})"


def _names(tally: Tally) -> Iterator[tuple[str, str]]:
    """Images to look at and unreadable ones, for a run that writes no report."""
    unreadable = [f"{path}: {code}" for path, code in tally.unreadable]
    scored = {
        label: [
            f"{path}: declared or known" if p is None else f"{path}: p_fake {p:.4f}"
            for path, p in tally.named[label]
        ]
        for label in Label
    }
    for words, names, count in (
        *((str(label), scored[label], tally.image_verdict[label]) for label in _TO_LOOK_AT),
        ("unreadable", unreadable, tally.status[Status.ERROR]),
    ):
        for number, name in enumerate(names):
            yield "" if number else words, name
        if count > len(names):
            yield "", f"and {count - len(names)} more; add --report FILE for all rows"


def _places(options: ScanOptions, outcome: Outcome) -> Iterator[tuple[str, str]]:
    for target in options.reports:
        yield "report", "stdout" if target.is_stdout else shown(target.path)
    if options.state:
        yield "state", options.state
    if options.overlays:
        yield "overlays", options.overlays
    if options.copy_flagged:
        yield "flagged copies", options.copy_flagged
    if options.contact_sheet:
        yield "contact sheet", options.contact_sheet
    if options.manifest:
        yield "manifest", options.manifest
        yield "  its sha256", outcome.manifest_sha256
