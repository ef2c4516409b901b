"""One whole run: inputs in, rows out, reports moved into place at the end."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from fakefacecli import __version__
from fakefacecli.base.described import described
from fakefacecli.base.errors import ExitCode, Interrupted, NothingToDo, UsageError
from fakefacecli.base.extras import how_to_install
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.lock import locked
from fakefacecli.base.options import EvidenceOptions, ScanOptions
from fakefacecli.base.protocols import ImageSource
from fakefacecli.base.text import in_json
from fakefacecli.base.verdicts import FailOn, Status
from fakefacecli.evidence import pdq
from fakefacecli.evidence.known import KnownPictures, read_known
from fakefacecli.evidence.provenance import lists_of
from fakefacecli.models.bundled import find_model
from fakefacecli.models.judge import AnyCheckpoint
from fakefacecli.reports.tally import Tally
from fakefacecli.scan.engine import Engine, on_this_machine
from fakefacecli.scan.inputs import CountingSource, input_source, refuse_for_urls
from fakefacecli.scan.judging import JUDGED_BEFORE, PendingReports
from fakefacecli.scan.machine import versions
from fakefacecli.scan.output import Output
from fakefacecli.scan.redaction import RedactedSource, new_secret
from fakefacecli.scan.skipped import SkippedList
from fakefacecli.scan.targets import check_targets
from fakefacecli.state.state import State


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the caller does along the way; each may raise to end the run.

    `say` writes report text to stdout, `on_start` is called once nothing can refuse the run any
    more, `on_judging` once the model is loaded, `on_report` with every finished image, `on_nodes`
    now and then with the images that each machine of a cluster has judged, `stop` between steps.
    """

    say: Callable[[str], None] = lambda text: None
    on_report: Callable[[ImageReport], None] = lambda report: None
    stop: Callable[[], None] = lambda: None
    on_start: Callable[[], None] = lambda: None
    on_judging: Callable[[], None] = lambda: None
    on_nodes: Callable[[dict[str, int]], None] = lambda nodes: None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a complete run came to; `seconds` are those of the scan, loading left out.

    `resumed` images were finished by the interrupted run, `known` ones taken from the state.
    `nodes` are the machines of a cluster by name, each with the images that it judged.
    """

    tally: Tally
    header: dict[str, Any]
    seconds: float
    resumed: int
    known: int
    copies_missed: int
    manifest_sha256: str = ""
    nodes: dict[str, int] = field(default_factory=dict)


def run_scan(
    options: ScanOptions, callbacks: Callbacks, engine: Engine = on_this_machine
) -> Outcome:
    """Scan and write every report; `engine` judges.

    Raises a FakeFaceError; then no report was replaced, and the journal beside the first report
    holds what was finished.
    """
    require_inputs(options, callbacks.stop)  # before a model is read, let alone loaded
    checkpoint = find_model(options.judge.model)
    lists_of(options.evidence)  # to be refused before anything is done
    known = known_pictures(options.evidence)
    check_targets(options)
    with contextlib.ExitStack() as stack:
        skipped = stack.enter_context(SkippedList(options.list_skipped, options.csv_bom))
        source = input_source(options.source, skipped.add, callbacks.stop)
        for target in options.reports:
            if not target.is_stdout:
                stack.enter_context(locked(target.file))
        state = _open_state(options, checkpoint, stack) if options.state else None
        head = _journal_head(options, checkpoint, known)
        output = Output(options, checkpoint, head, callbacks.say, known, callbacks.stop)
        stack.callback(output.close)
        callbacks.on_start()  # from here on nothing refuses the run
        try:
            return _scan_and_report(source, output, state, callbacks, skipped, engine)
        except Interrupted as stopped:
            raise (stopped.resumable() if output.resumable else stopped) from None


def require_inputs(options: ScanOptions, stop: Callable[[], None] = lambda: None) -> None:
    """Raise NothingToDo where the inputs hold no image; with --since-last they may be empty.

    So may a shard be of inputs that do hold one.
    """
    refuse_for_urls(options)
    found = next(iter(input_source(replace(options.source, shard=None), stop=stop)), None)
    # a queue that was emptied is a night without new images, and not a mistake in a command line
    if found is None and not (options.state and options.since_last):
        raise NothingToDo("no image found in the inputs; nothing was scanned or written")


def exit_code_of(tally: Tally, fail_on: frozenset[FailOn]) -> ExitCode:
    """The exit code of a complete run."""
    unreadable = tally.status[Status.ERROR] > 0
    if any(map(tally.matches, fail_on)):
        return ExitCode.FAIL_ON_AND_UNREADABLE if unreadable else ExitCode.FAIL_ON
    return ExitCode.SOME_UNREADABLE if unreadable else ExitCode.COMPLETE


def _open_state(
    options: ScanOptions, checkpoint: AnyCheckpoint, stack: contextlib.ExitStack
) -> State:
    """Open the state, locked until the stack ends."""
    # before the journal is opened: a state that is refused must not cost an interrupted run's one
    path = os.path.realpath(options.state or "")
    stack.enter_context(locked(path))
    state = State(path, options, checkpoint, versions(checkpoint))
    stack.callback(state.close)
    return state


def _scan_and_report(
    source: CountingSource,
    output: Output,
    state: State | None,
    callbacks: Callbacks,
    skipped: SkippedList,
    engine: Engine,
) -> Outcome:
    if state:
        state.begin(output.head["run_id"])
    for report in output.start():
        callbacks.on_report(report)
    inputs: ImageSource = source
    if output.options.redact_paths:
        inputs = RedactedSource(source, output.head["redaction"])
    pending = PendingReports(
        inputs,
        output,
        state,
        callbacks.stop,
        skipped.add,
        callbacks.on_judging,
        engine=engine,
        on_nodes=callbacks.on_nodes,
    )
    for report in pending:
        output.take(report)
        callbacks.on_report(report)
    callbacks.stop()
    if pending.not_new:
        source.skipped[JUDGED_BEFORE] = pending.not_new
    header = _header(output, pending, source)
    # The verdicts are saved even if a report cannot be written. That they were reported is noted
    # last: with --since-last, what could not be written must be in the next run's report
    if state:
        state.save()
    skipped.commit()
    output.commit(header)
    if state and output.options.reports:
        state.reported()
    return Outcome(
        tally=output.tally,
        header=header,
        seconds=pending.seconds,
        resumed=len(output.done),
        known=pending.known,
        copies_missed=pending.copies_missed,
        manifest_sha256=output.manifest_sha256,
        nodes=pending.nodes,
    )


def known_pictures(options: EvidenceOptions) -> KnownPictures | None:
    """The lists of known pictures; UsageError for one that cannot be used here."""
    if not options.known:
        return None
    known = read_known(options.known)
    if known.needs_pdq and not pdq.is_installed():
        raise UsageError(f"--known with PDQ hashes needs pdqhash; {how_to_install('pdq')}")
    return known


def _journal_head(
    options: ScanOptions, checkpoint: AnyCheckpoint, known: KnownPictures | None
) -> dict[str, Any]:
    """The journal's first line; runs with the same fingerprint make the same rows."""
    # rows and finished images are known by their paths as typed, which depend on this folder
    where = [os.getcwd(), asdict(options.source)]
    # with --since-last the state says which rows there are; otherwise it only saves work
    state = os.path.abspath(options.state) if options.state and options.since_last else None
    what = [where, options.affecting_rows, state, checkpoint.sha256, versions(checkpoint)]
    if lists := lists_of(options.evidence):
        what.append(lists.sha256)
    if known:
        what.append(known.sha256)
    return {
        "redaction": new_secret() if options.redact_paths else "",
        "fingerprint": hashlib.sha256(json.dumps(what).encode()).hexdigest(),
        "run_id": uuid.uuid4().hex,
        "started": _now(),
    }


