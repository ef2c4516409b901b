"""Judging faces: a network's logit, calibrated and compared with two thresholds."""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from fakefacecli.base.errors import DeviceFull, FakeFaceError
from fakefacecli.base.records import FaceCrop
from fakefacecli.base.threads import side_by_side
from fakefacecli.base.verdicts import Label, Reason, Thresholds, Verdict
from fakefacecli.models.card import ModelCard
from fakefacecli.models.precision import full_float32, is_unsure
from fakefacecli.models.preprocess import prepare

if TYPE_CHECKING:
    from torch import nn


def verdict_of(
    probability: float, thresholds: Thresholds, face_px: float, min_face_px: int
) -> Verdict:
    """The verdict on a face of `face_px` (longer side of its box) and its calibrated p_fake."""
    # first, whatever the score: the model was never measured on faces that small
    if face_px < min_face_px:
        return Verdict(probability, thresholds, Label.INCONCLUSIVE, Reason.FACE_TOO_SMALL)
    if probability >= thresholds.high:
        return Verdict(probability, thresholds, Label.FLAGGED, Reason.ABOVE_HIGH)
    if probability < thresholds.low:
        return Verdict(probability, thresholds, Label.NOT_FLAGGED, Reason.BELOW_LOW)
    return Verdict(probability, thresholds, Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS)


class TorchClassifier:
    """A `Classifier` over a torch network of one logit, fed as its card says.

    With `quick`, a copy of `network` in fewer bits, only faces that precision.is_unsure names are
    judged by `network` itself, in full precision.
    """

    def __init__(
        self,
        network: "nn.Module",
        card: ModelCard,
        device: str = "cpu",
        thresholds: Thresholds | None = None,
        batch_size: int = 32,
        quick: "nn.Module | None" = None,
    ):
        self.network = network.to(device)
        self.quick = quick.to(device) if quick else self.network
        self.card = card
        self.device = device
        self.thresholds = thresholds or card.thresholds
        self.batch_size = batch_size

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
        """One verdict per crop, in order."""
        logits = self.logits(crops, self.quick)
        if self.quick is not self.network:
            unsure = [
                place
                for place, logit in enumerate(logits)
                if is_unsure(logit, self.card.calibration, self.thresholds)
            ]
            again = self.logits([crops[place] for place in unsure], self.network)
            for place, logit in zip(unsure, again, strict=True):
                logits[place] = logit
        return [
            verdict_of(
                self.card.calibration.probability(logit),
                self.thresholds,
                crop.face.box.longer_side,
                self.card.min_face_px,
            )
            for crop, logit in zip(crops, logits, strict=True)
        ]

    def logits(self, crops: Sequence[FaceCrop], network: "nn.Module | None" = None) -> list[float]:
        """Raw scores, positive for "fake", of `network` or else of the model's own network.

        When the device's memory runs out, batches are halved.
        """
        network = network or self.network
        # batches of like size: a last one of a few faces takes nearly as long as a full one
        count = -(-len(crops) // self.batch_size)
        edges = [len(crops) * number // max(1, count) for number in range(count + 1)]
        parts = [crops[start:end] for start, end in itertools.pairwise(edges)]
        if self.device == "cpu":
            found = side_by_side(partial(self._part, network), parts)
        else:
            found = [self._part(network, part) for part in parts]
        logits = [logit for part in found for logit in part]
        if not all(map(math.isfinite, logits)):
            raise FakeFaceError(f"{self.card.name} answered with a number that is not finite")
        return logits

    def _part(self, network: "nn.Module", crops: Sequence[FaceCrop]) -> list[float]:
        import torch

        found = self._try(network, crops)
        if found is not None:
            return found
        # not in the except block of `_try`: its traceback keeps the batch's tensors alive
        if len(crops) == 1:
            raise DeviceFull
        torch.cuda.empty_cache()
        half = len(crops) // 2
        return self._part(network, crops[:half]) + self._part(network, crops[half:])

    def _try(self, network: "nn.Module", crops: Sequence[FaceCrop]) -> list[float] | None:
        """The logits of a batch; None when the device's memory ran out."""
        import torch

        try:
            batch = prepare(crops, self.card, self.device)
            with torch.inference_mode(), full_float32(self.device):
                logits: list[float] = network(batch).squeeze(1).float().tolist()
        except torch.OutOfMemoryError:
            return None
        return logits
