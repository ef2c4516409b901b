"""Cutting faces out of photographs on a device, all of a batch at once.

Each pixel of each window is a point, whatever window it belongs to: so many faces take as many
steps as one. Windows are those of crop.py. Turned ones are interpolated as OpenCV 5 does it, in
float32 (Keys, "Cubic convolution interpolation for digital image processing", 1981; a = -0.75):
one level of 255 off in 1 of 50,000 values, where sums are rounded in another order.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakefacecli.base.device import to_device, uploaded
from fakefacecli.base.records import DecodedImage, Face, FaceCrop, FacePlace, FaceView
from fakefacecli.models.card import RESIZES
from fakefacecli.models.resample import resample
from fakefacecli.models.there import FaceThere
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.crop import cut, is_too_long, level_turn, middle_of, place_of

if TYPE_CHECKING:
    from torch import Tensor

_POINTS_AT_ONCE = 1 << 22  # they take about 150 bytes each
_A = -0.75  # OpenCV's, for its INTER_CUBIC
# earlier ones interpolate in steps of 1/32 of a pixel, up to 7 levels of 255 off
_OPENCV = 5

Found = tuple[DecodedImage, Face, int]


def cut_there(found: Sequence[Found], rule: WindowRule, device: str) -> list[FaceView]:
    """The windows of some faces, each with its image and number, cut out on torch's `device`.

    In order. Those of faces that were found in a picture turned by a quarter, those of pictures too
    long for float32, and all of them where the device's memory runs out, are cut out here.
    """
    import torch

    there = [_fits(image, face) for image, face, _ in found]
    windows: Iterator[FaceThere] | None = None
    try:
        with torch.inference_mode():
            windows = iter(_windows(list(itertools.compress(found, there)), rule, device))
    except torch.OutOfMemoryError:
        there = [False] * len(found)
    if windows is None:
        # not in the except block, whose traceback keeps the tensors alive
        torch.cuda.empty_cache()
        windows = iter(())
    return [
        next(windows) if fits else cut(*one, rule) for one, fits in zip(found, there, strict=True)
    ]


def agrees() -> bool:
    """Whether windows that are cut out here are turned as those on a device: by OpenCV 5."""
    import cv2

    return int(cv2.__version__.split(".")[0]) >= _OPENCV


def on_host(face: FaceView) -> FaceCrop:
    """The face with its pixels, cut out here if they are on a device."""
    if isinstance(face, FaceThere):
        return cut(face.image, face.face, face.number, face.rule)
    if isinstance(face, FaceCrop):
        return face
    raise TypeError(f"{type(face).__name__} found, wanted a FaceCrop or a FaceThere")


def _fits(image: DecodedImage, face: Face) -> bool:
    return not face.turn and not is_too_long(image.pixels)


def _windows(found: Sequence[Found], rule: WindowRule, device: str) -> list[FaceThere]:
    places = [place_of(*one, rule) for one in found]
    made: list[Tensor] = []
    for part in _parts([place.window.side for place in places]):
        made += _cut_out([found[n][0] for n in part], [places[n] for n in part], device)
    levels = [_reduced(window, rule.most_px) for window in made]
    return [
        FaceThere(**place.facts, image=image, rule=rule, levels=window)
        for place, (image, _, _), window in zip(places, found, levels, strict=True)
    ]


def _parts(sides: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of windows to cut out at a time, one at least."""
    part: list[int] = []
    points = 0
    for number, side in enumerate(sides):
        if part and points + side * side > _POINTS_AT_ONCE:
            yield part
            part, points = [], 0
        part.append(number)
        points += side * side
    if part:
        yield part


def _cut_out(
    images: Sequence[DecodedImage], places: Sequence[FacePlace], device: str
) -> "list[Tensor]":
    """The windows (3, side, side) uint8, before any is reduced."""
    import torch

    source = _source(images, device)
    sides = [place.window.side for place in places]
    made: list[Tensor] = [torch.empty(0)] * len(places)
    for turned in (False, True):
        mine = [number for number, place in enumerate(places) if place.levelled is turned]
        if not mine:
            continue
        points = _Points.of([sides[number] for number in mine], device)
        if turned:
            back = np.stack([_inverse(places[number]) for number in mine])
            levels = _turned(source.of(mine), points, back)
        else:
            corners = [[places[n].window.left, places[n].window.top] for n in mine]
            levels = _plain(source.of(mine), points, np.array(corners, np.int64))
        end = 0
        for number in mine:
            start, end = end, end + sides[number] ** 2
            square = levels[start:end].view(sides[number], sides[number], 3)
            made[number] = square.permute(2, 0, 1)
    return made


