"""Finding faces with CenterFace: a second detector, for what the MTCNN cascade misses.

Xu, Yan, Yang, Luo, Hu: "CenterFace: Joint Face Detection and Alignment Using Face as Point",
Scientific Programming, 2020. A face is a peak in a map of one cell for STRIDE x STRIDE pixels of
the input; its size, its centre's place in the cell and five landmarks are read off other maps
there. The weights and the layout of their outputs are those of Star-Clouds/CenterFace.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.memory import Memory, default_limit
from fakefacecli.base.records import Box, DecodedImage, Face, Floats, Pixels
from fakefacecli.base.threads import side_by_side
from fakefacecli.base.verdicts import DetectorName
from fakefacecli.models.bundled import second_detector_file

if TYPE_CHECKING:
    import onnxruntime

STRIDE = 4  # input pixels to a cell of the maps, each way
BLOCK = 32  # sides of the input are multiples of it
# A face of this side in the input is still found nearly as often as a large one
FACE_PX = 14
LEAST_SCORE = 0.35  # as in prj-python/demo.py of Star-Clouds/CenterFace
SAME_FACE_OVERLAP = 0.3  # intersection over union
MOST_INPUT_PIXELS = 2_000_000
_MOST_PADDED = 1.2 * MOST_INPUT_PIXELS
INPUT_BYTES = 350  # what the network holds for each pixel of its input, about
_AT_ONCE_ON_GPU = 8
_MOST_LOG_SIDE = 12.0  # exp(12) cells: wider than any picture that is decoded


class CenterFaceDetector:
    """Finds faces of `min_face_px` pixels and more (the longer side of the box).

    Pictures are reduced until such a face is FACE_PX wide, and further where the input would have
    more than MOST_INPUT_PIXELS. It runs on the CPU, or on a CUDA device where the installed
    onnxruntime has the provider for it. On the CPU what it holds is taken from `memory`, its own
    (a sixteenth of the machine's, if none is given): pictures wait until there is enough, and one
    is always let in. Raises ModelRefused where the weights' file is not the one that was shipped.
    """

    def __init__(
        self, device: str = "cpu", min_face_px: float = 40, memory: Memory | None = None
    ) -> None:
        if not (min_face_px > 0 and math.isfinite(min_face_px)):
            raise ValueError(f"least face of {min_face_px} pixels found, wanted more than 0")
        self.min_face_px = min_face_px
        # not the scan's: who holds some of that would wait here for others who do the same
        self.memory = memory or Memory(max(1, default_limit() // 4))
        self.session = _session(device)
        self.on_gpu = "CUDAExecutionProvider" in self.session.get_providers()
        # a CPU is busy with one picture: four together take as long as one by one
        self.at_once = _AT_ONCE_ON_GPU if self.on_gpu else 1

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        """The faces of each image, highest score first; () where there is none."""
        groups = list(self._groups(images))
        find = partial(self._find, images)
        parts = list(map(find, groups)) if self.on_gpu else side_by_side(find, groups)
        found = {position: faces for part in parts for position, faces in part.items()}
        return [found[position] for position in range(len(images))]

    def _groups(self, images: Sequence[DecodedImage]) -> Iterator[list[int]]:
        """Positions of images of one size, at most `at_once` together."""
        alike: dict[tuple[int, int], list[int]] = {}
        for position, image in enumerate(images):
            alike.setdefault((image.height, image.width), []).append(position)
        for positions in alike.values():
            for start in range(0, len(positions), self.at_once):
                yield positions[start : start + self.at_once]

    def _find(
        self, images: Sequence[DecodedImage], group: Sequence[int]
    ) -> dict[int, tuple[Face, ...]]:
        """The faces of the images of one size at the positions in `group`, by position."""
        height, width = images[group[0]].height, images[group[0]].width
        rows, columns = self._reduced(height, width)
        padded = _padded(rows, columns)
        size = 0 if self.on_gpu else len(group) * math.prod(padded) * INPUT_BYTES
        with self.memory.held(size):
            pixels = np.zeros((len(group), 3, *padded), np.float32)
            for place, position in enumerate(group):
                small = _resized(images[position], rows, columns)
                pixels[place, :, :rows, :columns] = small.transpose(2, 0, 1)
            maps = self._maps(pixels)
        scale = np.array((width / columns, height / rows), np.float32)
        return {
            position: self._faces([each[place] for each in maps], scale, (height, width))
            for place, position in enumerate(group)
        }

    def _reduced(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns that a picture is reduced to."""
        scale = min(
            1.0, FACE_PX / self.min_face_px, math.sqrt(MOST_INPUT_PIXELS / (height * width))
        )
        # a picture of a few rows grows when its sides become multiples of BLOCK
        while True:
            rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
            if math.prod(_padded(rows, columns)) <= _MOST_PADDED:
                return rows, columns
            scale *= 0.9

    def _maps(self, pixels: Floats) -> list[Floats]:
        """Heat (n, 1, h, w), log of height and width, shifts, and landmarks of (n, 3, H, W) RGB."""
        import onnxruntime

        options = onnxruntime.RunOptions()
        if pixels[0, 0].size > MOST_INPUT_PIXELS // 4:
            # what a large picture took is given back; small ones run twice as fast if it is kept
            where = "gpu:0;cpu:0" if self.on_gpu else "cpu:0"
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", where)
        name = self.session.get_inputs()[0].name
        return [np.asarray(made) for made in self.session.run(None, {name: pixels}, options)]

    def _faces(
        self, maps: Sequence[Floats], scale: Floats, size: tuple[int, int]
    ) -> tuple[Face, ...]:
        """One image's faces from its maps; `scale` (x, y) leads to pixels of the photograph."""
        import torch
        from torchvision.ops import nms

        heat, log_sides, shifts, marks = maps
        rows, columns = np.nonzero(heat[0] >= LEAST_SCORE)
        scores = heat[0, rows, columns]
        # maps name y before x, records x before y
        sides = np.exp(np.minimum(log_sides[::-1, rows, columns].T, _MOST_LOG_SIDE)) * STRIDE
        cells = np.stack((columns, rows), 1).astype(np.float32)
        low = (cells + shifts[::-1, rows, columns].T + 0.5) * STRIDE - sides / 2
        points = marks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
        points = (low[:, None] + points * sides[:, None]) * scale
        boxes = np.concatenate((low, low + sides), 1) * np.tile(scale, 2)
        kept = self._sound(boxes, points, size)
        boxes, scores, points = boxes[kept], scores[kept], points[kept]
        best = nms(torch.from_numpy(boxes), torch.from_numpy(scores), SAME_FACE_OVERLAP).tolist()
        return tuple(
            Face(
                Box(*map(float, boxes[place])),
                points[place].astype(np.float32),
                min(float(scores[place]), 1.0),
                detector=DetectorName.CENTERFACE,
            )
            for place in best
        )

    def _sound(
        self, boxes: Floats, points: Floats, size: tuple[int, int]
    ) -> "npt.NDArray[np.bool_]":
        """Which boxes are finite, of a possible size, and have their centres in the picture."""
        height, width = size
        sides = boxes[:, 2:] - boxes[:, :2]
        x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
        finite = np.isfinite(boxes).all(1) & np.isfinite(points).all((1, 2))
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        longer = sides.max(1, initial=0)
        large = (sides > 0).all(1) & (longer >= self.min_face_px)
        # cut out with its surroundings a huge box would be a huge picture
        possible = longer <= 2 * min(height, width)
        return np.asarray(finite & inside & large & possible)


def _padded(rows: int, columns: int) -> tuple[int, int]:
    return -(-rows // BLOCK) * BLOCK, -(-columns // BLOCK) * BLOCK


def _session(device: str) -> "onnxruntime.InferenceSession":
    import onnxruntime

    path = second_detector_file()
    options = onnxruntime.SessionOptions()
    # pictures run side by side, each on a thread of the caller's
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False  # a plan for each size of picture would be kept for good
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    providers: list[str | tuple[str, dict[str, int]]] = ["CPUExecutionProvider"]
    kind, _, number = device.partition(":")
    if kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(number or 0)}))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # its errors have no base class of their own
        raise ModelRefused(f"{path}: onnxruntime cannot load it; reinstall fakefacecli") from error


def _resized(image: DecodedImage, rows: int, columns: int) -> Pixels:
    """The picture's (rows, columns, 3) pixels: means of areas where it is reduced."""
    import cv2

    pixels = np.ascontiguousarray(image.pixels)
    if (rows, columns) == pixels.shape[:2]:
        return pixels
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA))
