"""What a training says of itself: its epochs, and where it stands."""

from collections.abc import Callable
from dataclasses import dataclass, field


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
class Coach:
    """Who watches: `step` is told (done, of all, loss), `stop` may raise between steps."""

    step: Callable[[int, int, float], None] = lambda done, steps, loss: None
    stop: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Progress:
    """Where a training stands; `best` is the number of the best epoch, 0 before the first."""

    history: list[Epoch] = field(default_factory=list)
    best: int = 0

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights are kept."""
        return self.history[self.best - 1]
