"""The flags that several commands have: the only place for the name, metavar and limits of each.

A flag that is the same in all commands is a type to annotate with; where the help text or its panel
differs, it is a function that takes them. A flag of one command is defined beside that command.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar, get_type_hints

import typer

from fakefacecli.base.options import Detectors, Turns

DEVICES = "auto, cpu, cuda, cuda:N or mps"
RUNNING = "Running"  # the panel of --help for what changes no result

Flags = TypeVar("Flags")
Result = TypeVar("Result")
P = ParamSpec("P")


def takes(record: Callable[P, Flags]) -> Callable[[Callable[[Flags], Result]], Callable[P, Result]]:
    """Decorate a command that takes its flags as one `record`: a dataclass, one field per flag.

    Typer makes flags of a function's parameters. Thirty parameters would have to be passed on one
    by one; a record is passed on whole.
    """
    hints = get_type_hints(record, include_extras=True)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, parameter in inspect.signature(record).parameters.items()
    ]

    def decorated(command: Callable[[Flags], Result]) -> Callable[P, Result]:
        @functools.wraps(command)
        def run(*args: P.args, **values: P.kwargs) -> Result:
            return command(record(*args, **values))

        # what typer reads instead of `run`'s own parameters
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorated


def model(words: str, panel: str | None = None) -> Any:
    """--model: `words` are its help."""
    return typer.Option(metavar="NAME|FILE", help=words, rich_help_panel=panel)


def threshold(words: str, panel: str | None = None) -> Any:
    """--threshold, for parse_thresholds."""
    return typer.Option(metavar="LOW,HIGH", help=words, rich_help_panel=panel)


def min_face(words: str, panel: str | None = None) -> Any:
    """--min-face, in pixels."""
    # 12: the smallest window of the detector's first network
    return typer.Option(metavar="N", min=12, max=2000, help=words, rich_help_panel=panel)


def detector(words: str, panel: str | None = None) -> Any:
    """--detector."""
    return typer.Option(help=words, rich_help_panel=panel)


def device(words: str | None = None, panel: str | None = None) -> Any:
    """--device, for scan.machine.pick_device."""
    words = f"{words or 'Where it runs'}: {DEVICES}."
    return typer.Option(metavar="DEVICE", help=words, rich_help_panel=panel)


def precision(words: str, panel: str | None = None) -> Any:
    """--precision."""
    return typer.Option(help=words, rich_help_panel=panel)


def batch_size(panel: str | None = None) -> Any:
    """--batch-size of a scan, for parse.parse_batch_size."""
    words = "Images at once, 1 to 1,024; auto: 16, with a GPU as many as its free memory allows."
    return typer.Option(metavar="N", help=words, rich_help_panel=panel)


def workers(words: str, panel: str | None = None) -> Any:
    """--workers; None stands for scan.machine.default_workers."""
    return typer.Option(metavar="N", min=1, max=64, help=words, rich_help_panel=panel)


def faces_only(panel: str | None = None) -> Any:
    """--faces-only."""
    words = "The images are ready face crops."
    return typer.Option("--faces-only", help=words, rich_help_panel=panel)


def faces_scale(default: str, panel: str | None = None) -> Any:
    """--faces-scale; `default` says which scale it is otherwise."""
    words = f"With --faces-only: a crop's side over the face's box ({default})."
    return typer.Option(metavar="X", min=1.0, max=4.0, help=words, rich_help_panel=panel)


def max_memory(panel: str | None = None) -> Any:
    """--max-memory, for memory.parse_size."""
    words = "What pictures may take beside the model, such as 2G (default: a quarter of all)."
    return typer.Option(metavar="SIZE", help=words, rich_help_panel=panel)


def turns(panel: str | None = None) -> Any:
    """--turns."""
    words = "Look for faces in the picture turned by quarters too (auto: where in doubt)."
    return typer.Option(help=words, rich_help_panel=panel)


def stability(panel: str | None = None) -> Any:
    """--stability."""
    words = "Judge these faces again after small changes; one whose verdict flips is inconclusive."
    return typer.Option(help=words, rich_help_panel=panel)


def trust_list(panel: str | None = None) -> Any:
    """--trust-list, for evidence.c2pa.read_trust_list."""
    words = "Signers of C2PA manifests to be trusted (PEM)."
    return typer.Option(metavar="FILE", help=words, rich_help_panel=panel)


def generators(panel: str | None = None) -> Any:
    """--generators, for evidence.generators.read_table."""
    words = "More rules for the table of generators (TOML)."
    return typer.Option(metavar="FILE", help=words, rich_help_panel=panel)


def engine(who: str) -> Any:
    """--engine; `who` says what it chooses."""
    words = f"{who}: this machine, or a Ray cluster."
    return typer.Option(metavar="local|ray", help=words, rich_help_panel=RUNNING)


def ray_workers(words: str) -> Any:
    """How many workers a cluster is asked for."""
    return typer.Option(metavar="N", min=1, max=100_000, help=words, rich_help_panel=RUNNING)


def progress(words: str) -> Any:
    """--progress."""
    return typer.Option(help=words, rich_help_panel=RUNNING)


RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="The cluster (auto: this machine's; default: a new one).",
        rich_help_panel=RUNNING,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only errors on stderr.", rich_help_panel=RUNNING)
]
TrustList = Annotated[str | None, trust_list()]
Generators = Annotated[str | None, generators()]
LookTurned = Annotated[Turns, turns()]
Model = Annotated[str, model("The model.")]
Device = Annotated[str, device("As in scan")]
Detector = Annotated[Detectors, detector("As in scan.")]

# of the commands that measure a model
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A folder with real/ and fake/, or a CSV with path and label."
    ),
]
TargetFpr = Annotated[
    float,
    typer.Option(
        metavar="X",
        min=1e-6,
        max=0.5,
        help="The part of real faces that may be flagged: sets HIGH.",
    ),
]
MinFace = Annotated[int, min_face("Smallest face, px.")]
FacesOnly = Annotated[bool, faces_only()]
FacesScale = Annotated[float | None, faces_scale("the model's own")]
