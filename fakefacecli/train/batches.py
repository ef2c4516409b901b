"""Batches of faces: which ones, at what resolution, read by threads ahead of the network."""

import io
import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fakefacecli.base.records import DecodedImage, FaceCrop, ImageRef, Pixels
from fakefacecli.labelled.faces import face_in_middle
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import shrink
from fakefacecli.scan.crop import cut
from fakefacecli.train.faces import LabelledFace, read_face
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

_LEAST_PX = 64
_MOST_OVER = 1.4  # of the input: 224 px for 160
_BOTH_HAVE = 0.25  # at least this share of each class has the largest resolution that is drawn
_WEBP = 0.1  # of the faces
_AHEAD = 3  # batches that are read while the network works


@dataclass(frozen=True, slots=True)
class Batch:
    """`pictures` (N, 3, side, side) uint8, `targets` (N,) float32, 1 for fake.

    `px` is the effective resolution of what the network will see, `room` how many times wider the
    pictures are.
    """

    pictures: "Tensor"
    targets: "Tensor"
    px: int
    room: float


class Sampler:
    """Draws an epoch's batches; the same seed and epoch give the same ones.

    With augmentation the resolution is drawn first, then faces of both classes that have it: real
    faces of public sets are softer than generated ones, and "blurry" would soon mean "real".
    Balanced: the classes half and half; inside a class a group is drawn in proportion to the square
    root of its size. By size, one large group would be most of its class; evenly, the few faces
    of a small group would be learnt by heart.
    """

    def __init__(self, faces: Sequence[LabelledFace], card: ModelCard, options: TrainOptions):
        self.faces, self.card, self.options = faces, card, options
        self.fake = np.array([face.image.fake for face in faces])
        self.px = np.array([window_px(face, card) for face in faces])
        # n faces of a weight of n ** -0.5 each give their group the weight n ** 0.5
        sizes = Counter((face.image.fake, face.image.group) for face in faces)
        self.weight = np.array([sizes[face.image.fake, face.image.group] ** -0.5 for face in faces])
        quantiles = [np.quantile(self.px[self.fake == c], 1 - _BOTH_HAVE) for c in (False, True)]
        self.most_px = max(16, int(min(_MOST_OVER * card.input_px, *quantiles)))
        self.least_px = min(_LEAST_PX, self.most_px)

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
            waiting: deque[tuple[list[Future[Pixels]], Tensor, int, float]] = deque()
            for step in itertools.count():
                if step < self.steps:
                    waiting.append(self._begin(pool, chance, order, step))
                if not waiting:
                    return
                if len(waiting) >= _AHEAD or step >= self.steps - 1:
                    yield _finish(*waiting.popleft())

    def _begin(
        self,
        pool: ThreadPoolExecutor,
        chance: np.random.Generator,
        order: "npt.NDArray[np.int64]",
        step: int,
    ) -> "tuple[list[Future[Pixels]], Tensor, int, float]":
        import torch

        size = min(self.options.batch_size, max(2, len(self.faces)))
        # the square root of an even number puts most of the weight on the larger sizes
        px = self.least_px + round((self.most_px - self.least_px) * math.sqrt(chance.random()))
        if self.options.balance:
            places = self._balanced(chance, size, px)
        else:
            places = order[step * size : (step + 1) * size]
        chosen = [self.faces[place] for place in places]
        room = max(1.0, min(face.scale for face in chosen) / self.card.crop_scale)
        jobs: list[Callable[[], Pixels]]
        if self.options.augment:
            webp = np.where(chance.random(size) < _WEBP, chance.integers(40, 96, size), 0)
            # not strict: the last batch may have fewer faces
            jobs = [
                partial(disturbed_face, face, self.card, round(px * room), int(quality))
                for face, quality in zip(chosen, webp, strict=False)
            ]
        else:
            px, room = self.card.input_px, 1.0
            jobs = [partial(fed_face, face, self.card) for face in chosen]
        targets = torch.from_numpy(self.fake[places].astype(np.float32))
        return [pool.submit(job) for job in jobs], targets, px, room

    def _balanced(self, chance: np.random.Generator, size: int, px: int) -> "npt.NDArray[np.int64]":
        large = self.px >= px if self.options.augment else np.ones(len(self.px), bool)
        parts = []
        for label, count in ((False, size // 2), (True, size - size // 2)):
            weight = self.weight * (self.fake == label)
            # a class without faces of that size gives those it has, enlarged
            weight = weight * large if (weight * large).any() else weight
            spare = np.count_nonzero(weight) < count
            parts.append(
                chance.choice(len(weight), count, replace=bool(spare), p=weight / weight.sum())
            )
        return np.concatenate(parts)


def _finish(jobs: list[Future[Pixels]], targets: "Tensor", px: int, room: float) -> Batch:
    return Batch(stacked([job.result() for job in jobs]), targets, px, room)


def stacked(pictures: Sequence[Pixels]) -> "Tensor":
    """Pictures of one size as (N, 3, h, w) uint8."""
    import torch

    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def window_px(face: LabelledFace, card: ModelCard) -> int:
    """The side of the card's window in pixels of the face's picture, which may be narrower."""
    return max(1, round(face.side * card.crop_scale / face.scale))


def fed_face(face: LabelledFace, card: ModelCard) -> Pixels:
    """The face as a scan would show it to the network, before normalisation."""
    return shrink(_window(face, card.crop_scale), card)


def disturbed_face(face: LabelledFace, card: ModelCard, side: int, webp: int) -> Pixels:
    """All of the picture's square, or the card's window where that is wider, at `side` px.

    With WebP's losses at quality `webp` if that is not 0.
    """
    pixels = _window(face, max(face.scale, card.crop_scale)).pixels
    picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    if webp:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=webp, method=2)
        with Image.open(buffer, formats=("WEBP",)) as again:
            picture = again.convert("RGB")
    return np.asarray(picture)


def _window(face: LabelledFace, scale: float) -> FaceCrop:
    """The window of `scale` times the face's box, cut as a scan does it: edge pixels may repeat."""
    picture = DecodedImage(ImageRef(0, face.path, ""), read_face(face.path))
    return cut(picture, face_in_middle(picture, face.scale), 1, scale)