def _named(path: str, redacts: bool) -> str:
    return in_json(os.path.basename(path) if redacts else path)[0]


def _evidence(
    options: EvidenceOptions, known: KnownPictures | None, redacts: bool
) -> dict[str, Any]:
    """What claims were checked against: another list would give other rows."""
    lists = lists_of(options)
    trusted = lists and lists.trusted
    own = lists and options.generators
    return {
        "provenance": options.provenance,
        "stability": str(options.stability),
        "trust_list": trusted
        and {
            "file": _named(trusted.path, redacts),
            "sha256": trusted.sha256,
            "certificates": trusted.certificates,
        },
        "known": [
            {
                "file": _named(one.path, redacts),
                "sha256": one.sha256,
                "entries": len(one.entries),
                "skipped": one.skipped,
            }
            for one in (known.lists if known else ())
        ],
        "generators": own
        and {"file": _named(own, redacts), "sha256": lists and lists.table.sha256},
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _header(output: Output, pending: PendingReports, source: CountingSource) -> dict[str, Any]:
    card, options = output.checkpoint.card, output.options
    thresholds = options.judge.thresholds or card.thresholds
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
            "calibration": card.calibration.facts() | {"state": card.calibration.state},
            "thresholds": asdict(thresholds),
            "min_face_px": card.min_face_px,
        },
        "device": pending.device,
        "precision": pending.precision,
        "versions": versions(output.checkpoint),
        "options": described(options),
        "evidence": _evidence(options.evidence, output.known, options.redact_paths),
        "counts": output.tally.counts(source.skipped),
        **({"nodes": pending.nodes} if pending.nodes else {}),
    }
