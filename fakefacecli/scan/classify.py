"""Judging faces: the logit of one network or of several, calibrated, against two thresholds."""

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fakefacecli.base.errors import DeviceFull, FakeFaceError
from fakefacecli.base.records import Face, FaceView
from fakefacecli.base.threads import side_by_side
from fakefacecli.base.verdicts import DetectorName, Label, Opinion, Reason, Thresholds, Verdict
from fakefacecli.models.card import ModelCard
from fakefacecli.models.judge import AnyCard, EarlyExit, JudgeCard
from fakefacecli.models.precision import full_float32, is_unsure, logit_error
from fakefacecli.models.preprocess import prepare
from fakefacecli.models.window import WindowRule

if TYPE_CHECKING:
    from torch import nn


# Between the eyes over the longer side of the box. Of the faces that MTCNN finds, which judges are
# measured on, 98 % have more (247 of 40 px and more in 131 photographs)
CLOSEST_EYES = 0.28


def verdict_of(
    probability: float,
    thresholds: Thresholds,
    face_px: float,
    min_face_px: int,
    unfit: Reason | None = None,
) -> Verdict:
    """The verdict on a face of `face_px` (longer side of its box) and its calibrated p_fake.

    `unfit` is why a face of any size is not to be judged, if it is not.
    """
    # first, whatever the score: the model was never measured on faces that small
    if face_px < min_face_px:
        return Verdict(probability, thresholds, Label.INCONCLUSIVE, Reason.FACE_TOO_SMALL)
    if unfit is not None:
        return Verdict(probability, thresholds, Label.INCONCLUSIVE, unfit)
    if probability >= thresholds.high:
        return Verdict(probability, thresholds, Label.FLAGGED, Reason.ABOVE_HIGH)
    if probability < thresholds.low:
        return Verdict(probability, thresholds, Label.NOT_FLAGGED, Reason.BELOW_LOW)
    return Verdict(probability, thresholds, Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS)


def unfit(crop: FaceView, rule: WindowRule) -> Reason | None:
    """Why a model whose windows follow `rule` cannot judge this face, or None."""
    if crop.face.upside_down or (rule.levels and abs(crop.face.tilt) > rule.level_to):
        return Reason.FACE_TURNED
    # behind that: CenterFace marks the eyes of a tilted face closer together than they are
    if _is_profile(crop.face):
        return Reason.PROFILE
    return Reason.FACE_CUT_OFF if crop.outside > rule.most_outside else None


def _is_profile(face: Face) -> bool:
    """Whether a face is seen from further aside than those that MTCNN finds."""
    if face.detector is DetectorName.MTCNN:
        return False
    eyes = math.dist(*face.landmarks[:2].tolist())
    return eyes < CLOSEST_EYES * face.box.longer_side


class Network:
    """A torch network of one logit on its device, fed as its card says; one member of a judge.

    `quick` is a copy of `network` in fewer bits, if there is one. `stop` is called before every
    `batch_size` faces, and may raise: a batch of photographs can take a judge many seconds.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it is, where it runs, and how
        self,
        name: str,
        network: "nn.Module",
        card: ModelCard,
        device: str = "cpu",
        quick: "nn.Module | None" = None,
        weight: float = 1.0,
        batch_size: int = 32,
        stop: Callable[[], None] = lambda: None,
    ):
        self.name = name
        self.network = network.to(device)
        self.quick = quick.to(device) if quick else None
        self.card = card
        self.device = device
        self.weight = weight
        self.batch_size = batch_size
        self.stop = stop

    def logits(self, crops: Sequence[FaceView], quickly: bool = False) -> list[float]:
        """Raw scores, positive for "fake"; memory shortage halves the batch.

        With `quickly` they are those of the copy in fewer bits, where there is one.
        """
        network = (self.quick if quickly else None) or self.network
        # of like size: what a few stragglers cost is not much less than a full batch
        count = -(-len(crops) // self.batch_size)
        edges = [len(crops) * number // max(1, count) for number in range(count + 1)]
        parts = [crops[start:end] for start, end in itertools.pairwise(edges)]
        if self.device == "cpu":
            found = side_by_side(partial(self._part, network), parts)
        else:
            found = [self._part(network, part) for part in parts]
        logits = [logit for part in found for logit in part]
        if not all(map(math.isfinite, logits)):
            raise FakeFaceError(f"{self.name} answered with a number that is not finite")
        return logits

    def _part(self, network: "nn.Module", crops: Sequence[FaceView]) -> list[float]:
        import torch

        self.stop()
        found = self._try(network, crops)
        if found is not None:
            return found
        # not in the except block of `_try`: its traceback keeps the batch's tensors alive
        if len(crops) == 1:
            raise DeviceFull
        torch.cuda.empty_cache()
        half = len(crops) // 2
        return self._part(network, crops[:half]) + self._part(network, crops[half:])

    def _try(self, network: "nn.Module", crops: Sequence[FaceView]) -> list[float] | None:
        """The logits of a batch; None when the device's memory ran out."""
        import torch

        try:
            batch = prepare(crops, self.card, self.device)
            with torch.inference_mode(), full_float32(self.device):
                logits: list[float] = network(batch).squeeze(1).float().tolist()
        except torch.OutOfMemoryError:
            return None
        return logits


