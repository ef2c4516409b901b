"""JPEG's losses, and nothing else of it, in batches on any device.

What JPEG loses, it loses by rounding; the entropy coding behind that is exact, so it is left out.
ITU-T T.81 (1992): colour as in JFIF, 8x8 DCT, the tables of Annex K scaled as libjpeg does.
"""

import math
from typing import TYPE_CHECKING

from fakefacecli.evidence.jpeg import CHROMINANCE, LUMINANCE

if TYPE_CHECKING:
    from torch import Tensor

_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
_SHIFT = 128.0


def recompress(pictures: "Tensor", quality: "Tensor", halve: bool) -> "Tensor":
    """(N, 3, h, w) grey levels 0..255 as JPEG of `quality` (N,) 1..100 would give them back.

    With `halve` the colours have half the resolution (4:2:0)."""
    import torch
    from torch.nn.functional import avg_pool2d, interpolate, pad

    height, width = pictures.shape[2:]
    block = 16 if halve else 8
    padded = pad(pictures, (0, -width % block, 0, -height % block), mode="replicate")
    ycbcr = _turn(padded, _TO_YCBCR)
    ycbcr = ycbcr + torch.tensor([0.0, _SHIFT, _SHIFT], device=ycbcr.device).view(1, 3, 1, 1)
    ycbcr = ycbcr.round()  # libjpeg keeps whole numbers there
    luma, chroma = ycbcr[:, :1], ycbcr[:, 1:]
    if halve:
        chroma = avg_pool2d(chroma, 2).round()
    luma = _quantised(luma, _steps(LUMINANCE, quality))
    chroma = _quantised(chroma, _steps(CHROMINANCE, quality))
    if halve:  # libjpeg's "fancy" upsampling is this, to a rounding
        chroma = interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    rgb = _turn(torch.cat((luma, chroma - _SHIFT), 1), _TO_RGB)
    return rgb[:, :, :height, :width].round().clamp(0, 255)


def _turn(pictures: "Tensor", matrix: tuple[tuple[float, ...], ...]) -> "Tensor":
    import torch

    turned = torch.tensor(matrix, device=pictures.device, dtype=pictures.dtype)
    return torch.einsum("oc,nchw->nohw", turned, pictures)


def _steps(table: tuple[int, ...], quality: "Tensor") -> "Tensor":
    """Quantisation steps (N, 8, 8); libjpeg's jpeg_quality_scaling."""
    import torch

    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = torch.tensor(table, device=quality.device).view(1, 8, 8) * percent.view(-1, 1, 1)
    return ((steps + 50) / 100).floor().clamp(1, 255)


def _quantised(planes: "Tensor", steps: "Tensor") -> "Tensor":
    """(N, c, h, w) with h and w multiples of 8, through the DCT, rounding and back."""
    import torch

    count, channels, height, width = planes.shape
    cosines = torch.tensor(
        [
            [
                math.cos((2 * x + 1) * u * math.pi / 16) * (0.5 if u else math.sqrt(0.125))
                for x in range(8)
            ]
            for u in range(8)
        ],
        device=planes.device,
    )
    # the DCT as products with an orthonormal 8x8 matrix, whose transpose turns it back
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8) - _SHIFT
    waves = torch.einsum("ux,ncixjy,vy->ncijuv", cosines, blocks, cosines)
    steps = steps[:, None, None, None]
    waves = (waves / steps).round() * steps
    back = torch.einsum("ux,ncijuv,vy->ncixjy", cosines, waves, cosines) + _SHIFT
    return back.reshape(count, channels, height, width).round().clamp(0, 255)
