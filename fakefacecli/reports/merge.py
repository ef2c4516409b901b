"""Several reports as one."""

import os
from collections.abc import Sequence
from dataclasses import replace

from fakefacecli.base.addresses import is_url
from fakefacecli.base.errors import UsageError
from fakefacecli.reports.read import Report
from fakefacecli.reports.rows import Row
from fakefacecli.reports.runs import Header, header_for, merged_header, runs_in
from fakefacecli.reports.shards import together


def joined(reports: Sequence[Report], *, partial: bool = False) -> tuple[Header, list[Row]]:
    """The rows of all, in the order given, and one header; of one report its own.

    The shards of one scan are put in the order of the scan. A row has `members` if any of the rows
    has it. Raises UsageError, naming the reports, when two of them hold the same run: its images
    would be counted twice; and where shards do not fit together, or some are missing and it is not
    to be `partial`.
    """
    if len(reports) == 1:
        return own_header(reports[0]), reports[0].rows
    _refuse_same_run(reports)
    rows = [row for report in reports for row in report.rows]
    if any("members" in row for row in rows):
        rows = [row if "members" in row else row | {"members": None} for row in rows]
    runs = [run for report in reports for run in runs_in(own_header(report), report.rows)]
    # the header of a report without a row and without a run says nothing
    known = [run for run in runs if run["run_id"] is not None] or runs[:1]
    rows = together(known, rows, partial=partial)
    return merged_header(known, rows), rows


def relocated(report: Report, folder: str) -> Report:
    """The report for another folder: overlays are named relative to the one where it lies.

    Of one in a store, from which no relative path leads here, they stay as they are.
    """
    if is_url(report.path):
        return report
    old = os.path.dirname(report.path) or "."
    if os.path.realpath(old) == os.path.realpath(folder):
        return report

    def moved(overlay: str | None) -> str | None:
        if not overlay or os.path.isabs(overlay):
            return overlay
        return os.path.relpath(os.path.join(old, overlay), folder)

    return replace(report, rows=[row | {"overlay": moved(row["overlay"])} for row in report.rows])


def members_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """The names of the networks that have a logit in any row, in the order they are met."""
    return tuple(dict.fromkeys(name for row in rows for name in row.get("members") or ()))


def own_header(report: Report) -> Header:
    """The header of one report, made of its rows where it has none; UsageError where it is odd."""
    try:
        return header_for(report.header, report.rows)
    except ValueError as error:
        raise UsageError(f"{report.path}: not a report of fakeface scan ({error})") from error


def _refuse_same_run(reports: Sequence[Report]) -> None:
    seen: dict[str, str] = {}
    for report in reports:
        runs = {row["run_id"] for row in report.rows}
        runs |= {run["run_id"] for run in runs_in(own_header(report), report.rows)}
        for run in runs - {None}:
            if run in seen:
                raise UsageError(
                    f"{seen[run]} and {report.path} are of the same run; give each run once"
                )
            seen[run] = report.path
