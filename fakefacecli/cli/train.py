"""`fakeface train DATA`: flags to options, a training, one table row for each epoch."""

from typing import TYPE_CHECKING

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.lock import locked
from fakefacecli.base.options import EngineName, EngineOptions
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.flags import takes
from fakefacecli.cli.parse import refuse_if
from fakefacecli.cli.streams import reports_alone
from fakefacecli.cli.train_flags import TrainFlags
from fakefacecli.train.options import OPTIMIZERS, SCHEDULES, TrainOptions

if TYPE_CHECKING:
    from fakefacecli.models.checkpoint import Checkpoint
    from fakefacecli.train.log import TrainingProgress
    from fakefacecli.train.run import Watch

BY_CHANCE = 0.55  # guessing has an AUC of 0.5, on a few faces somewhat more by luck
_GRACE_SECONDS = 30.0  # a step of a large network takes longer than one of a scan


@error_boundary
@takes(TrainFlags)
def train(flags: TrainFlags) -> ExitCode:
    """Train a model on labelled images; audit them for shortcuts first."""
    options, init = train_options(flags)
    return _run(options, flags, init)


def train_options(flags: TrainFlags) -> "tuple[TrainOptions, Checkpoint | None]":
    """The options that the flags ask for, and the model that --init names.

    Raises UsageError for an impossible value and for flags that contradict each other,
    ModelRefused for the model.
    """
    from fakefacecli.models.bundled import find_start
    from fakefacecli.scan.machine import pick_device

    _check(flags)
    _check_together(flags)
    # a cluster's devices are not this machine's
    device = pick_device(flags.device) if flags.engine is EngineName.LOCAL else flags.device
    init = find_start(flags.init) if flags.init else None
    return _options(flags, device, _ready_scale(flags, init)), init


def _ready_scale(flags: TrainFlags, init: "Checkpoint | None") -> float | None:
    """How much wider than the box ready crops are; None for photographs."""
    from fakefacecli.models.window import FLAT_WINDOW
    from fakefacecli.train.start import OWN_SCALE

    if not flags.faces_only:
        return None
    if flags.faces_scale:
        return flags.faces_scale
    if flags.view:
        return FLAT_WINDOW.span
    # a model that is trained further sees windows of the size it has learnt
    return init.card.window.span if init else flags.crop_scale or OWN_SCALE


def _options(flags: TrainFlags, device: str, ready_scale: float | None) -> TrainOptions:
    from fakefacecli.labelled.data import CACHE_ENDING
    from fakefacecli.scan.machine import default_workers

    return TrainOptions(
        data=flags.data,
        out=flags.out,
        cache=flags.cache or f"{flags.out}{CACHE_ENDING}",
        ready_scale=ready_scale,
        backbone=flags.backbone or TrainOptions.backbone,
        head=flags.head or TrainOptions.head,
        pretrained=flags.pretrained,
        init=flags.init,
        channels=flags.input_ or TrainOptions.channels,
        input_px=flags.input_px,
        crop_scale=flags.crop_scale,
        view=flags.view,
        level=flags.level,
        via_px=flags.via_px or TrainOptions.via_px,
        lora=flags.lora or TrainOptions.lora,
        amp=device.startswith("cuda") if flags.amp is None else flags.amp,
        device=device,
        workers=flags.workers or default_workers(flags.device),
        min_face_px=flags.min_face,
        turns=flags.turns,
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
        self_blended=flags.self_blended,
        reconstructed=flags.reconstructed,
        seed=flags.seed,
    )


def _check(flags: TrainFlags) -> None:
    from fakefacecli.models.card import CHANNELS, HEADS, VIEWS

    closed = {
        "--optimizer": (flags.optimizer, OPTIMIZERS),
        "--schedule": (flags.schedule, SCHEDULES),
        "--head": (flags.head or TrainOptions.head, HEADS),
        "--input": (flags.input_ or TrainOptions.channels, CHANNELS),
        "--view": (flags.view or VIEWS[0], VIEWS),
    }
    for flag, (found, wanted) in closed.items():
        if found not in wanted:
            raise UsageError(f"{flag} {found}: wanted {' or '.join(wanted)}")
    if not flags.out.endswith(".safetensors"):
        raise UsageError(f"--out {flags.out}: wanted a name that ends in .safetensors")


def _check_together(flags: TrainFlags) -> None:
    network = flags.backbone or flags.head or flags.input_
    sees = flags.input_px or flags.crop_scale
    refuse_if(
        {
            "--faces-scale goes with --faces-only": flags.faces_scale is not None
            and not flags.faces_only,
            "--pretrained and --init both say what to start from": flags.pretrained and flags.init,
            "--unfreeze-every goes with --freeze": flags.unfreeze_every and flags.freeze == "none",
            "--init brings its own backbone, head and input; leave their flags out": flags.init
            and (network or (sees and not flags.view)),
            "--ray-address and --train-workers go with --engine ray": flags.engine
            is not EngineName.RAY
            and (flags.ray_address is not None or flags.train_workers is not None),
            "--level goes with --view": flags.level and not flags.view,
            "--via-px goes with --view window": flags.via_px and flags.view != "window",
            "--view native sees pixels as they are; leave --crop-scale out": flags.crop_scale
            and flags.view == "native",
            "--freeze backbone leaves no adapter of --lora to learn; leave one of them out, or add "
            "--unfreeze-every": flags.lora
            and flags.freeze == "backbone"
            and not flags.unfreeze_every,
            "--self-blended and --reconstructed are half of a batch at most, taken together": (
                flags.self_blended + flags.reconstructed > 0.5
            ),
        }
    )


def _run(options: TrainOptions, flags: TrainFlags, init: "Checkpoint | None") -> ExitCode:
    from fakefacecli.cli.training import Screen
    from fakefacecli.train.run import Watch

    quiet = flags.quiet
    with (
        stoppable(_GRACE_SECONDS, "what finished epochs left is kept; --resume goes on") as stop,
        # two trainings with one --out would mix their checkpoints and their cut faces
        locked(options.out),
        Screen(flags.progress, quiet) as screen,
    ):
        watch = Watch(screen.say, screen.images, screen.step, screen.epoch, stop)
        done = _trained(options, flags, watch, init)
        best = done.best_epoch
        screen.say(
            f"{options.out}: epoch {best.number} of {len(done.history)}, validation "
            f"AUC {best.auc:.4f}; uncalibrated"
        )
    # an error and no talk: --quiet must not hide it
    if best.auc < BY_CHANCE:
        complain(no_better_than_chance(options.out, best.auc))
    # said last, so that nobody takes the validation AUC above for the model's quality
    if quiet:
        return ExitCode.COMPLETE
    complain("validation chose the epoch: measure on faces it never saw before you rely on it")
    return ExitCode.COMPLETE


def _trained(
    options: TrainOptions, flags: TrainFlags, watch: "Watch", init: "Checkpoint | None"
) -> "TrainingProgress":
    from fakefacecli.train.run import run_training

    if flags.engine is EngineName.LOCAL:
        return run_training(options, watch, init)
    from fakefacecli.cluster.training import train_on_ray

    engine = EngineOptions(flags.engine, flags.ray_address, flags.train_workers)
    with reports_alone():  # Ray prints what goes wrong to stdout
        return train_on_ray(options, engine, flags.amp, watch)


def no_better_than_chance(out: str, auc: float) -> str:
    """What to say of a training that learnt nothing, and what to do."""
    advice = "look at the labels and the loss, train for more --epochs, or start from --pretrained"
    return f"{out}: no better than chance (validation AUC {auc:.4f}): {advice}"
