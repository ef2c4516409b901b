"""Where a run's rows go: at once to the journal and a streaming stdout, at the end to files."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.files import atomic_write, cannot_write, settle, sweep
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import ReportTarget, ScanOptions
from fakefacecli.base.protocols import ReportWriter
from fakefacecli.evidence.known import KnownPictures
from fakefacecli.models.judge import AnyCheckpoint, member_names
from fakefacecli.models.judge_file import card_facts
from fakefacecli.remote.upload import put
from fakefacecli.reports.clusters import Clusters
from fakefacecli.reports.journal import Journal, open_journal, resume_journal
from fakefacecli.reports.rows import RowFacts, rows_of, writer_for
from fakefacecli.reports.tally import Tally
from fakefacecli.reports.write import write_whole
from fakefacecli.scan.contact import write_contact_sheet
from fakefacecli.scan.custody import Written, write_manifest
from fakefacecli.scan.page_folder import open_page_folder, remove_page_folder

# what a power cut may cost: fsync after every image would slow the scan
_SYNC_SECONDS = 1.0


class Output:
    """Takes finished images; `commit` puts the whole reports in place.

    `head` says what the run is; a resumed run takes over that of the interrupted one. `done` are
    the paths that are finished already, `known` the lists that images are compared with. `say`
    writes text to stdout and may raise CannotWrite.
    """

    def __init__(
        self,
        options: ScanOptions,
        checkpoint: AnyCheckpoint,
        head: dict[str, Any],
        say: Callable[[str], None],
        known: KnownPictures | None = None,
        stop: Callable[[], None] = lambda: None,
    ):
        self.options = options
        self.checkpoint = checkpoint
        self.say = say
        self.known = known
        self.stop = stop
        self.manifest_sha256 = ""
        self.tally = Tally()
        self.done: set[str] = set()
        self.head = head
        self._synced = time.monotonic()
        self._clusters = Clusters()
        self._files = [target for target in options.reports if not target.is_stdout]
        self.journal = self._open_journal()
        stdout = next((target for target in options.reports if target.is_stdout), None)
        writer = self._writer(stdout) if stdout else None
        self._live = writer if writer and writer.live else None

    def start(self) -> Iterator[ImageReport]:
        """Begin the report on stdout; yield what the interrupted run had finished."""
        if self._live:
            self.say(self._live.start({}))
        # stdout did not keep the rows of the interrupted run: they are written again
        if self.journal and self.done:
            for report in self.journal.reports():
                self._count(report)
                yield report

    def take(self, report: ImageReport) -> None:
        """Add one finished image; CannotWrite when the journal or stdout refuses it."""
        if self.journal:
            self.journal.append(report)
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                self.journal.sync()
                self._synced = time.monotonic()
        self._count(report)

    def commit(self, header: dict[str, Any]) -> None:
        """Write every report whole and drop the journal; CannotWrite leaves the old reports."""
        if self.journal:
            self._commit_files(self.journal, header)
        if self._live:  # last of all: readers take this line for "the run is complete"
            self.say(self._live.end(header))

    def _commit_files(self, journal: Journal, header: dict[str, Any]) -> None:
        # Every step that can fail comes before the first file is replaced: the rows are on disk,
        # each file is written whole beside its target, and stdout has taken its report. If one
        # fails, all old reports stay and the journal is there for --resume
        journal.sync()
        options = self.options
        if options.contact_sheet:
            title = f"{header['model']['name']}, run {header['run_id'][:8]}"
            write_contact_sheet(options.contact_sheet, journal.reports(), options, title, self.stop)
        self._write_reports(journal, header)
        if options.manifest:
            self.manifest_sha256 = write_manifest(
                options.manifest,
                header,
                journal.reports(),
                self._written(journal),
                redacts=options.redact_paths,
            )
        if journal.path:  # last: a kill before this line leaves all that --resume needs
            with contextlib.suppress(OSError):
                os.unlink(journal.path)
        for target in self._files:
            if target.staged:  # its copy here was for the manifest
                with contextlib.suppress(OSError):
                    os.unlink(target.staged)
        if options.page_folder:  # the report has its pictures inside now
            with contextlib.suppress(OSError):
                remove_page_folder(options.page_folder)

    def _write_reports(self, journal: Journal, header: dict[str, Any]) -> None:
        """Write all reports beside their targets, then put them in place: first those of stores."""
        with contextlib.ExitStack() as stack:
            staged = []
            for target in self._files:
                if target.is_text:
                    handle = stack.enter_context(
                        atomic_write(target.file, "w", encoding="utf-8", newline="")
                    )
                    handle.writelines(self._pieces(target, header))
                    settle(handle)
                else:
                    handle = stack.enter_context(atomic_write(target.file))
                    self._fill(target, handle, header, journal)
                if target.staged:
                    staged.append((handle.name, target.path))
            for target in self.options.reports:
                if target.is_stdout and self._live is None:
                    for piece in self._pieces(target, header):
                        self.say(piece)
            # before the files here are replaced: a store refuses more often than a disk
            for file, url in staged:
                _put(file, url, journal.path)
            # the stack moves them into place now, when all of them are complete

    @property
    def resumable(self) -> bool:
        """Whether --resume could go on from what is finished by now."""
        return self.journal is not None and bool(self.journal.path)

    def close(self) -> None:
        """Let go of the journal; an unfinished run's stays, for --resume."""
        if self.journal:
            self.journal.close()

    def _count(self, report: ImageReport) -> None:
        self.tally.add(report)
        if self._live:
            self.say(self._live.rows(self._clusters.numbered(report)))

    def _open_journal(self) -> Journal | None:
        # JSON has its counts before its rows, so on stdout the rows must wait somewhere
        if not self._files:
            held = any(target.format == "json" for target in self.options.reports)
            held |= self.options.contact_sheet is not None
            return _nameless_journal(self.head) if held else None
        path = journal_path(self.options)
        # the locks of all reports are held by now, so no other run is writing these
        for target in (path, *(target.file for target in self._files)):
            sweep(target)
        if self.options.page_folder:
            open_page_folder(self.options.page_folder, resumes=self.options.resume)
        if self.options.resume:
            journal, self.head, self.done = resume_journal(path, self.head)
            return journal
        return open_journal(path, self.head)

    def _fill(
        self, target: ReportTarget, handle: IO[Any], header: dict[str, Any], journal: Journal
    ) -> None:
        """Write a report of a format that is no text."""
        facts, card = self._facts(target), None
        if target.format == "html":
            # its pictures may wait in a folder of their own, which its rows must not name
            card = card_facts(self.checkpoint)
        rows = (row for report in self._numbered(journal) for row in rows_of(report, facts))
        write_whole(target, handle, header, rows, card)

    def _numbered(self, journal: Journal) -> Iterator[ImageReport]:
        return map(Clusters().numbered, journal.reports())

    def _written(self, journal: Journal) -> Iterator[Written]:
        """The files that this run has written, for its manifest."""
        for target in self._files:
            yield Written("report", target.file, target.path if target.staged else "")
        if self.options.contact_sheet:
            yield Written("contact sheet", self.options.contact_sheet)
        folder = self.options.overlays
        if folder is None:
            return
        for report in journal.reports():
            for finding in report.findings:
                if finding.overlay:
                    yield Written("overlay", os.path.join(folder, *finding.overlay.split("/")))

    def _writer(self, target: ReportTarget) -> ReportWriter:
        return writer_for(target, self._facts(target))

    def _facts(self, target: ReportTarget) -> RowFacts:
        folder = "." if target.is_stdout else os.path.dirname(target.file) or "."
        overlays = self.options.overlays
        if target.format == "html":
            overlays = self.options.pictures
        elif target.staged and overlays:
            # from a store no relative path leads here
            folder, overlays = "", os.path.abspath(overlays)
        return RowFacts(
            run_id=self.head["run_id"],
            model=self.checkpoint.card.name,
            model_sha256=self.checkpoint.sha256,
            overlays=os.path.relpath(overlays, folder) if overlays and folder else overlays,
            members=member_names(self.checkpoint),
            redacts=self.options.redact_paths,
        )

    def _pieces(self, target: ReportTarget, header: dict[str, Any]) -> Iterator[str]:
        writer = self._writer(target)
        yield writer.start(header)
        if self.journal:
            yield from map(writer.rows, self._numbered(self.journal))
        yield writer.end(header)


def _put(file: str, url: str, journal: str) -> None:
    try:
        put(file, url)
    except CannotWrite as error:
        raise CannotWrite(f"{error}; all rows are in {journal}: --resume tries again") from error


def journal_path(options: ScanOptions) -> str:
    """Where the journal of a run lies, beside its first report; "" without a report file."""
    first = next((target.file for target in options.reports if not target.is_stdout), "")
    return f"{first}.journal" if first else ""


def _nameless_journal(head: dict[str, Any]) -> Journal:
    """A journal for a report that only goes to stdout: nothing to resume, gone with the run."""
    try:
        journal = Journal("", tempfile.TemporaryFile())  # noqa: SIM115 - the journal closes it
    except OSError as error:
        raise cannot_write(os.environ.get("TMPDIR", "temporary files"), error) from error
    journal.head(head)
    return journal
