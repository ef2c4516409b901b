"""Pictures resized by products of matrices are those that Pillow makes."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fakefacecli.base.options import DEFAULT_MODEL, DEFAULT_NETWORK
from fakefacecli.base.records import FaceCrop, Pixels
from fakefacecli.models.bundled import find_model
from fakefacecli.models.card import RESIZES, ModelCard
from fakefacecli.models.judge import members_of
from fakefacecli.models.preprocess import prepare, shrink, shrink_there
from fakefacecli.models.resample import resample
from fakefacecli.scan.crop import cut
from tests import builders
from tests.detect.test_cascade import photo, picture

FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
CARDS = [
    member.checkpoint.card
    for model in (DEFAULT_NETWORK, DEFAULT_MODEL)
    for member in members_of(find_model(model))
]


def hard(side: int) -> Pixels:
    """Noise, half of it black and white, where a bicubic filter goes beyond both ends."""
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    pixels[: side // 2] = np.where(pixels[: side // 2] > 127, 255, 0)
    return pixels


@pytest.mark.parametrize(("how", "pillows"), list(zip(RESIZES, FILTERS, strict=True)))
@pytest.mark.parametrize("side", [1, 2, 37, 160, 224, 311, 614, 901])
def test_every_level_is_pillows(how: str, pillows: Any, side: int) -> None:
    pixels = hard(side)
    for px in (1, 160, 224, 320):
        wanted = np.asarray(Image.fromarray(pixels).resize((px, px), pillows))
        [found] = resample(torch.from_numpy(pixels).permute(2, 0, 1)[None], px, how)
        assert np.array_equal(found.permute(1, 2, 0).numpy(), wanted)


def crops(card: ModelCard) -> list[FaceCrop]:
    image = picture(photo(builders.PHOTO))
    face = builders.face
    faces = [face(30, 40, 200), face(-20, 300, 90), face(500, 100, 311), face(60, 60, 200)]
    return [cut(image, one, n, card.rule or card.crop_scale) for n, one in enumerate(faces, 1)]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.name} {card.view}")
def test_a_network_is_given_the_same_pixels_by_a_device(card: ModelCard) -> None:
    wanted = np.stack([shrink(crop, card) for crop in crops(card)])
    found = shrink_there(crops(card), card, "cpu")
    assert np.array_equal(found.permute(0, 2, 3, 1).numpy(), wanted)


def test_a_picture_between_two_sizes_is_resized_twice_by_a_device_too() -> None:
    card = dataclasses.replace(CARDS[0], via_px=100)
    wanted = np.stack([shrink(crop, card) for crop in crops(card)])
    found = shrink_there(crops(card), card, "cpu")
    assert np.array_equal(found.permute(0, 2, 3, 1).numpy(), wanted)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.name} {card.view}")
def test_a_gpu_gives_a_network_what_the_cpu_gives_it(card: ModelCard) -> None:
    found = shrink_there(crops(card), card, "cuda").cpu()
    wanted = shrink_there(crops(card), card, "cpu")
    assert (found - wanted).abs().max() <= 1
    there, here = (prepare(crops(card), card, device).cpu() for device in ("cuda", "cpu"))
    one_level = (1 if card.levels == 255 else 1 / 255) / min(card.std)
    assert (there - here).abs().max() <= 1.01 * one_level
