"""`fakeface train DATA`: flags to options, a training, a table row an epoch."""

from typing import Annotated

import typer

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.options import Progress
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.parse import refuse_idle
from fakefacecli.train.options import OPTIMIZERS, SCHEDULES, TrainOptions

DATA, MODEL, LEARNING, RUNNING = "Data", "Model", "Learning", "Running"
_GRACE_SECONDS = 30.0  # a step of a large network takes longer than one of a scan


@error_boundary
def train(  # noqa: PLR0913, PLR0917 - one parameter a flag
    data: Annotated[str, typer.Argument(metavar="DATA", help="Folders real/ and fake/, or a CSV.")],
    out: Annotated[str, typer.Option(metavar="FILE", help="The checkpoint (.safetensors).")],
    faces_only: Annotated[
        bool,
        typer.Option("--faces-only", help="The images are ready face crops.", rich_help_panel=DATA),
    ] = False,
    faces_scale: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=4.0,
            help="With --faces-only: a crop's side over the face's box (that of the window).",
            rich_help_panel=DATA,
        ),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Where cut faces are kept (FILE.faces).", rich_help_panel=DATA
        ),
    ] = None,
    min_face: Annotated[
        int,
        typer.Option(min=12, max=2000, help="Smallest face cut out, in px.", rich_help_panel=DATA),
    ] = 40,
    allow_shortcuts: Annotated[
        bool,
        typer.Option(
            "--allow-shortcuts",
            help="Train although file traits tell the classes apart.",
            rich_help_panel=DATA,
        ),
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="inception_resnet_v1 (default), resnet18, resnet50, mobilenet_v1, mobilenet_v2, "
            "a classifier of torchvision, or timm/NAME.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="linear|1000-500",
            help="Last layers (1000-500: resnet50).",
            rich_help_panel=MODEL,
        ),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option("--pretrained", help="Start from public weights.", rich_help_panel=MODEL),
    ] = False,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Start from a model of fakeface.", rich_help_panel=MODEL
        ),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="rgb|ela",
            help="What the network sees: colours (default), or Error Level Analysis.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    input_px: Annotated[
        int | None,
        typer.Option(
            min=16, max=1024, help="Its side (160 for faces, else 224).", rich_help_panel=MODEL
        ),
    ] = None,
    crop_scale: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=1.3,
            help="The window over the box's longer side (1.15).",
            rich_help_panel=MODEL,
        ),
    ] = None,
    freeze: Annotated[
        str,
        typer.Option(
            metavar="none|backbone|N",
            help="What does not learn: all but the head, or the first N blocks.",
            rich_help_panel=LEARNING,
        ),
    ] = "none",
    unfreeze_every: Annotated[
        int,
        typer.Option(
            min=0,
            help="Thaw the last frozen block after each N epochs (0: never).",
            rich_help_panel=LEARNING,
        ),
    ] = 0,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.95, rich_help_panel=LEARNING)
    ] = TrainOptions.dropout,
    optimizer: Annotated[
        str, typer.Option(metavar="adamw|sgd", rich_help_panel=LEARNING)
    ] = TrainOptions.optimizer,
    lr: Annotated[
        float | None,
        typer.Option(
            min=1e-8,
            max=10,
            help="Largest learning rate (adamw 1e-3, sgd 1e-2; a third with --pretrained, --init).",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    weight_decay: Annotated[
        float, typer.Option(min=0.0, max=1.0, rich_help_panel=LEARNING)
    ] = TrainOptions.weight_decay,
    schedule: Annotated[
        str,
        typer.Option(
            metavar="cosine|step|constant",
            help="How the rate falls (step: to a tenth after each third).",
            rich_help_panel=LEARNING,
        ),
    ] = TrainOptions.schedule,
    epochs: Annotated[int, typer.Option(min=1, rich_help_panel=LEARNING)] = TrainOptions.epochs,
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after N epochs without a better one (0: never).",
            rich_help_panel=LEARNING,
        ),
    ] = TrainOptions.patience,
    balance: Annotated[
        bool,
        typer.Option(
            "--balance/--no-balance",
            help="Classes half and half, groups by the root of their size.",
            rich_help_panel=LEARNING,
        ),
    ] = True,
    augment: Annotated[
        bool,
        typer.Option(
            "--augment/--no-augment",
            help="Disturb the faces against shortcuts.",
            rich_help_panel=LEARNING,
        ),
    ] = True,
    seed: Annotated[int, typer.Option(min=0, max=2**31, rich_help_panel=LEARNING)] = 0,
    batch_size: Annotated[
        int, typer.Option(min=2, max=4096, help="Faces at once.", rich_help_panel=RUNNING)
    ] = TrainOptions.batch_size,
    amp: Annotated[
        bool | None,
        typer.Option(
            "--amp/--no-amp",
            help="Mixed precision, bfloat16 (default: on CUDA).",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|cuda:N|mps", rich_help_panel=RUNNING)
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Decoders (default: one a core, 8 at most).",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with an interrupted training.", rich_help_panel=RUNNING
        ),
    ] = False,
    progress: Annotated[
        Progress, typer.Option(help="Progress bars on stderr.", rich_help_panel=RUNNING)
    ] = Progress.AUTO,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Only errors on stderr.", rich_help_panel=RUNNING),
    ] = False,
) -> ExitCode:
    """Train a model on labelled images; audit them for shortcuts first."""
    _check(out, optimizer, schedule, head, input_)
    refuse_idle(
        {
            "--faces-scale goes with --faces-only": faces_scale is not None and not faces_only,
            "--pretrained and --init both say what to start from": pretrained and init,
            "--unfreeze-every goes with --freeze": unfreeze_every and freeze == "none",
            "--init brings its own backbone, head and input; leave their flags out": init
            and (backbone or head or input_ or input_px or crop_scale),
        }
    )
    from fakefacecli.labelled.data import CACHE_ENDING
    from fakefacecli.scan.build import default_workers, pick_device

    where = pick_device(device)
    scale = _scale_of(init) if init else crop_scale or TrainOptions.crop_scale
    options = TrainOptions(
        data=data,
        out=out,
        cache=cache or f"{out}{CACHE_ENDING}",
        ready_scale=(faces_scale or scale) if faces_only else None,
        backbone=backbone or TrainOptions.backbone,
        head=head or TrainOptions.head,
        pretrained=pretrained,
        init=init,
        freeze=freeze,
        unfreeze_every=unfreeze_every,
        dropout=dropout,
        channels=input_ or TrainOptions.channels,
        input_px=input_px,
        crop_scale=scale,
        optimizer=optimizer,
        lr=lr,
        weight_decay=weight_decay,
        schedule=schedule,
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        balance=balance,
        augment=augment,
        amp=where.startswith("cuda") if amp is None else amp,
        seed=seed,
        device=where,
        workers=workers or default_workers(),
        min_face_px=min_face,
        resume=resume,
        allow_shortcuts=allow_shortcuts,
    )
    return _run(options, progress, quiet)


