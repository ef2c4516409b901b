"""Resizing pictures on a GPU as Pillow does it on a CPU: two products with matrices.

A matrix holds Pillow's own weights (its filters, widened where a picture is reduced, in steps of
2^-22). Their sums are exact in float64, and between the two products Pillow rounds to whole grey
levels, as is done here: on a CPU every level is Pillow's.
"""

from typing import TYPE_CHECKING

from fakefacecli.models.card import RESIZES

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_STEPS = 1 << 22  # Pillow keeps weights as whole numbers of these
_REACH = dict(zip(RESIZES, (2.0, 1.0), strict=True))


def resample(pixels: "Tensor", px: int, how: str) -> "Tensor":
    """Square pictures (n, 3, side, side) of whole grey levels, 0..255, to (n, 3, px, px) float64.

    `how` is one of card.RESIZES. A picture of the right size stays as it is.
    """
    levels = pixels.double()
    side = pixels.shape[-1]
    if side == px:
        return levels
    matrix = _matrix(side, px, how, pixels.device)
    for _ in range(2):  # along rows, then along columns
        levels = (levels @ matrix).add_(0.5).floor_().clamp_(0, 255).mT
    return levels


def _matrix(side: int, px: int, how: str, device: "torch.device") -> "Tensor":
    """(side, px) float64: what each of `side` pixels weighs in each of `px`."""
    import torch

    # made on the device, for each batch anew: the product is cheaper than an upload, and streams
    # that shared it would have to wait for each other
    stretch, reach = max(side / px, 1.0), _REACH[how]
    middles = (torch.arange(px, dtype=torch.float64, device=device) + 0.5) * side / px
    # the same pixels as Pillow takes, whose edges are rounded
    first = (middles - reach * stretch + 0.5).clamp_(min=0).floor_()
    last = (middles + reach * stretch + 0.5).clamp_(max=side).floor_()
    places = torch.arange(side, dtype=torch.float64, device=device)[:, None]
    x = ((places + 0.5 - middles) / stretch).abs_()
    weights = _bicubic(x) if reach == 2 else (1 - x).clamp_(min=0)
    weights = weights.where((places >= first) & (places < last), 0.0)
    weights = weights / weights.sum(0)
    # to the nearest step, and away from zero where two are equally near
    return (weights.abs() * _STEPS + 0.5).floor_().copysign_(weights) / _STEPS


def _bicubic(x: "Tensor") -> "Tensor":
    """Keys, "Cubic convolution interpolation for digital image processing", 1981; a = -0.5."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return near.where(x < 1, far.where(x < 2, 0.0))
