"""Batches of faces: which ones, at what resolution, read by threads ahead of the network."""

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fakefacecli.base.records import Pixels
from fakefacecli.models.card import ModelCard
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.feed import Shown, box_share, disturbed_face, fed_face, window_px
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

_LEAST_PX = 64
_MOST_OVER = 1.4  # of the input: 224 px for 160
_BOTH_HAVE = 0.25  # at least this share of each class has the largest resolution that is drawn
_WEBP = 0.1  # of the faces
_UNTOUCHED = 0.5  # of the batches of a native view: no picture is resized
_LIKE = 1.25  # times larger or smaller than the size drawn, at most
_NATIVE_ROOM = 1.15
_AHEAD = 3  # batches that are read while the network works


class Made(IntEnum):
    """What a face of a batch is: as it was read, or a fake made of a real one while training."""

    NOT = 0
    SELF_BLENDED = 1
    RECONSTRUCTED = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """`pictures` (N, 3, side, side) uint8, `targets` (N,) float32, 1 for fake.

    `px` is the effective resolution of what the network will see, `room` how many times wider the
    pictures are. `boxes` (N,) is the longer side of each face's box over the picture's side, and
    `made` (N,) uint8 holds values of `Made`: faces that are still to be turned into fakes.
    """

    pictures: "Tensor"
    targets: "Tensor"
    px: int
    room: float
    boxes: "Tensor"
    made: "Tensor"


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A batch whose pictures are being read."""

    pictures: list[Future[Pixels]]
    targets: "npt.NDArray[np.float32]"
    boxes: "npt.NDArray[np.float32]"
    made: "npt.NDArray[np.uint8]"
    px: int
    room: float


class Sampler:
    """Draws an epoch's batches; the same seed and epoch give the same ones.

    With augmentation the resolution is drawn first, then faces of both classes that have it: real
    faces of public sets are softer than generated ones, and "blurry" would soon mean "real".
    Balanced: the classes half and half; inside a class a group is drawn in proportion to the square
    root of its size. By size, one large group would be most of its class; evenly, the few faces
    of a small group would be learnt by heart.
    A native view is not resized in part of the batches, whose faces are then of about the size
    that was drawn; in the others the windows are shrunk to it.
    """

    def __init__(self, faces: Sequence[LabelledFace], card: ModelCard, options: TrainOptions):
        self.faces, self.card, self.options = faces, card, options
        self.fake = np.array([face.image.fake for face in faces])
        self.px = np.array([window_px(face, card) for face in faces])
        # n faces of a weight of n ** -0.5 each give their group the weight n ** 0.5
        sizes = Counter((face.image.fake, face.image.group) for face in faces)
        self.weight = np.array([sizes[face.image.fake, face.image.group] ** -0.5 for face in faces])
        quantiles = [np.quantile(self.px[self.fake == c], 1 - _BOTH_HAVE) for c in (False, True)]
        self.native = card.view == "native"
        self.most_px = max(16, int(min(_most_px(card), *quantiles)))
        least = _LEAST_PX * card.span if self.native else _LEAST_PX
        self.least_px = min(round(least), self.most_px)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        size = self.options.batch_size
        count = len(self.faces)
        # batch normalisation cannot learn from one face
        return max(1, count // size + (count % size > 1))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch `number`."""
        chance = np.random.default_rng((self.options.seed, number))
        # drawn here and not in the threads, whose order is not always the same
        order = chance.permutation(len(self.faces))
        with ThreadPoolExecutor(max(1, self.options.workers)) as pool:
            waiting: deque[_Plan] = deque()
            for step in itertools.count():
                if step < self.steps:
                    waiting.append(self._begin(pool, chance, order, step))
                if not waiting:
                    return
                if len(waiting) >= _AHEAD or step >= self.steps - 1:
                    yield _finish(waiting.popleft())

    def _begin(
        self,
        pool: ThreadPoolExecutor,
        chance: np.random.Generator,
        order: "npt.NDArray[np.int64]",
        step: int,
    ) -> _Plan:
        size = min(self.options.batch_size, max(2, len(self.faces)))
        # the square root of an even number puts most of the weight on the larger sizes
        px = self.least_px + round((self.most_px - self.least_px) * math.sqrt(chance.random()))
        untouched = self.native and chance.random() < _UNTOUCHED
        if self.options.balance:
            places = self._balanced(chance, size, px, untouched)
        else:
            places = order[step * size : (step + 1) * size]
        targets = self.fake[places].astype(np.float32)
        sources, made = self._made(chance, targets)
        chosen = [self.faces[place] for place in places]
        read = [chosen[source] for source in sources]
        if not self.options.augment:
            feed = partial(fed_face, card=self.card)
            pictures = [pool.submit(feed, face) for face in read]
            boxes = self._boxes(read, None)
            return _Plan(pictures, targets, boxes, made, self.card.input_px, 1.0)
        webp = np.where(chance.random(size) < _WEBP, chance.integers(40, 96, size), 0)
        room, shown = self._shown(chosen, px, untouched)
        pictures = [
            pool.submit(disturbed_face, face, self.card, shown, quality)
            for face, quality in zip(read, webp[sources].tolist(), strict=True)
        ]
        boxes = self._boxes(read, shown)
        seen_px = self.card.input_px if self.native else px
        return _Plan(pictures, targets, boxes, made, seen_px, room)

    def _shown(
        self, chosen: Sequence[LabelledFace], px: int, untouched: bool
    ) -> tuple[float, Shown]:
        """How much wider the pictures are than what the network sees, and their sizes."""
        if self.native:
            side = round(_NATIVE_ROOM * self.card.input_px)
            return side / self.card.input_px, Shown(side, 0 if untouched else px)
        room = max(1.0, min(face.scale for face in chosen) / self.card.crop_scale)
        return room, Shown(round(px * room))

    def _boxes(
        self, chosen: Sequence[LabelledFace], shown: Shown | None
    ) -> "npt.NDArray[np.float32]":
        return np.array([box_share(face, self.card, shown) for face in chosen], np.float32)

    def _made(
        self, chance: np.random.Generator, targets: "npt.NDArray[np.float32]"
    ) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]":
        """Of which face of the batch each picture is, and what is to be made of it.

        Some fakes give way to real faces of the same batch, each taken once: network and real face
        then differ by what was done to it alone.
        """
        sources, made = np.arange(len(targets)), np.zeros(len(targets), np.uint8)
        shares = (self.options.self_blended, self.options.reconstructed)
        if not any(shares):
            return sources, made
        # rounded up or down by chance: a small share of a small batch is some batches' one face
        counts = [int(share * len(targets) + chance.random()) for share in shares]
        real, fake = np.flatnonzero(targets == 0), np.flatnonzero(targets == 1)
        most = min(len(real), len(fake), sum(counts))
        kinds = np.repeat([Made.SELF_BLENDED, Made.RECONSTRUCTED], counts)[:most]
        rows = chance.choice(fake, most, replace=False)
        sources[rows], made[rows] = chance.choice(real, most, replace=False), kinds
        return sources, made

    def _balanced(
        self, chance: np.random.Generator, size: int, px: int, untouched: bool
    ) -> "npt.NDArray[np.int64]":
        if not self.options.augment:
            fits = np.ones(len(self.px), bool)
        elif untouched:
            fits = np.abs(np.log(self.px / px)) < math.log(_LIKE)
        else:
            fits = self.px >= px
        parts = []
        for label, count in ((False, size // 2), (True, size - size // 2)):
            weight = self.weight * (self.fake == label)
            # a class without faces of that size gives those it has, enlarged
            weight = weight * fits if (weight * fits).any() else weight
            spare = np.count_nonzero(weight) < count
            parts.append(
                chance.choice(len(weight), count, replace=bool(spare), p=weight / weight.sum())
            )
        return np.concatenate(parts)


def _most_px(card: ModelCard) -> float:
    """The largest resolution that training shows: of a native view that of the whole window."""
    if card.view == "native":
        return card.window.most_px or math.inf
    most = _MOST_OVER * card.input_px
    # what a scan shows is never finer than the size by way of which it gets there
    return min(most, card.via_px * card.crop_scale / (card.span or card.crop_scale)) or most


def _finish(plan: _Plan) -> Batch:
    import torch

    return Batch(
        stacked([picture.result() for picture in plan.pictures]),
        torch.from_numpy(plan.targets),
        plan.px,
        plan.room,
        torch.from_numpy(plan.boxes),
        torch.from_numpy(plan.made),
    )


def stacked(pictures: Sequence[Pixels]) -> "Tensor":
    """Pictures of one size as (N, 3, h, w) uint8."""
    import torch

    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