def _scale_of(init: str) -> float:
    """The window of the model to go on with."""
    from fakefacecli.models.bundled import find_model

    return find_model(init).card.crop_scale


def _check(out: str, optimizer: str, schedule: str, head: str | None, channels: str | None) -> None:
    closed = {
        "--optimizer": (optimizer, OPTIMIZERS),
        "--schedule": (schedule, SCHEDULES),
        "--head": (head or "linear", ("linear", "1000-500")),
        "--input": (channels or "rgb", ("rgb", "ela")),
    }
    for flag, (found, wanted) in closed.items():
        if found not in wanted:
            raise UsageError(f"{flag} {found}: wanted {' or '.join(wanted)}")
    if not out.endswith(".safetensors"):
        raise UsageError(f"--out {out}: wanted a name that ends in .safetensors")


def _run(options: TrainOptions, progress: Progress, quiet: bool) -> ExitCode:
    from fakefacecli.base.lock import locked
    from fakefacecli.cli.training import Screen
    from fakefacecli.train.run import Watch, run_training

    with (
        stoppable(_GRACE_SECONDS, "what finished epochs left is kept; --resume goes on") as stop,
        locked(options.out),
        Screen(progress, quiet) as screen,
    ):
        watch = Watch(screen.say, screen.images, screen.step, screen.epoch, stop)
        done = run_training(options, watch)
        best = done.best_epoch
        screen.say(
            f"{options.out}: epoch {best.number} of {len(done.history)}, validation "
            f"AUC {best.auc:.4f}; uncalibrated"
        )
    if quiet:
        return ExitCode.COMPLETE
    complain("validation chose the epoch: measure on faces it never saw before you rely on it")
    return ExitCode.COMPLETE
