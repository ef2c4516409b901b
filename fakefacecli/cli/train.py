"""`fakeface train DATA`: flags to options, a training, one table row for each epoch."""

from typing import TYPE_CHECKING

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.lock import locked
from fakefacecli.base.options import Progress
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.flags import takes
from fakefacecli.cli.parse import refuse_if
from fakefacecli.cli.train_flags import TrainFlags
from fakefacecli.train.options import OPTIMIZERS, SCHEDULES, TrainOptions

if TYPE_CHECKING:
    from fakefacecli.models.checkpoint import Checkpoint

_GRACE_SECONDS = 30.0  # a step of a large network takes longer than one of a scan


@error_boundary
@takes(TrainFlags)
def train(flags: TrainFlags) -> ExitCode:
    """Train a model on labelled images; audit them for shortcuts first."""
    options, init = train_options(flags)
    return _run(options, flags.progress, flags.quiet, init)


def train_options(flags: TrainFlags) -> "tuple[TrainOptions, Checkpoint | None]":
    """The options that the flags ask for, and the model that --init names.

    Raises UsageError for an impossible value and for flags that contradict each other,
    ModelRefused for the model.
    """
    from fakefacecli.models.bundled import find_network
    from fakefacecli.scan.build import pick_device

    _check(flags)
    _check_together(flags)
    device = pick_device(flags.device)
    init = find_network(flags.init, "--init") if flags.init else None
    # a model that is trained further sees windows of the size it has learnt
    own_scale = flags.crop_scale or TrainOptions.crop_scale
    return _options(flags, device, init.card.crop_scale if init else own_scale), init


def _options(flags: TrainFlags, device: str, crop_scale: float) -> TrainOptions:
    from fakefacecli.labelled.data import CACHE_ENDING
    from fakefacecli.scan.build import default_workers

    return TrainOptions(
        data=flags.data,
        out=flags.out,
        cache=flags.cache or f"{flags.out}{CACHE_ENDING}",
        ready_scale=(flags.faces_scale or crop_scale) if flags.faces_only else None,
        backbone=flags.backbone or TrainOptions.backbone,
        head=flags.head or TrainOptions.head,
        pretrained=flags.pretrained,
        init=flags.init,
        channels=flags.input_ or TrainOptions.channels,
        input_px=flags.input_px,
        crop_scale=crop_scale,
        amp=device.startswith("cuda") if flags.amp is None else flags.amp,
        device=device,
        workers=flags.workers or default_workers(),
        min_face_px=flags.min_face,
        resume=flags.resume,
        allow_shortcuts=flags.allow_shortcuts,
        freeze=flags.freeze,
        unfreeze_every=flags.unfreeze_every,
        dropout=flags.dropout,
        optimizer=flags.optimizer,
        lr=flags.lr,
        weight_decay=flags.weight_decay,
        schedule=flags.schedule,
        epochs=flags.epochs,
        patience=flags.patience,
        batch_size=flags.batch_size,
        balance=flags.balance,
        augment=flags.augment,
        seed=flags.seed,
    )


def _check(flags: TrainFlags) -> None:
    from fakefacecli.models.card import CHANNELS, HEADS

    closed = {
        "--optimizer": (flags.optimizer, OPTIMIZERS),
        "--schedule": (flags.schedule, SCHEDULES),
        "--head": (flags.head or TrainOptions.head, HEADS),
        "--input": (flags.input_ or TrainOptions.channels, CHANNELS),
    }
    for flag, (found, wanted) in closed.items():
        if found not in wanted:
            raise UsageError(f"{flag} {found}: wanted {' or '.join(wanted)}")
    if not flags.out.endswith(".safetensors"):
        raise UsageError(f"--out {flags.out}: wanted a name that ends in .safetensors")


def _check_together(flags: TrainFlags) -> None:
    network = flags.backbone or flags.head or flags.input_ or flags.input_px or flags.crop_scale
    refuse_if(
        {
            "--faces-scale goes with --faces-only": flags.faces_scale is not None
            and not flags.faces_only,
            "--pretrained and --init both say what to start from": flags.pretrained and flags.init,
            "--unfreeze-every goes with --freeze": flags.unfreeze_every and flags.freeze == "none",
            "--init brings its own backbone, head and input; leave their flags out": flags.init
            and network,
        }
    )


def _run(
    options: TrainOptions, progress: Progress, quiet: bool, init: "Checkpoint | None"
) -> ExitCode:
    from fakefacecli.cli.training import Screen
    from fakefacecli.train.run import Watch, run_training

    with (
        stoppable(_GRACE_SECONDS, "what finished epochs left is kept; --resume goes on") as stop,
        # two trainings with one --out would mix their checkpoints and their cut faces
        locked(options.out),
        Screen(progress, quiet) as screen,
    ):
        watch = Watch(screen.say, screen.images, screen.step, screen.epoch, stop)
        done = run_training(options, watch, init)
        best = done.best_epoch
        screen.say(
            f"{options.out}: epoch {best.number} of {len(done.history)}, validation "
            f"AUC {best.auc:.4f}; uncalibrated"
        )
    # said last, so that nobody takes the validation AUC above for the model's quality
    if quiet:
        return ExitCode.COMPLETE
    complain("validation chose the epoch: measure on faces it never saw before you rely on it")
    return ExitCode.COMPLETE
