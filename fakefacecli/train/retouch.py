"""What phones and studios do to honest pictures, in batches: blur, denoise, tone-map, grade.

All take (N, 3, h, w) grey levels 0..255 and settings (N, 1, 1, 1) or (N, 3, 1, 1), and give new
pictures of the same range. Where only fakes looked so smooth, night-mode pictures would be flagged.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_OFFSETS = [(y, x) for y in (-4, -2, 0, 2, 4) for x in (-4, -2, 0, 2, 4) if (y, x) != (0, 0)]
_REACH = 4  # of those
_PATCH = 2  # px to each side of a pixel, whose surroundings are compared
_MOST_LIGHTER = 3.0  # times


def denoised(pictures: "Tensor", strength: "Tensor") -> "Tensor":
    """Non-local means: each pixel averaged with those around it whose surroundings look alike.

    `strength` is a difference in grey levels that counts as noise. Buades et al. 2005, "A non-local
    algorithm for image denoising"; every second pixel of a 9 x 9 neighbourhood, which is cheap and
    smooths the coarse noise that phones remove.
    """
    import torch
    from torch.nn.functional import pad

    height, width = pictures.shape[2:]
    wide = pad(pictures, (_REACH,) * 4, mode="replicate")
    luma = pictures.mean(1, keepdim=True)
    grey = pad(luma, (_REACH,) * 4, mode="replicate")
    total, weights = pictures.clone(), torch.ones_like(pictures[:, :1])
    for down, across in _OFFSETS:
        there = (
            slice(None),
            slice(None),
            slice(_REACH + down, _REACH + down + height),
            slice(_REACH + across, _REACH + across + width),
        )
        unlike = _box((luma - grey[there]).square_(), _PATCH)
        weight = unlike.div_(-strength.square()).exp_()
        total.addcmul_(weight, wide[there])
        weights += weight
    return total / weights


def smoothed(pictures: "Tensor", strength: "Tensor", radius: int) -> "Tensor":
    """The guided filter with the picture as its own guide: smooths skin and keeps edges.

    Edges are what varies by more than `strength` grey levels within `radius` px. He et al. 2013,
    "Guided Image Filtering".
    """
    mean = _box(pictures, radius)
    variance = (_box(pictures.square(), radius) - mean.square()).clamp(min=0)
    keep = variance / (variance + strength.square())
    return (_box(keep, radius) * pictures + _box(mean - keep * mean, radius)).clamp(0, 255)


def tone_mapped(pictures: "Tensor", gamma: "Tensor", detail: "Tensor") -> "Tensor":
    """Shadows lightened (`gamma` under 1) around what is there, details times `detail`.

    Only the large shapes of light are changed, as HDR modes do it: base and detail apart, after
    Durand and Dorsey 2002, "Fast Bilateral Filtering for the Display of High-Dynamic-Range Images".
    """
    from torch.nn.functional import avg_pool2d, interpolate

    luma = pictures.mean(1, keepdim=True)
    less = max(1, min(4, min(luma.shape[2:]) // 8))
    small = avg_pool2d(luma, less)
    base = smoothed(small, luma.new_full((1, 1, 1, 1), 25.0), radius=max(1, 16 // less))
    base = interpolate(base, luma.shape[2:], mode="bilinear").clamp(1, 255)
    lighter = ((base / 255) ** (gamma - 1)).clamp(max=_MOST_LIGHTER)
    return ((pictures + (detail - 1) * (luma - base)) * lighter).clamp(0, 255)


def graded(
    pictures: "Tensor", contrast: "Tensor", fade: "Tensor", shadows: "Tensor", lights: "Tensor"
) -> "Tensor":
    """Colour grading: an S-curve, lifted blacks, and a tint of its own for dark and light parts.

    `contrast` is the S-curve's strength in -1..1, `fade` the grey level black becomes; `shadows`
    and `lights` (N, 3, 1, 1) are grey levels that are added there.
    """
    light = pictures / 255
    curved = light + contrast * light * (1 - light) * (2 * light - 1)
    luma = curved.mean(1, keepdim=True)
    tinted = curved * (255 - fade) + fade + (1 - luma) ** 2 * shadows + luma**2 * lights
    return tinted.clamp(0, 255)


def blurred(pictures: "Tensor", sigma: "Tensor") -> "Tensor":
    """Blur each picture by a Gaussian of its own `sigma` (N, 1, 1, 1), in pixels.

    The whole batch is one picture of N * channels planes to conv2d, whose groups keep them apart.
    """
    import torch
    from torch.nn.functional import conv2d, pad

    radius = 4
    side = 2 * radius + 1
    count, channels, height, width = pictures.shape
    ruler = torch.arange(-radius, radius + 1, device=pictures.device)
    kernel = torch.exp(-(ruler**2) / (2 * sigma.view(-1, 1) ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = pictures.reshape(1, count * channels, height, width)
    mode = "reflect" if min(height, width) > radius else "replicate"
    for shape, room in (
        ((-1, 1, 1, side), (radius, radius, 0, 0)),
        ((-1, 1, side, 1), (0, 0, radius, radius)),
    ):
        flat = conv2d(pad(flat, room, mode=mode), kernel.view(shape), groups=count * channels)
    return flat.view(pictures.shape)


def _box(planes: "Tensor", radius: int) -> "Tensor":
    """The mean over the square of `radius` px around each pixel."""
    from torch.nn.functional import pad

    # sums of shifted pictures, rows and columns apart: avg_pool2d takes four times as long on a CPU
    height, width = planes.shape[2:]
    wide = pad(planes, (radius,) * 4, mode="replicate")
    rows = wide[:, :, :height].clone()
    for start in range(1, 2 * radius + 1):
        rows += wide[:, :, start : start + height]
    both = rows[..., :width].clone()
    for start in range(1, 2 * radius + 1):
        both += rows[..., start : start + width]
    return both / (2 * radius + 1) ** 2
