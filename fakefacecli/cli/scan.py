"""`fakeface scan`: flags to options, a run, a summary, an exit code."""

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fakefacecli.base.errors import EXIT_CODE_MEANINGS, ExitCode, UsageError
from fakefacecli.base.garbage import collected_later
from fakefacecli.base.memory import parse_size
from fakefacecli.base.options import (
    DecodeOptions,
    EngineName,
    EngineOptions,
    EvidenceOptions,
    Explain,
    JudgeOptions,
    Progress,
    ReportTarget,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.base.shard import parse_shard
from fakefacecli.base.text import printable
from fakefacecli.cli.console import complain, error_boundary, say, stoppable
from fakefacecli.cli.flags import takes
from fakefacecli.cli.parse import (
    check_format,
    parse_batch_size,
    parse_fail_on,
    parse_thresholds,
    read_bytes,
    refuse_empty,
    refuse_if,
)
from fakefacecli.cli.scan_flags import ScanFlags
from fakefacecli.cli.streams import reports_alone

if TYPE_CHECKING:
    from fakefacecli.scan.engine import Engine

# blank lines, because --help joins lines that follow each other
EPILOG = "\n\n".join(
    ["Exit codes:", *(f"{int(code)}  {meaning}" for code, meaning in EXIT_CODE_MEANINGS.items())]
)


@error_boundary
@takes(ScanFlags)
def scan(flags: ScanFlags) -> ExitCode | None:
    """Judge every face in files and folders; write rows, overlays and a summary."""
    options = scan_options(flags)
    if flags.dry_run:
        return _list_inputs(options, flags.quiet)
    return _run(options, flags.progress, flags.quiet)


def scan_options(flags: ScanFlags) -> ScanOptions:
    """The options that the flags ask for; reads --files-from.

    Raises UsageError for an impossible value, and for flags that contradict each other.
    """
    from fakefacecli.scan.machine import default_workers

    refuse_empty(
        {
            "a PATH": flags.paths,
            "--include": flags.include,
            "--exclude": flags.exclude,
            "--files-from": flags.files_from,
            "--report": flags.report,
            "--overlays": flags.overlays,
            "--copy-flagged": flags.copy_flagged,
            "--list-skipped": flags.list_skipped,
            "--contact-sheet": flags.contact_sheet,
            "--manifest": flags.manifest,
            "--model": flags.model,
            "--state": flags.state,
            "--trust-list": flags.trust_list,
            "--generators": flags.generators,
            "--known": flags.known,
        }
    )
    reports = _reports(flags)
    # before files are read: --files-from - would wait for stdin
    _check_together(flags, reports)
    return ScanOptions(
        source=_source(flags, reports),
        reports=reports,
        overlays=flags.overlays,
        explain=flags.explain or (Explain.INCONCLUSIVE if _has_page(reports) else Explain.FLAGGED),
        copy_flagged=flags.copy_flagged,
        judge=_judge(flags),
        decode=DecodeOptions(
            flags.workers or default_workers(flags.device),
            flags.timeout,
            flags.max_pixels,
            flags.frames,
        ),
        fail_on=parse_fail_on(flags.fail_on),
        evidence=EvidenceOptions(
            provenance=flags.provenance,
            trust_list=flags.trust_list,
            generators=flags.generators,
            stability=flags.stability,
            known=tuple(flags.known or ()),
        ),
        resume=flags.resume,
        state=flags.state,
        verify_hash=flags.verify_hash,
        since_last=flags.since_last,
        list_skipped=flags.list_skipped,
        csv_bom=flags.csv_bom,
        contact_sheet=flags.contact_sheet,
        manifest=flags.manifest,
        redact_paths=flags.redact_paths,
        engine=EngineOptions(flags.engine, flags.ray_address, flags.actors, flags.gpus_per_actor),
        max_memory=parse_size(flags.max_memory) if flags.max_memory is not None else None,
    )


def _reports(flags: ScanFlags) -> tuple[ReportTarget, ...]:
    from fakefacecli.scan.targets import report_target

    check_format(flags.format_)
    return tuple(report_target(path, flags.format_, flags.csv_bom) for path in flags.report or ())


def _check_together(flags: ScanFlags, reports: tuple[ReportTarget, ...]) -> None:
    on_stdout = sum(target.is_stdout for target in reports)
    refuse_if(
        {
            "--report - can be given once": on_stdout > 1,
            "--format goes with --report -": flags.format_ and not on_stdout,
            "--csv-bom goes with a --report in CSV, or with --list-skipped": flags.csv_bom
            and not (flags.list_skipped or any(target.bom for target in reports)),
            "-0 goes with --files-from": flags.zero and flags.files_from is None,
            "--explain goes with --overlays or an HTML report": flags.explain is not None
            and not (flags.overlays or _has_page(reports)),
            "--manifest goes with a --report FILE": flags.manifest and len(reports) == on_stdout,
            "--redact-paths cannot go with --copy-flagged or --list-skipped, which name files": (
                flags.redact_paths and (flags.copy_flagged or flags.list_skipped)
            ),
            "--contact-sheet: wanted a name that ends in .png or .jpg": flags.contact_sheet
            and not flags.contact_sheet.lower().endswith((".png", ".jpg", ".jpeg")),
            "--trust-list and --generators go with --provenance": not flags.provenance
            and (flags.trust_list or flags.generators),
            "--ray-address, --actors and --gpus-per-actor go with --engine ray": flags.engine
            is not EngineName.RAY
            and any(
                given is not None
                for given in (flags.ray_address, flags.actors, flags.gpus_per_actor)
            ),
            "--resume goes with a --report FILE": flags.resume and len(reports) == on_stdout,
        }
    )
    if flags.state is None and (flags.since_last or flags.verify_hash):
        flag = "--since-last" if flags.since_last else "--verify-hash"
        raise UsageError(f"{flag} needs the state of earlier runs; add --state FILE")


def _has_page(reports: tuple[ReportTarget, ...]) -> bool:
    return any(target.format == "html" for target in reports)


def _source(flags: ScanFlags, reports: tuple[ReportTarget, ...]) -> SourceOptions:
    from fakefacecli.base.addresses import local_path
    from fakefacecli.scan.listing import read_listing

    listed: tuple[str, ...] = ()
    if flags.files_from is not None:
        listed = tuple(map(local_path, read_listing(read_bytes(flags.files_from), flags.zero)))
    elif not flags.paths:
        raise UsageError("no input: name files or folders, or use --files-from")
    return SourceOptions(
        paths=tuple(map(local_path, flags.paths or ())),
        listed=listed,
        recursive=flags.recursive,
        include=tuple(flags.include or ()),
        exclude=tuple(flags.exclude or ()),
        follow_symlinks=flags.follow_symlinks,
        shard=parse_shard(flags.shard) if flags.shard is not None else None,
        # a second run into the same folders must not scan the pictures of the first
        never=(
            *(folder for folder in (flags.overlays, flags.copy_flagged) if folder),
            *(f"{target.file}.pictures" for target in reports if target.format == "html"),
        ),
    )


def _judge(flags: ScanFlags) -> JudgeOptions:
    return JudgeOptions(
        model=flags.model,
        thresholds=parse_thresholds(flags.threshold),
        min_face_px=flags.min_face,
        device=flags.device,
        precision=flags.precision,
        batch_size=parse_batch_size(flags.batch_size),
        early_exit=flags.early_exit,
        detector=flags.detector,
        turns=flags.turns,
    )


def _list_inputs(options: ScanOptions, quiet: bool) -> ExitCode | None:
    """--dry-run: print the files a scan would read, after the checks of model and outputs."""
    from fakefacecli.base.records import Unreadable
    from fakefacecli.models.bundled import find_model
    from fakefacecli.scan.inputs import input_source
    from fakefacecli.scan.run import require_inputs
    from fakefacecli.scan.targets import check_targets

    require_inputs(options)

    # both only to be refused now what a real run would refuse
    find_model(options.judge.model)
    check_targets(options)
    images = refused = 0
    for item in input_source(options.source):
        if isinstance(item, Unreadable):
            refused += 1
            complain(f"{item.ref.path}: {item.message}")
        else:
            images += 1
            say(printable(item.path) + "\n")
    if not quiet:
        complain(f"dry run: {images} images to scan, {refused} unreadable; nothing was written")
    return ExitCode.SOME_UNREADABLE if refused else None


def _run(options: ScanOptions, progress: Progress, quiet: bool) -> ExitCode:
    with collected_later():
        from fakefacecli.cli.summary import journal_note, progress_bar, summary
        from fakefacecli.scan.run import Callbacks, exit_code_of, run_scan

    note = "" if quiet else journal_note(options)  # looked up before the run makes a journal
    with stoppable() as stop, contextlib.ExitStack() as stack:
        bar = stack.enter_context(progress_bar(options.source, progress, quiet))
        callbacks = Callbacks(say, stop=stop)
        if bar:
            callbacks = replace(
                callbacks, on_report=bar.add, on_judging=bar.judging_begins, on_nodes=bar.nodes
            )
        if note:
            tell = partial(complain, note)
            callbacks = replace(callbacks, on_start=partial(bar.aside, tell) if bar else tell)
        if options.engine.engine is EngineName.RAY:
            stack.enter_context(reports_alone())  # Ray prints what goes wrong to stdout
        outcome = run_scan(options, callbacks, _engine(options))
        stack.close()  # takes the bar off the screen before the summary
        if not quiet:
            summary(options, outcome)
        return exit_code_of(outcome.tally, options.fail_on)


def _engine(options: ScanOptions) -> "Engine":
    from fakefacecli.scan.engine import on_this_machine

    if options.engine.engine is EngineName.LOCAL:
        return on_this_machine
    from fakefacecli.cluster.engine import on_ray

    return on_ray
