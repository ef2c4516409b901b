"""Finding faces with MTCNN, in a cascade of our own: exact, batched, indifferent to batch-mates.

Zhang, Zhang, Li, Qiao: "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", IEEE Signal Processing Letters, 2016. The answer is the one that
facenet-pytorch's `detect_face` gives for each image by itself, its oddities included (boxes moved
by one pixel here and there); where that would crash or pair boxes with the wrong scores, this
drops the box. Box tensors are (k, 4): left, top, right, bottom in pixels of the upright image.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fakefacecli.base.records import Box, DecodedImage, Face
from fakefacecli.base.threads import side_by_side
from fakefacecli.detect import networks
from fakefacecli.detect.boxes import nms_by_smaller, square
from fakefacecli.detect.by_level import LevelByLevel
from fakefacecli.detect.canvas import LevelSize
from fakefacecli.detect.later import SAME_FACE_OVERLAP, Boxes, final, refined
from fakefacecli.detect.pyramid import Tables, tabulate
from fakefacecli.detect.sweep import Blind, Canvases, Sweep
from fakefacecli.models.precision import full_float32

if TYPE_CHECKING:
    import torch

# A GPU's part of free memory, in pixels of photographs (12 bytes in a table, 3 uploaded) and of a
# canvas (12 bytes, and about 200 of what the first network makes of it)
_BYTES_OF_PIXEL, _BYTES_OF_CANVAS = 60, 800
_CANVAS_WIDTH = 4096


class MtcnnDetector:
    """Finds faces of about `min_face_px` and more.

    That is the side of the first network's smallest cell, which the next two correct: the box of
    a face may be smaller, by up to about half.

    `thresholds` in 0..1 are the least scores of the three networks; `factor` is the ratio of one
    pyramid level's side to the level's before it.
    """

    def __init__(
        self,
        device: str = "cpu",
        min_face_px: float = 40,
        thresholds: Sequence[float] = (0.6, 0.7, 0.95),
        factor: float = 0.709,
    ) -> None:
        import torch

        if not (min_face_px > 0 and math.isfinite(min_face_px)):
            raise ValueError(f"least face of {min_face_px} pixels found, wanted more than 0")
        if len(thresholds) != 3 or not all(0 < score < 1 for score in thresholds):
            raise ValueError(f"thresholds {thresholds} found, wanted three between 0 and 1")
        if not 0 < factor < 1:
            raise ValueError(f"factor {factor} found, wanted one between 0 and 1")
        self.device = torch.device(device)
        self.min_face_px, self.thresholds = min_face_px, thresholds
        self.largest_scale = networks.CELL / min_face_px
        self.factor = factor
        self.least = [math.log(score / (1 - score)) for score in thresholds]
        self.proposal, self.refine, self.output = networks.load(self.device)
        small = self.device.type == "cpu"
        # what a step touches should stay in a CPU's cache, and below the 32 MB from where on
        # glibc asks the kernel for fresh pages each time; a GPU wants work enough to fill it
        self.pixels_at_once = 1 << 21 if small else 1 << 26
        self.band_pixels = 200_000 if small else 1 << 25
        self.canvases: Canvases | None = None
        self.blind: Blind | None = None
        # on a CPU level by level is faster; of other devices only CUDA's was thought of
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            self.pixels_at_once = min(1 << 28, free // _BYTES_OF_PIXEL)
            canvas_pixels = min(1 << 25, free // _BYTES_OF_CANVAS)
            self.canvases, self.blind = Canvases(_CANVAS_WIDTH, canvas_pixels), Blind()

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        """The faces of each image, highest score first; () where there is none.

        When a GPU's memory runs out, fewer images are taken at once; a single image that does
        not fit is taken to the CPU."""
        groups = list(self._groups(images))
        find = partial(self._find, images)
        on_cpu = self.device.type == "cpu"
        parts = side_by_side(find, groups) if on_cpu else list(map(find, groups))
        found = {position: faces for part in parts for position, faces in part.items()}
        return [found[position] for position in range(len(images))]

    def _find(
        self, images: Sequence[DecodedImage], group: list[int]
    ) -> dict[int, tuple[Face, ...]]:
        """The faces of the images at the positions in `group`, by position."""
        import torch

        found: dict[int, tuple[Face, ...]] = {}
        waiting = [group]
        while waiting:
            positions = waiting.pop()
            faces = self._try([images[position] for position in positions])
            if faces is None and len(positions) == 1:
                torch.cuda.empty_cache()
                aside = MtcnnDetector("cpu", self.min_face_px, self.thresholds, self.factor)
                found.update(zip(positions, aside.detect([images[positions[0]]]), strict=True))
            elif faces is None:
                # here and not in the except block, whose traceback keeps the tensors alive
                torch.cuda.empty_cache()
                half = len(positions) // 2
                waiting += [positions[:half], positions[half:]]
            else:
                found.update(zip(positions, faces, strict=True))
        return found

    def _groups(self, images: Sequence[DecodedImage]) -> Iterator[list[int]]:
        """Positions of images to be taken together; equal sizes next to each other."""
        group: list[int] = []
        room = self.pixels_at_once
        sizes = [(image.height, image.width) for image in images]
        for position in sorted(range(len(images)), key=sizes.__getitem__, reverse=True):
            height, width = sizes[position]
            if group and height * width > room:
                yield group
                group, room = [], self.pixels_at_once
            group.append(position)
            room -= height * width
        if group:
            yield group

    def _try(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]] | None:
        """The faces of each image; None when a GPU's memory ran out."""
        import torch

        try:
            with torch.inference_mode(), full_float32(self.device.type):
                return self._cascade(images)
        except torch.OutOfMemoryError:
            if self.device.type == "cpu" and len(images) == 1:
                raise
        return None

    def _cascade(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        """The faces of each image. They go through together; boxes of two are never compared."""
        tables = tabulate([image.pixels for image in images], self.device)
        levels = list(self._levels(tables.sizes))
        rows = self._ask(tables, levels, self.blind).cpu()
        if bool(rows[0, -1]):
            rows = self._ask(tables, levels, None).cpu()
        rows = rows[rows[:, -2] == 0]
        return [_faces(rows[rows[:, -3] == number, :-3]) for number in range(len(images))]

    def _ask(
        self, tables: Tables, levels: Sequence[LevelSize], blind: Blind | None
    ) -> "torch.Tensor":
        """Box, score and landmarks of all faces and three notes, (k, 18) on the device.

        Each question for an answer is a wait for the device, so all comes at once. Notes are the
        face's image, whether it is none, and whether blind work failed: then no row is right.
        """
        import torch
        from torch.nn import functional as F

        failed = torch.zeros((), dtype=torch.bool, device=self.device)
        # a sweep counts the tables' entries in 31 bits
        if self.canvases and len(tables.sums) < 1 << 31:
            sweep = Sweep(tables, levels, self.canvases, blind)
            edges, owners = sweep.propose(self.proposal, self.least[0])
            failed = sweep.failed
        else:
            way = LevelByLevel(self.proposal, self.least[0], self.band_pixels)
            edges, owners = way.propose(tables, levels)
        boxes = Boxes(square(edges), owners)
        unasked = blind is not None
        boxes = refined(self.refine, tables, boxes, self.least[1], blind=unasked)
        boxes, rows = final(self.output, tables, boxes, self.least[2], blind=unasked)
        out = torch.zeros_like(boxes.owners) if boxes.out is None else boxes.out
        notes = torch.stack((boxes.owners, out, failed.expand_as(out)), 1)
        # a row of no face, as there may be none to tell that blind work failed
        first = F.pad(torch.stack((torch.ones_like(failed), failed)), (rows.shape[1] + 1, 0))
        return torch.cat((first.to(rows.dtype)[None], torch.cat((rows, notes), 1)))

    def _levels(self, sizes: Sequence[tuple[int, int]]) -> Iterator[LevelSize]:
        """All levels of images of these heights and widths."""
        base = 0
        for image, (height, width) in enumerate(sizes):
            for scale in self._scales(height, width):
                rows, columns = int(height * scale + 1), int(width * scale + 1)
                yield (level := LevelSize(image, scale, height, width, rows, columns, base))
                base = level.end

    def _scales(self, height: int, width: int) -> Iterator[float]:
        """Scales from the largest on, as long as the shorter side still holds a cell."""
        scale, shorter = self.largest_scale, min(height, width) * self.largest_scale
        while shorter >= networks.CELL:
            yield scale
            scale, shorter = scale * self.factor, shorter * self.factor


def _faces(rows: "torch.Tensor") -> tuple[Face, ...]:
    """One image's faces from rows (k, 15): box, score, landmarks."""
    rows = rows[nms_by_smaller(rows[:, :4], rows[:, 4], SAME_FACE_OVERLAP)]
    # shifts can turn a box inside out, or overflow: such a one is dropped, not an error
    sound = rows.isfinite().all(1) & (rows[:, 2:4] > rows[:, :2]).all(1)
    values = rows[sound].numpy()
    return tuple(
        Face(Box(*map(float, row[:4])), row[5:].reshape(5, 2).copy(), float(row[4]))
        for row in values
    )
