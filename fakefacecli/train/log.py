"""The figures of a training's epochs, and their log: a CSV and a picture beside the model.

The log is written anew after every epoch.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from fakefacecli.base.files import atomic_write


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's figures; losses are binary cross entropies, `auc` and `accuracy` validation's."""

    number: int
    rate: float
    train_loss: float
    val_loss: float
    auc: float
    accuracy: float
    frozen: int
    seconds: float
    best: bool


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the loop calls: `step` with (done, of all, loss); `stop` may raise between steps."""

    step: Callable[[int, int, float], None] = lambda done, steps, loss: None
    stop: Callable[[], None] = lambda: None


@dataclass(slots=True)
class TrainingProgress:
    """Where a training stands; `best` is the number of the best epoch, 0 before the first."""

    history: list[Epoch] = field(default_factory=list)
    best: int = 0

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights are kept."""
        return self.history[self.best - 1]


def log_path(out: str, suffix: str) -> str:
    """model.safetensors has model.log.csv and model.curves.png beside it."""
    return os.path.splitext(out)[0] + suffix


def write_log(out: str, history: Sequence[Epoch]) -> None:
    """Write one row for each epoch; CannotWrite when that cannot be."""
    import pandas as pd

    with atomic_write(log_path(out, ".log.csv"), "w", encoding="utf-8", newline="") as handle:
        pd.DataFrame(map(asdict, history)).to_csv(handle, index=False, lineterminator="\r\n")


def write_curves(out: str, history: Sequence[Epoch]) -> None:
    """Losses and validation AUC over the epochs; CannotWrite when it cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [epoch.number for epoch in history]
    left.plot(numbers, [epoch.train_loss for epoch in history], "o-", label="training")
    left.plot(numbers, [epoch.val_loss for epoch in history], "o-", label="validation")
    left.set(xlabel="epoch", ylabel="cross entropy")
    left.legend()
    right.plot(numbers, [epoch.auc for epoch in history], "o-", label="validation AUC")
    right.plot(numbers, [epoch.accuracy for epoch in history], "o-", label="validation accuracy")
    best = max(epoch.number for epoch in history if epoch.best)
    right.axvline(best, color="grey", linestyle=":", label="best epoch")
    right.set(xlabel="epoch", ylim=(0, 1.02))
    right.legend()
    with atomic_write(log_path(out, ".curves.png")) as handle:
        figure.savefig(handle, format="png", dpi=100)
