"""`fakeface bench`: how fast is this machine, and what does it wait for?"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.files import atomic_write
from fakefacecli.base.memory import parse_size
from fakefacecli.base.options import (
    DEFAULT_MODEL,
    DecodeOptions,
    Detectors,
    EngineName,
    EngineOptions,
    JudgeOptions,
    Precision,
    ScanOptions,
    SourceOptions,
    Turns,
)
from fakefacecli.base.text import printable
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary, say, stoppable
from fakefacecli.cli.parse import parse_batch_size, refuse_if
from fakefacecli.cli.streams import reports_alone

if TYPE_CHECKING:
    from rich.table import Table


_SHOWN = {"detect_second": "second detector"}


@dataclass(frozen=True, slots=True)
class BenchFlags:
    """What was typed after `fakeface bench`."""

    folder: Annotated[str, typer.Argument(metavar="FOLDER", show_default=False)]
    json_: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE|-", help="Write the figures; - is stdout."),
    ] = None
    runs: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Scans of the folder.")] = 3
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N images.")
    ] = None
    model: Annotated[str, flags.model("A bundled model or a checkpoint.")] = DEFAULT_MODEL
    min_face: Annotated[int, flags.min_face("Smallest face looked for, in px.")] = 40
    detector: flags.Detector = Detectors.BOTH
    turns: flags.LookTurned = Turns.AUTO
    device: Annotated[str, flags.device()] = "auto"
    precision: Annotated[Precision, flags.precision("What faces are judged in.")] = Precision.AUTO
    batch_size: Annotated[str, flags.batch_size()] = "auto"
    max_memory: Annotated[str | None, flags.max_memory()] = None
    workers: Annotated[
        int | None,
        flags.workers("Decoder processes (default: one per core, 8 at most without a GPU)."),
    ] = None
    engine: Annotated[EngineName, flags.engine("Who judges")] = EngineName.LOCAL
    ray_address: flags.RayAddress = None


@error_boundary
@flags.takes(BenchFlags)
def bench(given: BenchFlags) -> ExitCode:
    """Measure a scan of FOLDER: rates of every stage and of the whole, memory, the ceiling."""
    from fakefacecli.bench.run import bench as measure
    from fakefacecli.scan.machine import default_workers
    from fakefacecli.scan.targets import check_file

    refuse_if(
        {
            "--ray-address goes with --engine ray": given.ray_address is not None
            and given.engine is EngineName.LOCAL
        }
    )
    options = ScanOptions(
        SourceOptions((given.folder,)),
        judge=JudgeOptions(
            model=given.model,
            min_face_px=given.min_face,
            device=given.device,
            precision=given.precision,
            batch_size=parse_batch_size(given.batch_size),
            detector=given.detector,
            turns=given.turns,
        ),
        decode=DecodeOptions(given.workers or default_workers(given.device)),
        max_memory=parse_size(given.max_memory) if given.max_memory is not None else None,
        engine=EngineOptions(given.engine, given.ray_address),
    )
    if given.json_ and given.json_ != "-":
        check_file(given.json_)  # now rather than after minutes of measuring
    with stoppable(last_words="nothing was written") as stop:
        if given.engine is EngineName.RAY:
            from fakefacecli.cluster.bench import bench_engines

            with reports_alone():  # Ray prints what goes wrong to stdout
                found = bench_engines(options, given.runs, given.limit, stop, complain)
        else:
            found = measure(options, given.runs, given.limit, stop, complain)
    figures = json.dumps(found, indent=2) + "\n"
    # one thing on stdout: the figures for a program, or the table for people
    if given.json_ == "-":
        say(figures)
    elif given.engine is EngineName.RAY:
        _show_engines(found)
    else:
        _show(found)
    if given.json_ and given.json_ != "-":
        with atomic_write(given.json_, "w", encoding="utf-8") as handle:
            handle.write(figures)
    return ExitCode.SOME_UNREADABLE if found["unreadable"] else ExitCode.COMPLETE


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    place, settings, memory = found["machine"], found["settings"], found["memory"]
    lines = [
        f"{place['processor']}, {place['cores']} cores, {place['memory_gib']} GiB"
        f"{', ' + place['gpu'] if place['gpu'] else ''}",
        f"{settings['device']}, {settings['precision']}; {found['images']} images "
        f"({found['unreadable']} unreadable), {found['faces']} faces, {settings['runs']} runs",
    ]
    for line in lines:
        # Text: in a plain str rich takes [brackets] for markup
        console.print(Text(printable(line)), soft_wrap=True)
    console.print(_table(found))
    after = [f"images/s from run to run: {_range(found['end_to_end']['images_per_s'])}"]
    after.append(
        f"memory: {memory['peak_mb']:.0f} MB at most, {memory['before_mb']:.0f} MB before the runs"
    )
    # None: not known on a system without /proc, or no GPU
    if memory["decoders_mb"] is not None:
        after.append(f"memory of the decoder processes: {memory['decoders_mb']:.0f} MB at most")
    if memory["gpu_peak_mb"] is not None:
        after.append(f"GPU memory: {memory['gpu_peak_mb']:.0f} MB at most")
    if found["gpu_busy"] is not None:
        after.append(f"the GPU was at work {100 * found['gpu_busy']:.0f} % of a run's time")
    after.append(f"loading took {found['load_s']:.1f} s")
    for line in after:
        console.print(Text(line), soft_wrap=True)


def _show_engines(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    words = f"{found['images']} images ({found['unreadable']} unreadable), {found['runs']} runs"
    console.print(Text(words), soft_wrap=True)
    table = Table("engine", "images/s", "from run to run", "loading", box=None, padding=(0, 2))
    for engine in found["engines"]:
        rate, actors = engine["images_per_s"], engine["actors"]
        workers = f"ray, {actors} {'worker' if actors == 1 else 'workers'}"
        name = "this machine" if actors is None else workers
        span = f"{rate['least']:.1f} to {rate['most']:.1f}"
        table.add_row(name, f"{rate['median']:.1f}", span, f"{engine['load_s']:.0f} s")
    console.print(table)


def _table(found: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table("median", "images/s", "faces/s", "share of time", box=None, padding=(0, 2))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, stage in found["stages"].items():
        one, more = ("process", "processes") if name == "decode" else ("thread", "threads")
        hands = f"{stage['hands']} {one if stage['hands'] == 1 else more}"
        share = f"{100 * stage['share_of_time']['median']:.0f} %"
        table.add_row(f"{_SHOWN.get(name, name)}, {hands}", *_medians(stage), share)
    table.add_row("decode only", *_medians(found["decode_only"]), "")
    table.add_row("end to end", *_medians(found["end_to_end"]), "", style="bold")
    return table


def _medians(rates: dict[str, Any]) -> list[str]:
    return [f"{rates[name]['median']:.1f}" for name in ("images_per_s", "faces_per_s")]


def _range(spread: dict[str, float]) -> str:
    return f"{spread['median']:.1f} ({spread['least']:.1f} to {spread['most']:.1f})"
