"""Fakes that are made of real faces while training: self-blended or reconstructed.

Shiohara and Yamasaki 2022, "Detecting Deepfakes with Self-Blended Images",
https://arxiv.org/abs/2204.08376; Rajan et al. 2025, "Aligned Datasets Improve Detection of Latent
Diffusion-Generated Images", https://arxiv.org/abs/2410.11835. Both pair a real face with itself, so
that nothing in the picture but the trace of the making tells the two apart.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fakefacecli.train.augment import Augmenter
from fakefacecli.train.autoencoder import fitted, new_autoencoder, reconstruct
from fakefacecli.train.batches import Batch, Made
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)  # of the blend, as published


class FakeMaker:
    """Turns the faces that a batch marks into fakes; `autoencoder` is there once it has learnt."""

    def __init__(self, options: TrainOptions):
        self.options = options
        self.autoencoder: nn.Module | None = None

    def learn(self, faces: Sequence[LabelledFace], stop: Callable[[], None]) -> bool:
        """Train the autoencoder on the real ones of `faces`, if it is wanted and not there yet."""
        if not self.options.reconstructed or self.autoencoder:
            return False
        real = [face for face in faces if not face.image.fake]
        self.autoencoder = fitted(real, self.options.seed, self.options.device, stop)
        return True

    def __call__(self, pictures: "Tensor", batch: Batch, augmenter: Augmenter) -> "Tensor":
        """`pictures` (N, 3, h, w), grey levels 0..255, with those that `batch.made` marks made."""
        for kind in (Made.SELF_BLENDED, Made.RECONSTRUCTED):
            marked = (batch.made == kind).to(pictures.device)
            if not marked.any():
                continue
            pictures = pictures.clone()
            if kind is Made.SELF_BLENDED:
                boxes = batch.boxes.to(pictures.device)[marked]
                pictures[marked] = self_blended(pictures[marked], boxes, augmenter)
            elif self.autoencoder:
                pictures[marked] = reconstruct(self.autoencoder, pictures[marked])
        return pictures

    def state(self) -> "dict[str, Tensor]":
        """The autoencoder's weights for `restore`; none without one."""
        state: dict[str, Tensor] = self.autoencoder.state_dict() if self.autoencoder else {}
        return state

    def restore(self, state: "dict[str, Tensor]") -> None:
        """Take up the weights that `state` returned."""
        if state:
            self.autoencoder = new_autoencoder()
            self.autoencoder.load_state_dict(state)
            self.autoencoder.eval().requires_grad_(False).to(self.options.device)


def self_blended(pictures: "Tensor", boxes: "Tensor", augmenter: Augmenter) -> "Tensor":
    """Each face (N, 3, h, w) blended into itself, once of the two changed a little.

    `boxes` (N,) is the side of its box over that of the picture, in whose middle it lies. The
    published mask is the hull of 68 landmarks; here it is an ellipse in the box, bent at random.
    """
    import torch

    draw = augmenter.draw
    changed = _changed(pictures, augmenter)
    first = draw(pictures, 0, 1) < 0.5
    inner, outer = torch.where(first, changed, pictures), torch.where(first, pictures, changed)
    # the inner one a little larger or smaller, and off its place: what a blend never gets right
    zoom = draw(pictures, 0.95, 1.05).flatten()
    inner = _resampled(inner, zoom, draw(pictures, -0.03, 0.03, 2).flatten(1) * 2)
    ratios = torch.tensor(_RATIOS, device=pictures.device)
    chosen = draw(pictures, 0, len(_RATIOS)).long().clamp(max=len(_RATIOS) - 1)
    mask = _mask(pictures, boxes, augmenter) * ratios[chosen]
    return (inner * mask + outer * (1 - mask)).clamp(0, 255)


def _resampled(pictures: "Tensor", zoom: "Tensor", shift: "Tensor") -> "Tensor":
    """Each picture enlarged `zoom` (N,) times about its middle, which `shift` (N, 2) moves.

    The shift, across and down, is in halves of a side; where there is nothing, edges repeat.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    matrix = torch.zeros((len(pictures), 2, 3), device=pictures.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1 / zoom
    matrix[:, :, 2] = shift
    grid = affine_grid(matrix, list(pictures.shape), align_corners=False)
    return grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _changed(pictures: "Tensor", augmenter: Augmenter) -> "Tensor":
    """The same faces in slightly other colours, and sharper or as if enlarged."""
    from torch.nn.functional import interpolate

    draw = augmenter.draw
    seen = (pictures - 127.5) * draw(pictures, 0.9, 1.1) + 127.5 + draw(pictures, -20, 20, 3)
    grey = seen.mean(1, keepdim=True)
    seen = (grey + (seen - grey) * draw(pictures, 0.7, 1.3)).clamp(0, 255)
    size = pictures.shape[2:]
    less = 2 if augmenter.chance() < 0.5 else 4
    small = interpolate(seen, [max(1, side // less) for side in size], mode="area")
    soft = interpolate(small, size, mode="bicubic").clamp(0, 255)
    kind = draw(pictures, 0, 1)
    seen = seen.where(kind > 0.5, augmenter.sharpen(seen))
    return seen.where((kind > 0.5) | (kind < 0.25), soft)


def _mask(pictures: "Tensor", boxes: "Tensor", augmenter: Augmenter) -> "Tensor":
    """(N, 1, h, w) in 0..1: an ellipse with a bent and more or less soft edge."""
    import torch
    from torch.nn.functional import interpolate

    draw = augmenter.draw
    height, width = pictures.shape[2:]
    rows = torch.linspace(-1, 1, height, device=pictures.device).view(1, 1, -1, 1)
    columns = torch.linspace(-1, 1, width, device=pictures.device).view(1, 1, 1, -1)
    # of a native view the box may be larger than the picture: the edge is to be seen
    box = boxes.view(-1, 1, 1, 1).clamp(max=1)
    middle = draw(pictures, -0.15, 0.15, 2) * box
    axes = draw(pictures, 0.5, 0.95, 2) * box
    across = (columns - middle[:, :1]) / axes[:, :1]
    down = (rows - middle[:, 1:]) / axes[:, 1:]
    bends = draw(pictures, -0.35, 0.35, 25).view(-1, 1, 5, 5)
    bent = interpolate(bends, (height, width), mode="bicubic", align_corners=True)
    distance = (across**2 + down**2).sqrt() + bent
    return ((1 - distance) / draw(pictures, 0.02, 0.15)).sigmoid()
