"""Every flag of a training, typed, with its default; built once in cli/ and passed whole."""

from dataclasses import asdict, dataclass

from fakefacecli.base.options import Turns

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "step", "constant")
# a run that goes on (--resume) may change these and is still the same training
_MAY_DIFFER = (
    "out",
    "cache",
    "epochs",
    "patience",
    "device",
    "workers",
    "resume",
    "allow_shortcuts",
)


@dataclass(frozen=True)  # no slots: the flags take their defaults from here
class TrainOptions:
    """One `fakeface train`; `lr` None: by optimiser and start; `ready_scale` None: photographs.

    `view` None: the network sees a window of its own, as the bundled inception-resnet-v1 does.
    `crop_scale` None: what goes with the view, or with the model of --init. `lora` is the rank of
    the adapters, 0 without. `self_blended` and `reconstructed` are shares of a batch.
    """

    data: str
    out: str
    cache: str
    ready_scale: float | None = None
    backbone: str = "inception_resnet_v1"
    head: str = "linear"
    pretrained: bool = False
    init: str | None = None
    freeze: str = "none"
    unfreeze_every: int = 0
    dropout: float = 0.5
    channels: str = "rgb"
    input_px: int | None = None
    crop_scale: float | None = None
    view: str | None = None
    level: bool = False
    via_px: int = 0
    lora: int = 0
    optimizer: str = "adamw"
    lr: float | None = None
    weight_decay: float = 0.1
    schedule: str = "cosine"
    epochs: int = 20
    patience: int = 5
    batch_size: int = 64
    balance: bool = True
    augment: bool = True
    self_blended: float = 0.0
    reconstructed: float = 0.0
    amp: bool = False
    seed: int = 0
    device: str = "cpu"
    workers: int = 2
    min_face_px: int = 40
    turns: Turns = Turns.AUTO
    resume: bool = False
    allow_shortcuts: bool = False

    @property
    def rate(self) -> float:
        """The largest learning rate; gentler for weights that know something already."""
        if self.lr is not None:
            return self.lr
        fresh = 1e-3 if self.optimizer == "adamw" else 1e-2
        return fresh / 3 if self.pretrained or self.init else fresh

    @property
    def identity(self) -> dict[str, object]:
        """What an interrupted run must share with the one that resumes it."""
        return {name: value for name, value in asdict(self).items() if name not in _MAY_DIFFER}
