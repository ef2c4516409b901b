"""The pictures on an overlay: a face and its surroundings, bare and under heat; the whole photo.

A view is a square of the photograph, VIEW_PX wide when drawn. Where the square overhangs the
photograph it is OUTSIDE grey; only the window under heat repeats the edge, as the network saw it.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from fakefacecli.base.records import Box, DecodedImage, FaceCrop, Floats, Heatmap, Pixels

Colour = tuple[int, int, int]
Edges = tuple[float, float, float, float]  # left, top, right, bottom; right and bottom exclusive

VIEW_PX = 576
SURROUNDINGS = 0.25  # of the window's side, at most, on each of its four sides
FACES_WIDE = 2.0  # as many sides of the face's box are enough, where the window lies within them
OUTSIDE = (226, 229, 232)
FULL_HEAT_ALPHA = 0.72  # even the hottest place lets the face shine through
DIMMED = 0.4  # of the heat's opacity, outside the box of the face
LIGHT, DARK = (255, 255, 255), (20, 20, 20)
BLOCKY_FROM = 4.0  # enlarged this much, pixels are shown as squares: smoothing invents skin


@dataclass(frozen=True, slots=True)
class Frame:
    """A square of the photograph: left and top edge and side in upright pixels; may overhang."""

    left: int
    top: int
    side: int
    margin: int

    @classmethod
    def around(cls, crop: FaceCrop) -> "Frame":
        """The crop's window, as it was turned, with surroundings: at least a pixel on each side."""
        window, roll = crop.window, math.radians(crop.roll if crop.levelled else 0.0)
        across = window.side * (abs(math.cos(roll)) + abs(math.sin(roll)))
        wanted = max(across, FACES_WIDE * crop.face.box.longer_side)
        margin = max(1, round(min(window.side * SURROUNDINGS, (wanted - window.side) / 2)))
        return cls(window.left - margin, window.top - margin, window.side + 2 * margin, margin)

    @property
    def zoom(self) -> float:
        """Pixels drawn per pixel of the photograph."""
        return VIEW_PX / self.side

    @property
    def window(self) -> tuple[int, int, int, int]:
        """Where the crop's window lies in a drawn view: left, top, right, bottom (exclusive)."""
        near, far = round(self.margin * self.zoom), round((self.side - self.margin) * self.zoom)
        return near, near, far, far

    @property
    def inner(self) -> "Frame":
        """The crop's window alone."""
        margin = self.margin
        return Frame(self.left + margin, self.top + margin, self.side - 2 * margin, 0)

    def place(self, box: Box) -> Edges:
        """Where `box` lies in a drawn view; may fall outside it."""
        x, y, zoom = self.left, self.top, self.zoom
        return (
            (box.left - x) * zoom,
            (box.top - y) * zoom,
            (box.right - x) * zoom,
            (box.bottom - y) * zoom,
        )

    def overhangs(self, image: DecodedImage) -> bool:
        """Whether a part of the square lies outside the photograph."""
        right, bottom = self.left + self.side, self.top + self.side
        return min(self.left, self.top) < 0 or right > image.width or bottom > image.height


def draw_views(
    image: DecodedImage, crop: FaceCrop, heat: Heatmap
) -> tuple[Image.Image, Image.Image]:
    """The face as it is, and in grey under heat with its box: each VIEW_PX square, RGB."""
    frame = Frame.around(crop)
    pixels = _cut(image.pixels, frame)
    bare = hot = _scale(pixels)
    if repeats_edge(image, crop):  # heat is laid over what the network saw there
        inside = slice(frame.margin, frame.side - frame.margin)
        pixels[inside, inside] = _edge_repeated(image.pixels, frame.inner)
        hot = _scale(pixels)
    left, top, right, bottom = frame.window
    size = right - left, bottom - top
    laid = np.asarray(Image.fromarray(heat.values).resize(size, Image.Resampling.BILINEAR))
    opacity = np.where(_in_box(crop, laid.shape), 1.0, DIMMED)
    hot = hot.convert("L").convert("RGB")  # so that all colour in it is heat, on any skin or wall
    under = np.asarray(hot.crop(frame.window))
    hot.paste(Image.fromarray(warm(under, laid, opacity)), (left, top))
    _outline(hot, frame.place(crop.face.box), LIGHT, DARK, 3)
    if crop.levelled:
        _outline_turned(hot, frame.window, crop.turned)
    return bare, hot


def repeats_edge(image: DecodedImage, crop: FaceCrop) -> bool:
    """Whether the view under heat repeats the photograph's edge: not around a turned window."""
    return not crop.levelled and Frame.around(crop).inner.overhangs(image)


def draw_whole(
    image: DecodedImage, box: Box, colour: Colour, width: int, height: int
) -> Image.Image:
    """The whole photograph within `width` x `height` pixels, never enlarged, with `box` on it."""
    ratio = min(width / image.width, height / image.height, 1.0)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    step = max(1, int(1 / ratio / 4))  # four samples a pixel are enough, and cheap at 20 megapixels
    sampled = np.ascontiguousarray(image.pixels[::step, ::step])
    whole = Image.fromarray(sampled).resize(size, Image.Resampling.LANCZOS)
    x, y = size[0] / image.width, size[1] / image.height
    grow_x = max(0.0, 8 - (box.right - box.left) * x) / 2  # a mark of 8 pixels can still be seen
    grow_y = max(0.0, 8 - (box.bottom - box.top) * y) / 2
    place = (
        box.left * x - grow_x,
        box.top * y - grow_y,
        box.right * x + grow_x,
        box.bottom * y + grow_y,
    )
    _outline(whole, place, colour, LIGHT, 2)
    return whole