@dataclass(frozen=True, slots=True)
class _Source:
    """Pictures one after the other: `levels` (pixels, 3) uint8 on a device.

    Of each window the picture's `shape` (n, 3): its first pixel, its width and its height."""

    levels: "Tensor"
    shape: npt.NDArray[np.int64]

    def of(self, windows: Sequence[int]) -> "_Source":
        return _Source(self.levels, self.shape[list(windows)])


def _source(images: Sequence[DecodedImage], device: str) -> _Source:
    import torch

    starts: dict[int, int] = {}
    pictures = []
    end = 0
    for image in images:
        if id(image) not in starts:
            starts[id(image)] = end
            pictures.append(uploaded(image.pixels, device).view(-1, 3))
            end += image.width * image.height
    shape = [[starts[id(image)], image.width, image.height] for image in images]
    return _Source(torch.cat(pictures), np.array(shape, np.int64))


@dataclass(frozen=True, slots=True)
class _Points:
    """The pixels of some windows, one window after the other, row by row.

    `owners` (points,) are the windows' numbers, `x` and `y` (points,) the places in them.
    """

    owners: "Tensor"
    x: "Tensor"
    y: "Tensor"

    @classmethod
    def of(cls, sides: Sequence[int], device: str) -> "_Points":
        import torch

        sizes = np.array(sides, np.int64)
        areas = sizes**2
        total = int(areas.sum())
        numbers = torch.arange(len(sizes), device=device)
        # told how many there are, the device is not asked
        owners = numbers.repeat_interleave(to_device(areas, device), output_size=total)
        firsts = to_device(np.cumsum(areas) - areas, device)
        inside = torch.arange(total, device=device) - firsts[owners]
        side = to_device(sizes, device)[owners]
        y = torch.div(inside, side, rounding_mode="floor")
        return cls(owners, inside - y * side, y)


def _plain(source: _Source, points: _Points, corners: npt.NDArray[np.int64]) -> "Tensor":
    """The levels (points, 3) of windows whose upper left `corners` (n, 2) are given, x and y."""
    device = source.levels.device
    left, top = to_device(corners, device)[points.owners].unbind(1)
    start, width, height = to_device(source.shape, device)[points.owners].unbind(1)
    x = (left + points.x).clamp_(min=0).minimum(width - 1)
    y = (top + points.y).clamp_(min=0).minimum(height - 1)
    return source.levels[start + y * width + x]


def _inverse(place: FacePlace) -> npt.NDArray[np.float32]:
    """The matrix (2, 3) from the pixels of a turned window to those of the photograph."""
    matrix = level_turn(middle_of(place.face.box), place.window.side, place.turned)
    back = np.linalg.inv(matrix[:, :2])
    return np.hstack((back, -back @ matrix[:, 2:])).astype(np.float32)


def _turned(source: _Source, points: _Points, back: npt.NDArray[np.float32]) -> "Tensor":
    """The levels (points, 3) of windows whose matrices (n, 2, 3) lead `back` to the photograph."""
    import torch

    device = source.levels.device
    matrix = to_device(back, device)[points.owners]
    start, width, height = to_device(source.shape, device)[points.owners].unbind(1)
    across = matrix[:, :, 0] * points.x[:, None] + (
        matrix[:, :, 1] * points.y[:, None] + matrix[:, :, 2]
    )
    whole = across.floor()
    weights = _cubic(across - whole)  # (points, 2, 4): of x, of y
    x, y = whole.long().unbind(1)
    found = torch.zeros((len(x), 3), device=device)
    for down in range(4):
        row = start + (y + (down - 1)).clamp_(min=0).minimum(height - 1) * width
        line = torch.zeros_like(found)
        for right in range(4):
            place = row + (x + (right - 1)).clamp_(min=0).minimum(width - 1)
            line += weights[:, 0, right, None] * source.levels[place]
        found += weights[:, 1, down, None] * line
    return found.round_().clamp_(0, 255).byte()


def _cubic(part: "Tensor") -> "Tensor":
    """What four neighbours weigh, (..., 4), at a `part` (...) of the way between the middle two."""
    import torch

    rest = 1 - part
    far = ((_A * (part + 1) - 5 * _A) * (part + 1) + 8 * _A) * (part + 1) - 4 * _A
    near = ((_A + 2) * part - (_A + 3)) * part * part + 1
    next_ = ((_A + 2) * rest - (_A + 3)) * rest * rest + 1
    return torch.stack((far, near, next_, 1 - far - near - next_), -1)


def _reduced(window: "Tensor", most_px: int) -> "Tensor":
    if not most_px or window.shape[-1] <= most_px:
        return window
    return resample(window[None], most_px, RESIZES[0])[0].byte()
