"""What happens to pictures on their way: the robustness grid's degradations.

Each takes a face with its picture and gives the window that a scan would then judge. The same
pixels always give the same answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from PIL import Image, ImageFilter

from fakefacecli.base.records import Box, FaceCrop, Pixels, Window
from fakefacecli.evaluate import edits
from fakefacecli.evaluate.turn import Turn
from fakefacecli.labelled.faces import FoundFace
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.alterations import jpeg, noise, resize, resized, through


class Degradation(Protocol):
    """One cell of the grid: `family` and `strength` (the family's unit) name it."""

    @property
    def family(self) -> str: ...

    @property
    def strength(self) -> float: ...

    def __call__(self, found: FoundFace, rule: WindowRule) -> FaceCrop:
        """The degraded face, cut by `rule`; its box is as large as it is now."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A degradation of the pixels (n, n, 3) uint8 RGB of a window, which stays square."""

    family: str
    strength: float
    apply: Callable[[Pixels], Pixels]

    def __call__(self, found: FoundFace, rule: WindowRule) -> FaceCrop:
        """The crop edited; its window and box keep the corner and get the new size."""
        crop = found.crop
        pixels, old, box = self.apply(crop.pixels), crop.window, crop.face.box
        # of the pixels, not of the window: a large one has been reduced already
        grown = len(pixels) / crop.side
        box = Box(
            old.left + grown * (box.left - old.left),
            old.top + grown * (box.top - old.top),
            old.left + grown * (box.right - old.left),
            old.top + grown * (box.bottom - old.top),
        )
        window = Window(old.left, old.top, max(1, round(grown * old.side)))
        if rule.most_px and len(pixels) > rule.most_px:
            pixels = resized(pixels, rule.most_px, Image.Resampling.BICUBIC)
        return replace(crop, window=window, pixels=pixels, face=replace(crop.face, box=box))


def webp(pixels: Pixels, quality: int) -> Pixels:
    """Once through lossy WebP."""
    return through(pixels, "WEBP", quality=quality, method=4)


def upscale(pixels: Pixels, factor: float) -> Pixels:
    """Enlarged by `factor` with a Lanczos filter."""
    return resized(pixels, max(1, round(len(pixels) * factor)), Image.Resampling.LANCZOS)


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """A Gaussian blur of `sigma` pixels."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def screenshot(pixels: Pixels, quality: int) -> Pixels:
    """Shown a quarter larger on a screen (bilinear), cut by hand, saved as JPEG.

    The cut takes 3 pixels off two sides and as many off the others, so that the blocks of an
    earlier compression do not fall on those of the new one.
    """
    side = max(8, round(len(pixels) * 1.25))
    return jpeg(resized(pixels, side, Image.Resampling.BILINEAR)[3:-3, 3:-3], quality)


def _family(name: str, apply: Callable[[Pixels, float], Pixels], *strengths: float) -> list[Edit]:
    return [
        # s=strength: without it, all would use the last strength
        Edit(name, strength, lambda pixels, s=strength: apply(pixels, s))  # type: ignore[misc]
        for strength in strengths
    ]


GRID: tuple[Degradation, ...] = (
    *_family("JPEG quality", lambda p, q: jpeg(p, int(q)), 90, 75, 60, 45, 30),
    *_family("WebP quality", lambda p, q: webp(p, int(q)), 80, 50),
    *_family("resize", resize, 0.75, 0.5, 0.25),
    *_family("blur sigma", blur, 1, 2),
    *_family("noise sigma", noise, 5, 10),
    *_family("screenshot, JPEG quality", lambda p, q: screenshot(p, int(q)), 80),
    # what phones and studios do to honest pictures
    *_family("denoising, strength", edits.denoise, 7),
    *_family("skin smoothing, sigma", edits.smooth, 40),
    *_family("upscaling, Lanczos", upscale, 2),
    *_family("tone mapping, CLAHE limit", edits.map_tones, 2),
    *_family("colour grading, saturation", edits.grade, 1.5),
    *(Turn(degrees) for degrees in (10, 20, 30, 45)),
)
