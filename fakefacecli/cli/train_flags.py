"""The flags of `fakeface train`, by the panels of its help."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from fakefacecli.base.options import EngineName, Progress, Turns
from fakefacecli.cli import flags
from fakefacecli.cli.flags import RUNNING
from fakefacecli.train.options import TrainOptions

DATA = "Data"
_data = partial(typer.Option, rich_help_panel=DATA)
_model = partial(typer.Option, rich_help_panel="Model")
_learning = partial(typer.Option, rich_help_panel="Learning")
_running = partial(typer.Option, rich_help_panel=RUNNING)


@dataclass(frozen=True, slots=True)
class TrainFlags:
    """What was typed after `fakeface train`; None where the default depends on other flags."""

    data: Annotated[str, typer.Argument(metavar="DATA", help="Folders real/ and fake/, or a CSV.")]
    out: Annotated[str, typer.Option(metavar="FILE", help="The checkpoint (.safetensors).")]

    faces_only: Annotated[bool, flags.faces_only(DATA)] = False
    faces_scale: Annotated[float | None, flags.faces_scale("that of the window", DATA)] = None
    cache: Annotated[
        str | None, _data(metavar="DIR", help="Where cut faces are kept (FILE.faces).")
    ] = None
    min_face: Annotated[int, flags.min_face("Smallest face cut out, in px.", DATA)] = 40
    turns: Annotated[Turns, flags.turns(DATA)] = Turns.AUTO
    allow_shortcuts: Annotated[
        bool, _data("--allow-shortcuts", help="Train although file traits tell the classes apart.")
    ] = False

    backbone: Annotated[
        str | None,
        _model(
            metavar="NAME",
            help="inception_resnet_v1 (default), resnet18, resnet50, mobilenet_v1, mobilenet_v2, "
            "a classifier of torchvision, or timm/NAME.",
        ),
    ] = None
    head: Annotated[
        str | None, _model(metavar="linear|1000-500", help="Last layers (1000-500: resnet50).")
    ] = None
    pretrained: Annotated[bool, _model("--pretrained", help="Start from public weights.")] = False
    init: Annotated[
        str | None, _model(metavar="NAME|FILE", help="Start from a model of fakeface.")
    ] = None
    input_: Annotated[
        str | None,
        _model(
            "--input",
            metavar="rgb|ela",
            help="What the network sees: colours (default), or Error Level Analysis.",
        ),
    ] = None
    input_px: Annotated[
        int | None,
        _model(metavar="N", min=16, max=1024, help="Its side (160 for faces, else 224)."),
    ] = None
    crop_scale: Annotated[
        float | None,
        _model(
            metavar="X",
            min=1.0,
            max=1.8,
            help="What it sees over the box's longer side (1.15; --view: all).",
        ),
    ] = None
    view: Annotated[
        str | None,
        _model(
            metavar="window|native",
            help="See faces as a judge's member does: part of a wide window, or its own pixels.",
        ),
    ] = None
    level: Annotated[bool, _model("--level", help="With --view: turn windows level.")] = False
    via_px: Annotated[
        int | None,
        _model(
            metavar="N",
            min=16,
            max=1024,
            help="With --view window: resize the window to this first.",
        ),
    ] = None
    lora: Annotated[
        int | None,
        _model(min=1, max=256, metavar="RANK", help="Tune a transformer by low-rank adapters."),
    ] = None

    freeze: Annotated[
        str,
        _learning(
            metavar="none|backbone|N",
            help="What is not trained: all but the head, or the first N blocks.",
        ),
    ] = "none"
    unfreeze_every: Annotated[
        int,
        _learning(
            metavar="N", min=0, help="Unfreeze one more block after each N epochs (0: never)."
        ),
    ] = 0
    dropout: Annotated[float, _learning(metavar="X", min=0.0, max=0.95)] = TrainOptions.dropout
    optimizer: Annotated[str, _learning(metavar="adamw|sgd")] = TrainOptions.optimizer
    lr: Annotated[
        float | None,
        _learning(
            metavar="X",
            min=1e-8,
            max=10,
            help="Largest learning rate (adamw 1e-3, sgd 1e-2; a third with --pretrained, --init).",
        ),
    ] = None
    weight_decay: Annotated[float, _learning(metavar="X", min=0.0, max=1.0)] = (
        TrainOptions.weight_decay
    )
    schedule: Annotated[
        str,
        _learning(
            metavar="SCHEDULE",
            help="How the rate falls: cosine, step (to a tenth after each third) or constant.",
        ),
    ] = TrainOptions.schedule
    epochs: Annotated[int, _learning(metavar="N", min=1)] = TrainOptions.epochs
    patience: Annotated[
        int,
        _learning(metavar="N", min=0, help="Stop after N epochs without a better one (0: never)."),
    ] = TrainOptions.patience
    balance: Annotated[
        bool,
        _learning(
            "--balance/--no-balance",
            help="Classes half and half, groups by the root of their size.",
        ),
    ] = True
    augment: Annotated[
        bool,
        _learning("--augment/--no-augment", help="Vary the faces at random, against shortcuts."),
    ] = True
    self_blended: Annotated[
        float,
        _learning(
            min=0.0,
            max=0.5,
            metavar="SHARE",
            help="Share of each batch: fakes made by blending a real face into itself.",
        ),
    ] = 0.0
    reconstructed: Annotated[
        float,
        _learning(
            min=0.0,
            max=0.5,
            metavar="SHARE",
            help="Share of each batch: fakes made by an autoencoder from a real face.",
        ),
    ] = 0.0
    seed: Annotated[int, _learning(metavar="N", min=0, max=2**31)] = 0

    batch_size: Annotated[int, _running(metavar="N", min=2, max=4096, help="Faces at once.")] = (
        TrainOptions.batch_size
    )
    amp: Annotated[
        bool | None,
        _running("--amp/--no-amp", help="Mixed precision, bfloat16 (default: on CUDA)."),
    ] = None
    device: Annotated[str, flags.device(panel=RUNNING)] = "auto"
    workers: Annotated[
        int | None,
        flags.workers("Decoders (default: one per core, 8 at most without a GPU).", RUNNING),
    ] = None
    engine: Annotated[EngineName, flags.engine("Who trains")] = EngineName.LOCAL
    ray_address: flags.RayAddress = None
    train_workers: Annotated[
        int | None,
        flags.ray_workers("Ray's workers (default: one per GPU, else one per CPU, 8 at most)."),
    ] = None
    resume: Annotated[bool, _running("--resume", help="Go on with an interrupted training.")] = (
        False
    )
    progress: Annotated[Progress, flags.progress("Progress bars on stderr.")] = Progress.AUTO
    quiet: flags.Quiet = False
