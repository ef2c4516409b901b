"""From a face crop to a network's input, exactly as the model's card says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fakefacecli.models.card import ModelCard
from fakefacecli.records import FaceCrop, Pixels

if TYPE_CHECKING:
    from torch import Tensor


def shrink(crop: FaceCrop, input_px: int) -> Pixels:
    """The crop as (input_px, input_px, 3) uint8: Pillow's BICUBIC, which antialiases."""
    size = (input_px, input_px)
    return np.asarray(Image.fromarray(crop.pixels).resize(size, Image.Resampling.BICUBIC))


def prepare(crops: Sequence[FaceCrop], card: ModelCard, device: str) -> "Tensor":
    """A batch (N, 3, input_px, input_px) float32 on `device`: RGB, (grey level - mean) / std."""
    import torch

    stack = np.stack([shrink(crop, card.input_px) for crop in crops])
    batch = torch.from_numpy(stack).to(device).permute(0, 3, 1, 2)
    return (batch.float() - card.mean) / card.std
