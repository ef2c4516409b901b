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
from fakefacecli.detect.boxes import clip, nms_by_smaller, square
from fakefacecli.detect.pyramid import Level, Tables, pool_boxes, tabulate
from fakefacecli.models.precision import full_float32

if TYPE_CHECKING:
    import torch

SAME_LEVEL_OVERLAP = 0.5
SAME_FACE_OVERLAP = 0.7


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
        import torch

        tables = tabulate([image.pixels for image in images], self.device)
        owners, boxes = self._propose(tables)
        owners, boxes = self._refine(tables, owners, boxes)
        owners, boxes, rest = self._keep_passing(tables, owners, boxes, self.output, self.least[2])
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        points = rest[:, 5:].reshape(-1, 2, 5) * sides[:, :, None] + boxes[:, :2, None] - 1
        boxes = boxes + rest[:, 1:5] * sides.repeat(1, 2)
        rows = torch.cat((boxes, rest[:, :1].sigmoid(), points.transpose(1, 2).flatten(1)), 1)
        rows, owners = rows.cpu(), owners.cpu()
        return [_faces(rows[owners == number]) for number in range(len(images))]

    def _scales(self, height: int, width: int) -> Iterator[float]:
        """Scales from the largest on, as long as the shorter side still holds a cell."""
        scale, shorter = self.largest_scale, min(height, width) * self.largest_scale
        while shorter >= networks.CELL:
            yield scale
            scale, shorter = scale * self.factor, shorter * self.factor

    def _propose(self, tables: Tables) -> "tuple[torch.Tensor, torch.Tensor]":
        """Squares that may hold a face, and their images' numbers."""
        import torch
        from torchvision.ops import nms

        squares = [torch.empty((0, 4), device=self.device)]
        counts = [0] * len(tables.sizes)
        for first, count in self._stacks(tables.sizes):
            levels = [
                self._propose_at(scale, tables, first, count)
                for scale in self._scales(*tables.sizes[first])
            ]
            for number in range(count):
                kept = []
                for images, boxes, logits, shifts in levels:
                    mine = (images == number).nonzero()[:, 0] if count > 1 else slice(None)
                    rows = torch.cat((boxes[mine], logits[mine, None], shifts[mine]), 1)
                    kept.append(rows[nms(rows[:, :4], rows[:, 4].sigmoid(), SAME_LEVEL_OVERLAP)])
                if kept:
                    rows = torch.cat(kept)
                    rows = rows[nms(rows[:, :4], rows[:, 4].sigmoid(), SAME_FACE_OVERLAP)]
                    sides = (rows[:, 2:4] - rows[:, :2]).repeat(1, 2)
                    squares.append(square(rows[:, :4] + rows[:, 5:] * sides))
                    counts[first + number] = len(rows)
        owners = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        return owners.to(self.device), torch.cat(squares)

    def _stacks(self, sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """First and number of images to send through the proposal network together.

        On a GPU these are neighbours of one size. A CPU is busy with one image, and its answer
        is then the same to the last bit whatever comes along with it."""
        first = 0
        while first < len(sizes):
            last = first + 1
            while self.device.type != "cpu" and last < len(sizes) and sizes[last] == sizes[first]:
                last += 1
            yield first, last - first
            first = last

    def _propose_at(
        self, scale: float, tables: Tables, first: int, count: int
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]":
        """Proposals at one `scale`: their image in the stack, boxes, logits and shifts."""
        import torch

        height, width = tables.sizes[first]
        rows, columns = int(height * scale + 1), int(width * scale + 1)
        level = Level(tables.view(first, count), height, width, rows, columns)
        cells = networks.cells(rows)
        bands = -(-rows * columns * count // self.band_pixels)
        step = -(-cells // bands)
        found = []
        for start in range(0, cells, step):
            # the last band takes in the odd row below the last whole cell
            top = start * networks.STRIDE
            bottom = (
                rows
                if start + step >= cells
                else top + (step - 1) * networks.STRIDE + networks.CELL
            )
            pixels = level.pool(top, bottom, (_round(bottom - top), _round(columns)))
            where, logits, shifts = self.proposal.propose(
                pixels, (bottom - top, columns), self.least[0]
            )
            where[:, 1] += start
            found.append((where, logits, shifts))
        where, logits, shifts = (torch.cat(parts) for parts in zip(*found, strict=True))
        corner = where[:, 1:].flip(1).to(shifts.dtype) * networks.STRIDE
        # by a plain number CUDA multiplies with its inverse: where a CPU gets a whole number,
        # floor would go to the one below
        scales = torch.full((), scale, dtype=shifts.dtype, device=shifts.device)
        boxes = torch.cat(
            (((corner + 1) / scales).floor(), ((corner + networks.CELL) / scales).floor()), 1
        )
        return where[:, 0], boxes, logits, shifts

    def _refine(
        self, tables: Tables, owners: "torch.Tensor", boxes: "torch.Tensor"
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """The squares that the refining network lets through, moved by it."""
        import torch
        from torchvision.ops import nms

        owners, boxes, rest = self._keep_passing(tables, owners, boxes, self.refine, self.least[1])
        scores = rest[:, 0].sigmoid()
        picks = [torch.empty(0, dtype=torch.int64, device=self.device)]
        for number in range(len(tables.sizes)):
            mine = (owners == number).nonzero()[:, 0]
            picks.append(mine[nms(boxes[mine], scores[mine], SAME_FACE_OVERLAP)])
        pick = torch.cat(picks)
        owners, boxes, shifts = owners[pick], boxes[pick], rest[pick, 1:]
        sides = (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)
        return owners, square(boxes + shifts * sides)

    def _keep_passing(
        self,
        tables: Tables,
        owners: "torch.Tensor",
        boxes: "torch.Tensor",
        net: networks.RefineNet | networks.OutputNet,
        least: float,
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """What `net` says of each box, for those whose logit is above `least`."""
        import torch
        from torch.nn import functional as F

        whole, inside = clip(boxes, owners, tables)
        owners, boxes, whole = owners[inside], boxes[inside], whole[inside]
        answers = [torch.empty((0, net.heads.outputs), device=self.device)]
        for start in range(0, len(boxes), net.at_once):
            chunk = slice(start, start + net.at_once)
            pixels = pool_boxes(tables, owners[chunk], whole[chunk], net.SIDE)
            idle = (1 << (len(pixels) - 1).bit_length()) - len(pixels)
            made = net.forward(F.pad(pixels, (0, 0, 0, 0, 0, 0, 0, idle)))
            answers.append(made[: len(pixels)])
        answer = torch.cat(answers)
        passed = answer[:, 0] > least
        return owners[passed], boxes[passed], answer[passed]


def _round(pixels: int) -> int:
    """The next even number with four leading bits, for sides of what a network is given.

    oneDNN prepares a convolution anew for each shape, 0.2 to 0.6 ms, and keeps 1024 of them:
    photographs of all sizes should come down to a few hundred shapes."""
    step = max(2, 1 << max(0, pixels.bit_length() - 4))
    return -(-pixels // step) * step


def _faces(rows: "torch.Tensor") -> tuple[Face, ...]:
    """One image's faces from rows (k, 15): box, score, landmarks."""
    rows = rows[nms_by_smaller(rows[:, :4], rows[:, 4], SAME_FACE_OVERLAP)]
    sound = rows.isfinite().all(1) & (rows[:, 2:4] > rows[:, :2]).all(1)
    values = rows[sound].numpy()
    return tuple(
        Face(Box(*map(float, row[:4])), row[5:].reshape(5, 2).copy(), float(row[4]))
        for row in values
    )
