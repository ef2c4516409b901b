"""`fakeface scan`: flags to options, a run, a summary, an exit code."""

import contextlib
from typing import Annotated

import typer

from fakefacecli.base.errors import EXIT_CODE_MEANINGS, ExitCode, UsageError
from fakefacecli.base.options import (
    DEFAULT_MODEL,
    REPORT_FORMATS,
    Explain,
    Precision,
    Progress,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.cli.console import complain, error_boundary, say, stoppable
from fakefacecli.cli.listing import list_inputs
from fakefacecli.cli.parse import (
    parse_thresholds,
    parse_verdicts,
    read_bytes,
    refuse_empty,
    refuse_idle,
)

# a blank line between them: help joins lines otherwise
EPILOG = "\n\n".join(
    ["Exit codes:", *(f"{int(code)}  {meaning}" for code, meaning in EXIT_CODE_MEANINGS.items())]
)

INPUTS, OUTPUTS, JUDGING, RUNNING = "Inputs", "Outputs", "Judging", "Running"
NIGHTLY = "Nightly runs"


@error_boundary
def scan(  # noqa: PLR0913, PLR0917 - one parameter a flag
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS", help="Files and folders.", show_default=False),
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive/--no-recursive", help="Walk folders below.", rich_help_panel=INPUTS
        ),
    ] = True,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Take only matching files, whatever their suffix. Repeatable.",
            rich_help_panel=INPUTS,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="Pass over files and folders. Repeatable.", rich_help_panel=INPUTS
        ),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Read more paths, one a line.", rich_help_panel=INPUTS),
    ] = None,
    zero: Annotated[
        bool,
        typer.Option("-0", help="--files-from is NUL-separated.", rich_help_panel=INPUTS),
    ] = False,
    follow_symlinks: Annotated[
        bool,
        typer.Option(
            "--follow-symlinks", help="Read what symbolic links point to.", rich_help_panel=INPUTS
        ),
    ] = False,
    report: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|-",
            help="Write rows: .csv, .json or .jsonl by suffix; - is stdout. Repeatable.",
            rich_help_panel=OUTPUTS,
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="csv|json|jsonl",
            help="Format of --report - (jsonl by default).",
            rich_help_panel=OUTPUTS,
        ),
    ] = None,
    overlays: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Save Grad-CAM pictures.", rich_help_panel=OUTPUTS),
    ] = None,
    explain: Annotated[
        Explain | None,
        typer.Option(help="Faces that get an overlay (flagged).", rich_help_panel=OUTPUTS),
    ] = None,
    copy_flagged: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Copy flagged images.", rich_help_panel=OUTPUTS),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="A bundled model or a checkpoint of fakeface.",
            rich_help_panel=JUDGING,
        ),
    ] = DEFAULT_MODEL,
    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="LOW,HIGH",
            help="Flag at HIGH and above, clear below LOW (default: the model's own).",
            rich_help_panel=JUDGING,
        ),
    ] = None,
    min_face: Annotated[
        int,
        typer.Option(
            min=12,
            max=2000,
            help="Smallest face looked for, in px; a box may come out up to about half smaller.",
            rich_help_panel=JUDGING,
        ),
    ] = 40,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="VERDICTS",
            help="Exit 10 (13) on flagged, inconclusive or both, comma-separated.",
            rich_help_panel=JUDGING,
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Remember what was judged here; judge only what is new or changed.",
            rich_help_panel=NIGHTLY,
        ),
    ] = None,
    since_last: Annotated[
        bool,
        typer.Option(
            "--since-last",
            help="Report only what no complete run with this state has reported.",
            rich_help_panel=NIGHTLY,
        ),
    ] = False,
    verify_hash: Annotated[
        bool,
        typer.Option(
            "--verify-hash",
            help="Read every file's bytes; do not go by path, size and time.",
            rich_help_panel=NIGHTLY,
        ),
    ] = False,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|cuda:N|mps", rich_help_panel=RUNNING)
    ] = "auto",
    precision: Annotated[
        Precision,
        typer.Option(
            help="What faces are judged in (auto: bf16 if model and device suit it).",
            rich_help_panel=RUNNING,
        ),
    ] = Precision.AUTO,
    batch_size: Annotated[
        int, typer.Option(min=1, max=1024, help="Images at once.", rich_help_panel=RUNNING)
    ] = 16,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Decoder processes (default: one a core, 8 at most).",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1, max=3600, help="Seconds a file may take to decode.", rich_help_panel=RUNNING
        ),
    ] = 10.0,
    max_pixels: Annotated[
        int,
        typer.Option(
            min=1, max=1_000_000_000, help="Largest image decoded.", rich_help_panel=RUNNING
        ),
    ] = 100_000_000,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from an interrupted run's journal.", rich_help_panel=RUNNING
        ),
    ] = False,
    progress: Annotated[
        Progress, typer.Option(help="Progress bar on stderr.", rich_help_panel=RUNNING)
    ] = Progress.AUTO,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Only errors on stderr.", rich_help_panel=RUNNING),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List the inputs and stop.", rich_help_panel=RUNNING),
    ] = False,
) -> ExitCode | None:
    """Judge every face in files and folders; write rows, overlays and a summary."""
    from fakefacecli.scan.build import default_workers
    from fakefacecli.scan.source import read_listing
    from fakefacecli.scan.targets import report_target

    refuse_empty(
        {
            "a PATH": paths,
            "--include": include,
            "--exclude": exclude,
            "--files-from": files_from,
            "--report": report,
            "--overlays": overlays,
            "--copy-flagged": copy_flagged,
            "--model": model,
            "--state": state,
        }
    )
    if format_ is not None and format_ not in REPORT_FORMATS:
        raise UsageError(f"--format {format_}: wanted csv, json or jsonl")
    targets = tuple(report_target(path, format_) for path in report or ())
    on_stdout = sum(target.is_stdout for target in targets)
    refuse_idle(
        {
            "--report - can be given once": on_stdout > 1,
            "--format goes with --report -": format_ and not on_stdout,
            "-0 goes with --files-from": zero and files_from is None,
            "--explain goes with --overlays": explain is not None and not overlays,
            "--resume goes with a --report FILE": resume and len(targets) == on_stdout,
        }
    )
    if state is None and (since_last or verify_hash):
        flag = "--since-last" if since_last else "--verify-hash"
        raise UsageError(f"{flag} goes by what earlier runs left in a state; add --state FILE")
    listed = read_listing(read_bytes(files_from), zero) if files_from is not None else ()
    if not paths and files_from is None:
        raise UsageError("no input: name files or folders, or use --files-from")
    options = ScanOptions(
        source=SourceOptions(
            paths=tuple(paths or ()),
            listed=listed,
            recursive=recursive,
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            follow_symlinks=follow_symlinks,
            never=tuple(folder for folder in (overlays, copy_flagged) if folder),
        ),
        reports=targets,
        overlays=overlays,
        explain=explain or Explain.FLAGGED,
        copy_flagged=copy_flagged,
        model=model,
        thresholds=parse_thresholds(threshold),
        min_face_px=min_face,
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers or default_workers(),
        timeout_s=timeout,
        max_pixels=max_pixels,
        fail_on=parse_verdicts(fail_on),
        resume=resume,
        state=state,
        verify_hash=verify_hash,
        since_last=since_last,
    )
    return list_inputs(options, quiet) if dry_run else _run(options, progress, quiet)


def _run(options: ScanOptions, progress: Progress, quiet: bool) -> ExitCode:
    from fakefacecli.cli.summary import journal_note, progress_bar, summary
    from fakefacecli.scan.run import Watch, exit_code_of, run_scan

    note = "" if quiet else journal_note(options)  # looked up before the run makes a journal
    with stoppable() as stop, contextlib.ExitStack() as stack:
        seen = stack.enter_context(progress_bar(options.source, progress, quiet))
        begun = (lambda: complain(note)) if note else (lambda: None)
        outcome = run_scan(options, Watch(say, seen, stop, begun))
        stack.close()
        if not quiet:
            summary(options, outcome)
        return exit_code_of(outcome.tally, options.fail_on)
