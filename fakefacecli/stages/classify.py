"""Judging faces: a network's logit, calibrated, held against two thresholds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fakefacecli.errors import FakeFaceError
from fakefacecli.models.card import ModelCard
from fakefacecli.models.cores import side_by_side
from fakefacecli.models.preprocess import prepare
from fakefacecli.records import FaceCrop, Label, Reason, Thresholds, Verdict

if TYPE_CHECKING:
    from torch import nn


def judge(probability: float, thresholds: Thresholds, face_px: float, min_face_px: int) -> Verdict:
    """The verdict on a face of `face_px` (longer side of its box) and its calibrated p_fake."""
    if face_px < min_face_px:
        return Verdict(probability, thresholds, Label.INCONCLUSIVE, Reason.FACE_TOO_SMALL)
    if probability >= thresholds.high:
        return Verdict(probability, thresholds, Label.FLAGGED, Reason.ABOVE_HIGH)
    if probability < thresholds.low:
        return Verdict(probability, thresholds, Label.NOT_FLAGGED, Reason.BELOW_LOW)
    return Verdict(probability, thresholds, Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS)


class TorchClassifier:
    """A `Classifier` over a torch network of one logit, fed as its card says."""

    def __init__(
        self,
        network: "nn.Module",
        card: ModelCard,
        device: str = "cpu",
        thresholds: Thresholds | None = None,
        batch_size: int = 16,
    ):
        self.network = network.to(device)
        self.card = card
        self.device = device
        self.thresholds = thresholds or card.thresholds
        self.batch_size = batch_size

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
        """One verdict per crop, in order."""
        logits = self.logits(crops)
        return [
            judge(
                self.card.calibration.probability(logit),
                self.thresholds,
                crop.face.box.longer_side,
                self.card.min_face_px,
            )
            for crop, logit in zip(crops, logits, strict=True)
        ]

    def logits(self, crops: Sequence[FaceCrop]) -> list[float]:
        """The network's raw scores, positive for "fake"; memory shortage halves the batch."""
        size = self.batch_size
        parts = [crops[start : start + size] for start in range(0, len(crops), size)]
        if self.device == "cpu":
            found = side_by_side(self._part, parts)
        else:
            found = [self._part(part) for part in parts]
        logits = [logit for part in found for logit in part]
        if not all(map(math.isfinite, logits)):
            raise FakeFaceError(f"{self.card.name} answered with a number that is not finite")
        return logits

    def _part(self, crops: Sequence[FaceCrop]) -> list[float]:
        import torch

        found = self._try(crops)
        if found is not None:
            return found
        # here and not in the except block, whose traceback holds the batch's tensors
        if len(crops) == 1:
            raise FakeFaceError("one face alone does not fit the device's memory; "
                                "free memory or use --device cpu")  # fmt: skip
        torch.cuda.empty_cache()
        half = len(crops) // 2
        return self._part(crops[:half]) + self._part(crops[half:])

    def _try(self, crops: Sequence[FaceCrop]) -> list[float] | None:
        """The logits of a batch; None when the device's memory ran out."""
        import torch

        try:
            batch = prepare(crops, self.card, self.device)
            with torch.inference_mode():
                logits: list[float] = self.network(batch).squeeze(1).float().tolist()
        except torch.OutOfMemoryError:
            return None
        return logits
