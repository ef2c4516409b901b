"""The training loop: batches in, a network that gets better, the best epoch kept.

The same seed, data and settings give the same weights on the same machine's CPU; an interrupted
run that is resumed gives those of an uninterrupted one.
"""

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fakefacecli.errors import FakeFaceError
from fakefacecli.learn.augment import Augmenter, cut_mix
from fakefacecli.learn.batches import Batch, Sampler, fed_face, stacked
from fakefacecli.learn.faces import LabelledFace
from fakefacecli.learn.freeze import blocks, frozen_at_start, set_dropout, set_learning
from fakefacecli.learn.settings import TrainOptions
from fakefacecli.learn.split import Division
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import error_levels, normalised

if TYPE_CHECKING:
    from torch import Tensor, nn

_EMA = 0.998
_WARM_UP = 0.04  # of all steps
_SMOOTHING = 0.02
_CUT_MIX = 0.4  # of the batches
_MOST_GRADIENT = 5.0
_SETTLE_WITH = 512  # faces


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


class Training:
    """A network on its way. `average` holds the moving average of its weights, which is kept."""

    def __init__(
        self, network: "nn.Module", card: ModelCard, division: Division, options: TrainOptions
    ):
        import torch

        self.card, self.options, self.val = card, options, division.val
        self.network = network.to(options.device)
        self.at_start = frozen_at_start(network, options.freeze)
        set_dropout(network, options.dropout)
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.sampler = Sampler(division.train, card, options)
        make = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.SGD
        how: dict[str, Any] = {} if options.optimizer == "adamw" else {"momentum": 0.9}
        self.optimizer = make(
            network.parameters(), options.rate, weight_decay=options.weight_decay, **how
        )
        self.progress = Progress()
        self.recent: deque[Tensor] = deque()

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or the last ones brought nothing."""
        done, patience = len(self.progress.history), self.options.patience
        stale = patience > 0 and done - self.progress.best >= patience and self.progress.best > 0
        return done >= self.options.epochs or stale

    def epoch(self, coach: Coach) -> Epoch:
        """Learn for one epoch and measure the average's validation."""
        import torch

        began = time.monotonic()
        number = len(self.progress.history) + 1
        frozen = self._frozen(number)
        set_learning(self.network, frozen)
        # each epoch's own: a resumed run then draws what an uninterrupted one would
        torch.manual_seed(self.options.seed * 100_003 + number)
        generator = torch.Generator().manual_seed(self.options.seed * 100_003 + number)
        losses = []
        self.recent = deque(maxlen=-(-_SETTLE_WITH // self.options.batch_size))
        for done, batch in enumerate(self.sampler.epoch(number), 1):
            coach.stop()
            losses.append(self._step(batch, generator, (number - 1) * self.sampler.steps + done))
            coach.step(done, self.sampler.steps, losses[-1])
        self._settle_norms(frozen)
        figures = self._validate(coach)
        best = not self.progress.best or _better(figures, self.progress.best_epoch)
        epoch = Epoch(
            number=number,
            rate=self.optimizer.param_groups[0]["lr"],
            train_loss=float(np.mean(losses)),
            **figures,
            frozen=frozen,
            seconds=time.monotonic() - began,
            best=best,
        )
        self.progress.history.append(epoch)
        self.progress.best = number if best else self.progress.best
        return epoch

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on from here; tensors, numbers and text only."""
        from dataclasses import asdict

        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": [asdict(epoch) for epoch in self.progress.history],
            "best": self.progress.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress([Epoch(**epoch) for epoch in state["history"]], state["best"])

    def _frozen(self, number: int) -> int:
        every = self.options.unfreeze_every
        return max(0, self.at_start - (number - 1) // every) if every else self.at_start

    def _step(self, batch: Batch, generator: Any, count: int) -> float:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        self._set_rate(count)
        with torch.no_grad():
            inputs, targets = self._inputs(batch, generator)
        self.recent.append(inputs)
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            logits = self.network(inputs).squeeze(1)
        loss = binary_cross_entropy_with_logits(logits.float(), targets)
        if not loss.isfinite():
            raise FakeFaceError("the loss is not finite any more; try a lower --lr")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _MOST_GRADIENT)
        self.optimizer.step()
        self._follow(count)
        return float(loss.detach())

    def _inputs(self, batch: Batch, generator: Any) -> "tuple[Tensor, Tensor]":
        """What the network sees of a batch, and its smoothed targets."""
        from torch.nn.functional import interpolate

        device = self.options.device
        pictures, targets = batch.pictures.to(device).float(), batch.targets.to(device)
        if self.options.augment:
            augmenter = Augmenter(generator)
            pictures = augmenter(pictures, batch.room, batch.px)
            px = (self.card.input_px, self.card.input_px)
            pictures = interpolate(pictures, px, mode="bicubic", antialias=True).clamp(0, 255)
            if self.card.channels == "ela":
                pictures = _error_levels(pictures)
            elif augmenter.chance() < _CUT_MIX:
                pictures, targets = cut_mix(pictures, targets, generator)
        targets = targets * (1 - _SMOOTHING) + _SMOOTHING / 2
        return normalised(pictures, self.card), targets

    def _set_rate(self, count: int) -> None:
        steps = self.options.epochs * self.sampler.steps
        share = (count - 1) / steps
        warm = min(1.0, count / max(1, _WARM_UP * steps))
        fall = {
            "cosine": (1 + math.cos(math.pi * min(1.0, share))) / 2,
            "step": 0.1 ** min(2, int(3 * share)),  # a tenth after each third
            "constant": 1.0,
        }[self.options.schedule]
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate * warm * fall

    def _follow(self, count: int) -> None:
        """Move the average; its memory grows, or it would long remember the random start."""
        import torch

        keep = min(_EMA, (1 + count) / (10 + count))
        with torch.no_grad():
            mine = self.network.state_dict()
            for name, tensor in self.average.state_dict().items():
                if tensor.is_floating_point():
                    tensor.lerp_(mine[name], 1 - keep)
                else:
                    tensor.copy_(mine[name])

    def _settle_norms(self, frozen: int) -> None:
        """Give the average's batch normalisations the statistics of its own activations.

        Those it took over belong to other weights, and are far off in a short training (Izmailov
        et al. 2018, "Averaging Weights Leads to Wider Optima", section 3.2)."""
        import torch

        learning = [m for part in blocks(self.average)[frozen:] for m in part.modules()]
        norms = [m for m in learning if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        before = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
            norm.train()
        with torch.no_grad(), self._precision():
            for inputs in self.recent:
                self.average(inputs)
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.eval()
        self.recent.clear()

    def _precision(self) -> Any:
        import torch

        kind = torch.device(self.options.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.options.amp)

    def _validate(self, coach: Coach) -> dict[str, float]:
        from sklearn.metrics import roc_auc_score

        labels = np.array([face.image.fake for face in self.val])
        logits = self.logits(self.val, coach.stop)
        if not np.isfinite(logits).all():
            raise FakeFaceError("the network's answers are not finite any more; try a lower --lr")
        return {
            "auc": float(roc_auc_score(labels, logits)),
            "val_loss": float(np.logaddexp(0, np.where(labels, -logits, logits)).mean()),
            "accuracy": float(((logits > 0) == labels).mean()),
        }

    def logits(
        self, faces: Sequence[LabelledFace], stop: Callable[[], None] = lambda: None
    ) -> "np.typing.NDArray[np.float64]":
        """The average's logits, fed as a scan would feed it."""
        import torch

        found: list[float] = []
        size = self.options.batch_size
        for start in range(0, len(faces), size):
            stop()
            part = [fed_face(face, self.card) for face in faces[start : start + size]]
            batch = normalised(stacked(part).to(self.options.device), self.card)
            with torch.inference_mode(), self._precision():
                found += self.average(batch).squeeze(1).float().tolist()
        return np.array(found)


def _better(figures: dict[str, float], than: Epoch) -> bool:
    return (figures["auc"], -figures["val_loss"]) > (than.auc, -than.val_loss)


def _error_levels(pictures: "Tensor") -> "Tensor":
    """Error Level Analysis of each picture, on the CPU with the encoder a scan uses."""
    whole = pictures.round().byte().permute(0, 2, 3, 1).cpu().numpy()
    levels = [np.asarray(error_levels(Image.fromarray(picture))) for picture in whole]
    return stacked(levels).to(pictures.device).float()
