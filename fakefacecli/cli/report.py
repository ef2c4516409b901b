"""`fakeface report`: convert and merge reports, and compare two."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.addresses import shown
from fakefacecli.base.errors import CannotWrite, UsageError
from fakefacecli.base.options import STREAM_FORMATS, ReportTarget
from fakefacecli.base.text import counted
from fakefacecli.cli.console import complain, error_boundary, say, stoppable
from fakefacecli.cli.flags import takes
from fakefacecli.cli.parse import check_format, refuse_empty, refuse_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from fakefacecli.reports.read import Report


@dataclass(frozen=True, slots=True)
class ReportFlags:
    """What was typed after `fakeface report`."""

    reports: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="Reports: .csv, .json, .jsonl, .parquet or .sqlite."),
    ]
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Write them as one report, by suffix also .html; - is stdout."
        ),
    ] = None
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what has changed between two reports, OLD NEW.")
    ] = False
    partial: Annotated[
        bool, typer.Option("--partial", help="Join shards of a scan though some are missing.")
    ] = False
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="csv|json|jsonl", help="Format of --to - (jsonl by default)."
        ),
    ] = None
    csv_bom: Annotated[
        bool,
        typer.Option("--csv-bom", help="Begin a CSV with a byte order mark, for Excel."),
    ] = False


@error_boundary
@takes(ReportFlags)
def report(flags: ReportFlags) -> None:
    """Convert a report, merge several, or show how two differ."""
    refuse_empty({"an IN": flags.reports, "--to": flags.to})
    target = _target(flags)
    refuse_if(
        {
            "nothing to do; add --to FILE, or --diff": target is None and not flags.diff,
            "--partial goes with --to, for the shards of a scan": flags.partial and flags.diff,
            "--diff compares two reports; name OLD and NEW": flags.diff and len(flags.reports) != 2,
            "--format goes with --to -": flags.format_ and not (target and target.is_stdout),
            "--csv-bom goes with --to a CSV": flags.csv_bom and not (target and target.bom),
        }
    )
    with stoppable() as stop:
        found = _read(flags.reports, stop)
        if flags.diff:
            _compare(found, target, stop)
        elif target:
            _convert(found, target, stop, partial=flags.partial)


def _target(flags: ReportFlags) -> ReportTarget | None:
    """Where to write; every reason against it is found before a report is read."""
    from fakefacecli.remote.upload import make_stage, require_writable
    from fakefacecli.scan.source import looks_like_image
    from fakefacecli.scan.targets import check_file, report_target

    check_format(flags.format_)
    if flags.to is None:
        return None
    target = report_target(flags.to, flags.format_, flags.csv_bom, "--to")
    if flags.diff and not target.is_text:
        wanted = ", ".join(f".{name}" for name in STREAM_FORMATS)
        raise UsageError(f"--to {target.path}: differences are written as {wanted}")
    if target.is_stdout:
        return target
    if target.staged:
        if target.path in flags.reports:
            raise CannotWrite(
                f"cannot write {shown(target.path)}: it is one of the inputs; name another file"
            )
        make_stage(target.staged)
        require_writable(target.path)
    check_file(target.file)
    if os.path.realpath(target.path) in map(os.path.realpath, flags.reports):
        raise CannotWrite(f"cannot write {target.path}: it is one of the inputs; name another file")
    if os.path.lexists(target.path) and looks_like_image(target.path):
        raise CannotWrite(f"cannot write {target.path}: it holds an image; name another file")
    return target


def _read(paths: list[str], stop: "Callable[[], None]") -> "list[Report]":
    from fakefacecli.reports.read import read_report, require_whole

    found = []
    for path in paths:
        stop()
        one = read_report(path)
        require_whole(one)
        if not one.complete:
            complain(
                f"{path}: it is not complete: its last line, which holds the header of the run, "
                f"is missing; {counted(len(one.rows), 'row')} read"
            )
        found.append(one)
    return found


def _convert(
    found: "list[Report]", target: ReportTarget, stop: "Callable[[], None]", *, partial: bool
) -> None:
    from fakefacecli.base.files import sweep
    from fakefacecli.base.lock import locked
    from fakefacecli.reports.merge import joined, members_of, relocated
    from fakefacecli.reports.write import pieces, write_report

    folder = "." if target.is_stdout or target.staged else os.path.dirname(target.path) or "."
    header, rows = joined([relocated(one, folder) for one in found], partial=partial)
    members = members_of(rows)
    stop()
    if target.is_stdout:
        for piece in pieces(target, header, rows, members):
            say(piece)
        return
    with locked(target.file):
        sweep(target.file)
        write_report(target, header, rows, members)
        _put(target)
    complain(f"{counted(len(rows), 'row')} written to {shown(target.path)}")


def _put(target: ReportTarget) -> None:
    """Put what was made here for a store there."""
    if target.staged:
        from fakefacecli.remote.upload import put

        try:
            put(target.staged, target.path)
        finally:
            os.unlink(target.staged)


def _compare(
    found: "list[Report]", target: ReportTarget | None, stop: "Callable[[], None]"
) -> None:
    from fakefacecli.base.files import atomic_write, sweep
    from fakefacecli.base.lock import locked
    from fakefacecli.cli.report_table import print_changes, summary
    from fakefacecli.reports.diff import differences, differing
    from fakefacecli.reports.diff_text import diff_pieces
    from fakefacecli.reports.merge import own_header

    old, new = found
    headers = (own_header(old), own_header(new))
    changes = list(differences(old, new))
    stop()
    if target is None:
        print_changes(changes, list(differing(*headers)))
        return
    for line in differing(*headers):
        complain(line)
    text = diff_pieces(target, changes, headers)
    if target.is_stdout:
        for piece in text:
            say(piece)
    else:
        with locked(target.file):
            sweep(target.file)
            with atomic_write(target.file, "w", encoding="utf-8", newline="") as handle:
                handle.writelines(text)
            _put(target)
    complain(summary(changes))