class TorchClassifier:
    """A `Classifier` over the networks of a judge, whose logits are added up with their weights.

    A single network is a judge of one member. Where members have copies in fewer bits, only faces
    that precision.is_unsure names are judged in full precision. With `early_exit` its members are
    asked first, and the others only about faces for which the answer is open.
    """

    def __init__(
        self,
        members: Sequence[Network],
        card: AnyCard,
        thresholds: Thresholds | None = None,
        early_exit: EarlyExit | None = None,
    ):
        self.members = tuple(members)
        self.card = card
        self.early_exit = early_exit
        self.thresholds = thresholds or card.thresholds
        self.bias = card.bias if isinstance(card, JudgeCard) else 0.0

    @classmethod
    def of_one(
        cls,
        network: "nn.Module",
        card: ModelCard,
        device: str = "cpu",
        thresholds: Thresholds | None = None,
        batch_size: int = 32,
        quick: "nn.Module | None" = None,
    ) -> "TorchClassifier":
        """The classifier of a single network."""
        only = Network(card.name, network, card, device, quick, batch_size=batch_size)
        return cls((only,), card, thresholds)

    def classify(self, crops: Sequence[FaceView]) -> list[Verdict]:
        """One verdict per crop, in order; with the opinion of each member asked, if of several."""
        if self.early_exit is None:
            return self._judged(crops, {})
        rule = self.early_exit
        first = [member for member in self.members if member.name in rule.members]
        # in full: a few bits must not decide who is asked
        said = {member.name: member.logits(crops) for member in first}
        rows = list(zip(*said.values(), strict=True))
        estimates = [math.fsum(map(operator.mul, rule.weights, row)) + rule.bias for row in rows]
        still_open = [rule.below <= estimate <= rule.above for estimate in estimates]
        answers = iter(
            self._judged(
                list(itertools.compress(crops, still_open)),
                {name: list(itertools.compress(said[name], still_open)) for name in said},
            )
        )
        return [
            next(answers) if more else self._verdict(crop, estimate, rule.members, row)
            for crop, more, estimate, row in zip(crops, still_open, estimates, rows, strict=True)
        ]

    def _judged(
        self, crops: Sequence[FaceView], known: Mapping[str, Sequence[float]]
    ) -> list[Verdict]:
        """The verdicts of all members; of some the logits are `known` already."""
        columns = [known.get(m.name) or m.logits(crops, quickly=True) for m in self.members]
        said = list(zip(*columns, strict=True))
        logits = [self.fused(row) for row in said]
        if any(member.quick for member in self.members):
            places = [place for place, logit in enumerate(logits) if self._is_unsure(logit)]
            again = self.opinions([crops[place] for place in places])
            for place, row in zip(places, again, strict=True):
                said[place], logits[place] = row, self.fused(row)
        names = [member.name for member in self.members]
        return [
            self._verdict(crop, logit, names, row)
            for crop, logit, row in zip(crops, logits, said, strict=True)
        ]

    def logits(self, crops: Sequence[FaceView]) -> list[float]:
        """The judge's raw scores in full precision, positive for "fake"."""
        return [self.fused(row) for row in self.opinions(crops)]

    def opinions(self, crops: Sequence[FaceView]) -> list[tuple[float, ...]]:
        """Each member's logit in full precision, in the members' order, for each crop."""
        columns = [member.logits(crops) for member in self.members]
        return list(zip(*columns, strict=True))

    def fused(self, logits: Sequence[float]) -> float:
        """The judge's logit from its members'."""
        pairs = zip(self.members, logits, strict=True)
        return math.fsum(member.weight * logit for member, logit in pairs) + self.bias

    def _is_unsure(self, logit: float) -> bool:
        # members are off independently, but what could be off at most adds up with their weights
        off = sum(
            abs(member.weight) * logit_error(member.card.backbone)
            for member in self.members
            if member.quick
        )
        return is_unsure(logit, self.card.calibration, self.thresholds, off)

    def _verdict(
        self, crop: FaceView, logit: float, names: Sequence[str], said: Sequence[float]
    ) -> Verdict:
        verdict = verdict_of(
            self.card.calibration.probability(logit),
            self.thresholds,
            crop.face.box.longer_side,
            self.card.min_face_px,
            unfit(crop, self.card.window),
        )
        if len(self.members) == 1:
            return verdict
        opinions = tuple(itertools.starmap(Opinion, zip(names, said, strict=True)))
        return replace(verdict, opinions=opinions)
