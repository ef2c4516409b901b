"""The flags of `fakeface scan`, by the panels of its help."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from fakefacecli.base.options import (
    DEFAULT_MODEL,
    Detectors,
    EngineName,
    Explain,
    Frames,
    Precision,
    Progress,
    Stability,
    Turns,
)
from fakefacecli.cli import flags
from fakefacecli.cli.flags import RUNNING

JUDGING = "Judging"
EVIDENCE = "Evidence"
_input = partial(typer.Option, rich_help_panel="Inputs")
_output = partial(typer.Option, rich_help_panel="Outputs")
_judging = partial(typer.Option, rich_help_panel=JUDGING)
_evidence = partial(typer.Option, rich_help_panel=EVIDENCE)
_nightly = partial(typer.Option, rich_help_panel="Nightly runs")
_running = partial(typer.Option, rich_help_panel=RUNNING)


@dataclass(frozen=True, slots=True)
class ScanFlags:
    """What was typed after `fakeface scan`."""

    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS", help="Files, folders and URLs.", show_default=False),
    ] = None
    recursive: Annotated[bool, _input("--recursive/--no-recursive", help="Walk folders below.")] = (
        True
    )
    include: Annotated[
        list[str] | None,
        _input(metavar="GLOB", help="Take only matching files, whatever their suffix. Repeatable."),
    ] = None
    exclude: Annotated[
        list[str] | None, _input(metavar="GLOB", help="Pass over files and folders. Repeatable.")
    ] = None
    files_from: Annotated[
        str | None, _input(metavar="FILE|-", help="Read more paths, one per line.")
    ] = None
    zero: Annotated[bool, _input("-0", help="--files-from is NUL-separated.")] = False
    frames: Annotated[
        Frames,
        _input(
            metavar="first|sample|all",
            help="Pictures judged of a file with several (sample: 8 at most).",
        ),
    ] = Frames.SAMPLE
    follow_symlinks: Annotated[
        bool, _input("--follow-symlinks", help="Read what symbolic links point to.")
    ] = False

    shard: Annotated[
        str | None,
        _input(metavar="I/N", help="Take part I of N, by a hash of each name: 1/8 to 8/8."),
    ] = None

    report: Annotated[
        list[str] | None,
        _output(
            metavar="FILE|-",
            help="Write rows: .csv, .json, .jsonl, .html, .parquet or .sqlite by suffix; "
            "- is stdout. Repeatable.",
        ),
    ] = None
    format_: Annotated[
        str | None,
        _output(
            "--format",
            metavar="csv|json|jsonl",
            help="Format of --report - (jsonl by default).",
        ),
    ] = None
    overlays: Annotated[str | None, _output(metavar="DIR", help="Save heatmaps of faces.")] = None
    csv_bom: Annotated[
        bool, _output("--csv-bom", help="Begin CSV files with a byte order mark, for Excel.")
    ] = False
    # None and not the default: --explain without --overlays is refused, and must be seen
    explain: Annotated[
        Explain | None,
        _output(
            metavar="FACES",
            help="Faces with an overlay: flagged (default), inconclusive (and those), all, none.",
        ),
    ] = None
    copy_flagged: Annotated[str | None, _output(metavar="DIR", help="Copy flagged images.")] = None

    contact_sheet: Annotated[
        str | None,
        _output(metavar="FILE", help="Draw the flagged faces on one sheet (.png or .jpg)."),
    ] = None
    manifest: Annotated[
        str | None,
        _output(metavar="FILE", help="Write the hashes of inputs, reports and overlays (JSON)."),
    ] = None
    redact_paths: Annotated[
        bool, _output("--redact-paths", help="Name no input: stand-ins take the names' place.")
    ] = False
    list_skipped: Annotated[
        str | None, _output(metavar="FILE", help="Write a CSV of what was passed over, and why.")
    ] = None

    model: Annotated[str, flags.model("A bundled model or a checkpoint of fakeface.", JUDGING)] = (
        DEFAULT_MODEL
    )
    threshold: Annotated[
        str | None,
        flags.threshold(
            "Flag at HIGH and above, clear below LOW (default: the model's own).", JUDGING
        ),
    ] = None
    min_face: Annotated[
        int,
        flags.min_face(
            "Smallest face looked for, in px; a box may come out up to about half smaller.",
            JUDGING,
        ),
    ] = 40
    detector: Annotated[
        Detectors, flags.detector("Who looks for faces: MTCNN, or CenterFace as well.", JUDGING)
    ] = Detectors.BOTH
    turns: Annotated[Turns, flags.turns(JUDGING)] = Turns.AUTO
    provenance: Annotated[
        bool,
        _evidence("--provenance/--no-provenance", help="Read what each file says of its origin."),
    ] = True
    trust_list: Annotated[str | None, flags.trust_list(EVIDENCE)] = None
    generators: Annotated[str | None, flags.generators(EVIDENCE)] = None
    known: Annotated[
        list[str] | None,
        _evidence(metavar="FILE", help="A list of known pictures: PDQ or sha256. Repeatable."),
    ] = None
    stability: Annotated[Stability, flags.stability(EVIDENCE)] = Stability.FLAGGED
    fail_on: Annotated[
        str | None,
        _judging(
            metavar="WHAT",
            help="Exit 10 (13) on flagged, inconclusive, provenance, known; comma-separated.",
        ),
    ] = None

    state: Annotated[
        str | None,
        _nightly(
            metavar="FILE",
            help="Remember what was judged here; judge only what is new or changed.",
        ),
    ] = None
    since_last: Annotated[
        bool,
        _nightly(
            "--since-last", help="Report only what no complete run with this state has reported."
        ),
    ] = False
    verify_hash: Annotated[
        bool,
        _nightly(
            "--verify-hash", help="Read every file's bytes; do not rely on path, size and time."
        ),
    ] = False

    device: Annotated[str, flags.device(panel=RUNNING)] = "auto"
    precision: Annotated[
        Precision,
        flags.precision(
            "What faces are judged in (auto: bf16 if model and device suit it).", RUNNING
        ),
    ] = Precision.AUTO
    early_exit: Annotated[
        bool,
        _running("--early-exit", help="Ask a judge's slow networks only where the others doubt."),
    ] = False
    batch_size: Annotated[str, flags.batch_size(RUNNING)] = "auto"
    workers: Annotated[
        int | None,
        flags.workers(
            "Decoder processes (default: one per core, 8 at most without a GPU).", RUNNING
        ),
    ] = None
    timeout: Annotated[
        float, _running(metavar="X", min=0.1, max=3600, help="Seconds a file may take to decode.")
    ] = 10.0
    max_pixels: Annotated[
        int, _running(metavar="N", min=1, max=1_000_000_000, help="Largest image decoded.")
    ] = 100_000_000
    max_memory: Annotated[str | None, flags.max_memory(RUNNING)] = None
    engine: Annotated[EngineName, flags.engine("Who judges")] = EngineName.LOCAL
    ray_address: flags.RayAddress = None
    actors: Annotated[int | None, flags.ray_workers("Ray's workers (default: all that fit).")] = (
        None
    )
    gpus_per_actor: Annotated[
        float | None,
        _running(metavar="X", min=0, max=16, help="GPUs of each worker, such as 0.5 (default: 1)."),
    ] = None
    resume: Annotated[
        bool, _running("--resume", help="Go on from an interrupted run's journal.")
    ] = False
    progress: Annotated[Progress, flags.progress("Progress bar on stderr.")] = Progress.AUTO
    quiet: flags.Quiet = False
    dry_run: Annotated[bool, _running("--dry-run", help="List the inputs and stop.")] = False