def heat_outside(crop: FaceCrop, heat: Heatmap) -> float:
    """The share of all heat that lies outside the box of the face, 0..1; 0 without any heat."""
    total = float(heat.values.sum(dtype=np.float64))
    outside = heat.values[~_in_box(crop, heat.values.shape)]
    return float(outside.sum(dtype=np.float64)) / total if total else 0.0


def _in_box(crop: FaceCrop, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which places of a map over the crop's window, (h, w), have their middle inside the box."""
    window, box = crop.window, crop.face.box
    y, x = ((np.arange(count) + 0.5) * (window.side / count) for count in shape)
    y, x = y + window.top, x + window.left
    rows, columns = (y >= box.top) & (y < box.bottom), (x >= box.left) & (x < box.right)
    return rows[:, np.newaxis] & columns


def warm(
    pixels: Pixels, heat: npt.NDArray[np.floating], opacity: npt.NDArray[np.floating] | float = 1.0
) -> Pixels:
    """Lay `heat` (h, w) in [0, 1] over `pixels` (h, w, 3): where heat is 0 nothing changes.

    `opacity` (h, w) in [0, 1] is how much of it is laid.
    """
    alpha = (FULL_HEAT_ALPHA * opacity * np.clip(heat, 0.0, 1.0))[..., np.newaxis]
    mixed: Pixels = np.rint(pixels * (1.0 - alpha) + plasma(heat) * alpha).astype(np.uint8)
    return mixed


def plasma(heat: npt.NDArray[np.floating]) -> Pixels:
    """Colours of `heat` (h, w) in [0, 1], in 256 steps: (h, w, 3), RGB.

    Plasma, by Smith and van der Walt for matplotlib (https://bids.github.io/colormap): perceptually
    uniform, and safe for the colour-blind.
    """
    import cv2

    steps = np.rint(np.clip(heat, 0.0, 1.0) * 255).astype(np.uint8)
    colours: Pixels = cv2.cvtColor(cv2.applyColorMap(steps, cv2.COLORMAP_PLASMA), cv2.COLOR_BGR2RGB)
    return colours


def heat_bar(width: int, height: int) -> Image.Image:
    """What heat 0 (left) to 1 (right) looks like on a middling grey."""
    heat: Floats = np.tile(np.linspace(0.0, 1.0, width, dtype=np.float32), (height, 1))
    grey = np.full((height, width, 3), 150, np.uint8)
    return Image.fromarray(warm(grey, heat))


def _cut(pixels: Pixels, frame: Frame) -> Pixels:
    """Copy a (side, side, 3) square out of the photograph, OUTSIDE where there is none."""
    height, width = pixels.shape[:2]
    square = np.full((frame.side, frame.side, 3), OUTSIDE, np.uint8)
    left, right = np.clip((frame.left, frame.left + frame.side), 0, width)
    top, bottom = np.clip((frame.top, frame.top + frame.side), 0, height)
    square[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left] = pixels[
        top:bottom, left:right
    ]
    return square


def _edge_repeated(pixels: Pixels, frame: Frame) -> Pixels:
    """A (side, side, 3) square of the photograph, its edge repeated where there is none."""
    rows = np.clip(np.arange(frame.top, frame.top + frame.side), 0, len(pixels) - 1)
    columns = np.clip(np.arange(frame.left, frame.left + frame.side), 0, pixels.shape[1] - 1)
    return pixels[np.ix_(rows, columns)]


def _scale(square: Pixels) -> Image.Image:
    zoom = VIEW_PX / len(square)
    if zoom >= BLOCKY_FROM:
        return Image.fromarray(square).resize((VIEW_PX, VIEW_PX), Image.Resampling.NEAREST)
    how = Image.Resampling.BICUBIC if zoom > 1.0 else Image.Resampling.LANCZOS
    return Image.fromarray(square).resize((VIEW_PX, VIEW_PX), how, reducing_gap=3.0)


def _outline_turned(picture: Image.Image, window: tuple[int, int, int, int], roll: float) -> None:
    """Draw the window as it was turned, about its middle, to have the eyes level."""
    left, top, right, bottom = window
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    corners = [
        (middle_x + x * cosine - y * sine, middle_y + x * sine + y * cosine)
        for x, y in (
            (left - middle_x, top - middle_y),
            (right - middle_x, top - middle_y),
            (right - middle_x, bottom - middle_y),
            (left - middle_x, bottom - middle_y),
        )
    ]
    pen = ImageDraw.Draw(picture)
    pen.line([*corners, corners[0]], fill=DARK, width=4, joint="curve")
    pen.line([*corners, corners[0]], fill=LIGHT, width=2, joint="curve")


def _outline(
    picture: Image.Image,
    place: Edges,
    colour: Colour,
    rim: Colour,
    width: int,
) -> None:
    """Draw a rectangle just inside `place`; one of `colour` and `rim` shows on any background."""
    left, top, right, bottom = (round(edge) for edge in place)
    right, bottom = max(right - 1, left), max(bottom - 1, top)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=rim, width=width + 2)
    pen.rectangle((left, top, right, bottom), outline=colour, width=width)
