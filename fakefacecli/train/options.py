"""Every flag of a training, typed, with its default; built once in cli/ and passed whole."""

from dataclasses import asdict, dataclass

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
    """One `fakeface train`; `lr` None: by optimiser and start; `ready_scale` None: photographs."""

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
    crop_scale: float = 1.15
    optimizer: str = "adamw"
    lr: float | None = None
    weight_decay: float = 0.1
    schedule: str = "cosine"
    epochs: int = 20
    patience: int = 5
    batch_size: int = 64
    balance: bool = True
    augment: bool = True
    amp: bool = False
    seed: int = 0
    device: str = "cpu"
    workers: int = 2
    min_face_px: int = 40
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
