"""From a face crop to a network's input, exactly as the model's card says."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops

from fakefacecli.base.device import to_device
from fakefacecli.base.quarter import box_in_crop
from fakefacecli.base.records import FaceCrop, FaceView, Pixels
from fakefacecli.models.card import RESIZES, ModelCard
from fakefacecli.models.resample import resample
from fakefacecli.models.there import FaceThere

if TYPE_CHECKING:
    from torch import Tensor

_FILTERS = dict(zip(RESIZES, (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR), strict=True))
_ELA_QUALITY = 90


def region(crop: FaceCrop, card: ModelCard) -> tuple[int, int, int, int]:
    """What the network sees of the crop: left, top, right, bottom in its pixels."""
    side = crop.side
    if card.span:
        return _middle(side, card)
    if not card.stretch:
        return 0, 0, side, side
    box = box_in_crop(crop)
    left, right = _along(box.left, box.right, card.crop_scale, side)
    top, bottom = _along(box.top, box.bottom, card.crop_scale, side)
    return left, top, right, bottom


def shrink(crop: FaceView, card: ModelCard) -> Pixels:
    """The FaceCrop as (input_px, input_px, 3) uint8, before any normalisation."""
    if not isinstance(crop, FaceCrop):
        raise TypeError(f"{type(crop).__name__} found, wanted a FaceCrop")
    image = Image.fromarray(crop.pixels)
    if card.span:
        return np.asarray(_channels(_member_view(image, card), card))
    seen = region(crop, card)
    if seen != (0, 0, *image.size):
        image = image.crop(seen)
    return np.asarray(resized(image, card))


def resized(window: Image.Image, card: ModelCard) -> Image.Image:
    """What the network sees of a photograph, at its input's size and in its channels."""
    # twice where the published system did: its detector cut at one size, its network took another
    for px in (card.via_px, card.input_px):
        if px:
            window = window.resize((px, px), _FILTERS[card.resize])
    return _channels(window, card)


def _channels(picture: Image.Image, card: ModelCard) -> Image.Image:
    return picture if card.channels == "rgb" else error_levels(picture)


def _member_view(window: Image.Image, card: ModelCard) -> Image.Image:
    """What a member of a judge sees of the judge's square window, at its input's size."""
    if card.via_px and card.view != "native":  # fine traces do not survive any resizing
        window = window.resize((card.via_px, card.via_px), _FILTERS[card.resize])
    seen = window.crop(_middle(window.width, card))
    # of the right size already, it stays as it is
    return seen.resize((card.input_px, card.input_px), _FILTERS[card.resize])


def _middle(side: int, card: ModelCard) -> tuple[int, int, int, int]:
    """The part of a window `side` px wide that a member sees, around its middle.

    Half a pixel goes to the even neighbour.
    """
    native = card.view == "native"
    part = min(card.input_px, side) if native else max(1, round(side * card.crop_scale / card.span))
    start = round((side - part) / 2)
    return start, start, start + part, start + part


def prepare(crops: Sequence[FaceView], card: ModelCard, device: str) -> "Tensor":
    """A batch (N, 3, input_px, input_px) float32 on `device`, normalised.

    Of FaceCrops, and of FaceThere where the card `is_plain`; TypeError for others.
    """
    there = device.startswith("cuda") or any(isinstance(crop, FaceThere) for crop in crops)
    if there and is_plain(card):
        return normalised(shrink_there(crops, card, device), card)
    stack = np.stack([shrink(crop, card) for crop in crops])
    # bytes go to the device and become floats there: a quarter of the transfer
    return normalised(to_device(stack, device).permute(0, 3, 1, 2), card)


def is_plain(card: ModelCard) -> bool:
    """Whether all that `shrink` does is to take a square out of a square and to resize it."""
    return not card.stretch and card.channels == "rgb"


def shrink_there(crops: Sequence[FaceView], card: ModelCard, device: str) -> "Tensor":
    """`shrink` on torch's `device`: (n, 3, input_px, input_px) of whole grey levels."""
    import torch

    levels = [_levels(crop, device) for crop in crops]
    sides: dict[int, list[int]] = {}
    for number, window in enumerate(levels):
        sides.setdefault(window.shape[-1], []).append(number)
    order = np.array([number for numbers in sides.values() for number in numbers])
    parts = []
    for numbers in sides.values():  # those of one size together
        seen = torch.stack([levels[number] for number in numbers])
        if card.via_px and card.view != "native":
            seen = resample(seen, card.via_px, card.resize)
        if card.span:
            left, top, right, bottom = _middle(seen.shape[-1], card)
            seen = seen[..., top:bottom, left:right]
        parts.append(resample(seen, card.input_px, card.resize))
    found = torch.cat(parts)[to_device(np.argsort(order), device)]
    return found.contiguous(memory_format=torch.channels_last)


def _levels(crop: FaceView, device: str) -> "Tensor":
    """The window's levels (3, side, side) on the device."""
    if isinstance(crop, FaceThere):
        return crop.levels
    if isinstance(crop, FaceCrop):
        # torch warns of arrays that it may not write to
        return to_device(np.require(crop.pixels, requirements="W"), device).permute(2, 0, 1)
    raise TypeError(f"{type(crop).__name__} found, wanted a FaceCrop or a FaceThere")


def normalised(batch: "Tensor", card: ModelCard) -> "Tensor":
    """(N, 3, h, w) grey levels 0..255 of any type as the float32 the network wants."""
    levels = batch.float()
    if card.levels == 1:
        levels = levels / 255
    mean, std = (
        to_device(np.array(triple, np.float32), batch.device).view(1, 3, 1, 1)
        for triple in (card.mean, card.std)
    )
    return (levels - mean) / std


def error_levels(image: Image.Image) -> Image.Image:
    """Error Level Analysis (Krawetz 2007): what saving as JPEG once more changes, stretched.

    The difference to the picture at quality 90, times 255 over its largest value.
    """
    # uint16, as 255 times a difference does not fit into a byte
    difference = saving_error(image, _ELA_QUALITY).astype(np.uint16)
    return Image.fromarray((difference * 255 // max(int(difference.max()), 1)).astype(np.uint8))


def saving_error(image: Image.Image, quality: int) -> Pixels:
    """(h, w, 3) uint8: by how much saving `image` as JPEG of a quality, 1..100, changes each."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=("JPEG",)) as again:
        return np.asarray(ImageChops.difference(image, again.convert("RGB")))


def _along(low: float, high: float, scale: float, side: int) -> tuple[int, int]:
    """An edge of the box, `scale` times as long, inside 0..side and never empty."""
    middle, half = (low + high) / 2, (high - low) * scale / 2
    start = min(max(round(middle - half), 0), side - 1)
    return start, min(max(round(middle + half), start + 1), side)
