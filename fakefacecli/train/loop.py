"""The training loop: batches in, a network that gets better, the best epoch kept.

The same seed, data and settings give the same weights on the same machine's CPU; an interrupted
run that is resumed gives those of an uninterrupted one.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fakefacecli.base.errors import FakeFaceError
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import error_levels, normalised
from fakefacecli.train.augment import Augmenter, cut_mix
from fakefacecli.train.average import average_of, begin_after, settle
from fakefacecli.train.batches import Batch, Sampler, stacked
from fakefacecli.train.freeze import frozen_at_start, set_dropout, set_learning
from fakefacecli.train.log import Callbacks, Epoch, TrainingProgress
from fakefacecli.train.low_rank import merged, set_adapted
from fakefacecli.train.made import FakeMaker
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.split import Division
from fakefacecli.train.team import ALONE, Team
from fakefacecli.train.validate import Validation, autocast

if TYPE_CHECKING:
    from torch import Tensor, nn

_WARM_UP = 0.04  # of all steps, in which the learning rate rises
_SMOOTHING = 0.02  # of the targets, against too great certainty (Szegedy et al. 2016)
_CUT_MIX = 0.4  # of the batches
_MOST_GRADIENT = 5.0  # norm; longer ones are clipped to it
# of a young average batch normalisations are measured anew, on so many faces; after 200 steps their
# own running statistics have caught up with the weights
_SETTLE_WITH = 512
_SETTLED_AFTER = 200


class Training:
    """A network in training. `average` follows its weights, and is what is saved."""

    def __init__(
        self,
        network: "nn.Module",
        card: ModelCard,
        division: Division,
        options: TrainOptions,
        team: Team = ALONE,
    ):
        import torch

        self.card, self.options, self.team = card, options, team
        self.validation = Validation(division.val, card, options)
        self.network = network.to(options.device)
        team.align(self.network)
        self.at_start = frozen_at_start(network, options.freeze)
        set_dropout(network, options.dropout)
        self.average = average_of(network)
        self.sampler = Sampler(division.train, card, options)
        self.maker = FakeMaker(options)
        make = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.SGD
        how: dict[str, Any] = {} if options.optimizer == "adamw" else {"momentum": 0.9}
        self.optimizer = make(
            network.parameters(), options.rate, weight_decay=options.weight_decay, **how
        )
        self.progress = TrainingProgress()
        self.recent: deque[Tensor] = deque()

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or the last ones improved nothing."""
        done, patience = len(self.progress.history), self.options.patience
        stale = patience > 0 and done - self.progress.best >= patience and self.progress.best > 0
        return done >= self.options.epochs or stale

    def epoch(self, callbacks: Callbacks) -> Epoch:
        """Learn for one epoch and measure the average's validation."""
        import torch

        began = time.monotonic()
        number = len(self.progress.history) + 1
        frozen = self._frozen(number)
        set_learning(self.network, frozen)
        set_adapted(self.network)
        # each epoch's own: a resumed run then draws what an uninterrupted one would. The factor
        # keeps seed 0, epoch 2 apart from seed 1, epoch 1
        seed = self.options.seed * 100_003 + number
        # dropout: other rows, other values; the factor is larger than what seeds differ by
        torch.manual_seed(seed + self.team.rank * 1_000_000_007)
        generator = torch.Generator().manual_seed(seed)
        losses = []
        self.recent = deque(maxlen=-(-_SETTLE_WITH // self.options.batch_size))
        for done, batch in enumerate(self.sampler.epoch(number), 1):
            callbacks.stop()
            losses.append(self._step(batch, generator, (number - 1) * self.sampler.steps + done))
            callbacks.step(done, self.sampler.steps, losses[-1])
        fresh = not (self.options.init or self.options.pretrained)
        # weights that are not random have better statistics already (see `settle`)
        if fresh and number * self.sampler.steps < _SETTLED_AFTER:
            with torch.no_grad(), autocast(self.options):
                settle(self.average, self.recent, frozen)
        self.recent.clear()
        figures = self.validate(callbacks.stop)
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

    def validate(self, stop: Callable[[], None]) -> dict[str, float]:
        """The average's figures on the faces kept for validation."""
        # by one worker: what is decided by them must be decided by all alike
        figures = self.validation.measure(self.average, stop) if self.team.leads else {}
        return self.team.told(figures, self.options.device)

    def weights(self) -> "dict[str, Tensor]":
        """Those of the average, with adapters added to their matrices."""
        return merged(self.average.module)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on from here; tensors, numbers and text only."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "autoencoder": self.maker.state(),
            "history": [asdict(epoch) for epoch in self.progress.history],
            "best": self.progress.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.module.load_state_dict(state["average"])
        begin_after(self.average, len(state["history"]) * self.sampler.steps)
        self.optimizer.load_state_dict(state["optimizer"])
        self.maker.restore(state["autoencoder"])
        self.progress = TrainingProgress(
            [Epoch(**epoch) for epoch in state["history"]], state["best"]
        )

    def _frozen(self, number: int) -> int:
        every = self.options.unfreeze_every
        return max(0, self.at_start - (number - 1) // every) if every else self.at_start

    def _step(self, batch: Batch, generator: Any, count: int) -> float:
        import torch

        self._set_rate(count)
        with torch.no_grad():
            inputs, targets = self._inputs(batch, generator)
        self.recent.append(inputs)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.team.join(self.network, self._learn(inputs, targets))
        if not loss.isfinite():
            raise FakeFaceError("the loss is not finite any more; try a lower --lr")
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _MOST_GRADIENT)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return float(loss)

    def _learn(self, inputs: "Tensor", targets: "Tensor") -> "Tensor":
        """Add the gradients of this worker's rows; their part of the whole batch's mean loss."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        rows, wanted = self.team.share(inputs), self.team.share(targets)
        if not len(rows):
            return wanted.sum()
        with autocast(self.options):
            logits = self.network(rows).squeeze(1)
        # float32: a loss adds up many small numbers, of which bfloat16 keeps 8 bits
        loss = binary_cross_entropy_with_logits(logits.float(), wanted)
        loss = loss * (len(rows) / len(inputs))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _inputs(self, batch: Batch, generator: Any) -> "tuple[Tensor, Tensor]":
        """What the network sees of a batch, and its smoothed targets."""
        from torch.nn.functional import interpolate

        device = self.options.device
        pictures, targets = batch.pictures.to(device).float(), batch.targets.to(device)
        level, native = self.card.window.levels, self.card.view == "native"
        augmenter = Augmenter(generator, level, native)
        pictures = self.maker(pictures, batch, augmenter)
        if self.options.augment:
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


def _better(figures: dict[str, float], than: Epoch) -> bool:
    # AUC needs no threshold, and none is set yet; the loss decides between equals
    return (figures["auc"], -figures["val_loss"]) > (than.auc, -than.val_loss)


def _error_levels(pictures: "Tensor") -> "Tensor":
    """Error Level Analysis of each picture, on the CPU with the encoder a scan uses."""
    whole = pictures.round().byte().permute(0, 2, 3, 1).cpu().numpy()
    levels = [np.asarray(error_levels(Image.fromarray(picture))) for picture in whole]
    return stacked(levels).to(pictures.device).float()
