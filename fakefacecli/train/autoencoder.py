"""A tiny autoencoder, whose reconstructions bear the traces that decoders leave.

It shrinks a picture to a quarter, with 12 numbers in place of 48, and enlarges it with transposed
convolutions, as many generators do.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from fakefacecli.base.records import Pixels
from fakefacecli.train.batches import stacked
from fakefacecli.train.faces import LabelledFace, read_face

if TYPE_CHECKING:
    from torch import Tensor, nn

_SHRINKS = 4
_ENCODED = 9  # numbers of a cell besides its three mean colours
_STEPS = 300  # faces it never saw come back 2 grey levels off; 20 s of one CPU core
_RATE = 3e-3
_AT_ONCE = 16  # patches
_PATCH_PX = 64
_MOST_FACES = 256  # to learn from


def new_autoencoder() -> "nn.Module":
    """The network with random weights, (N, 3, h, w) in -1..1 to the same, h and w in fours."""
    import torch
    from torch import nn
    from torch.nn.functional import avg_pool2d, interpolate

    class Autoencoder(nn.Module):
        """What it encodes besides the mean colours, it decodes on top of them: soon learnt."""

        def __init__(self) -> None:
            super().__init__()
            self.encode = nn.Sequential(
                *(nn.Conv2d(3, 16, 4, 2, 1), nn.SiLU()),
                *(nn.Conv2d(16, 32, 4, 2, 1), nn.SiLU()),
                nn.Conv2d(32, _ENCODED, 3, padding=1),
            )
            self.decode = nn.Sequential(
                *(nn.Conv2d(3 + _ENCODED, 48, 3, padding=1), nn.SiLU()),
                *(nn.ConvTranspose2d(48, 32, 4, 2, 1), nn.SiLU()),
                *(nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.SiLU()),
                nn.Conv2d(16, 3, 3, padding=1),
            )

        def forward(self, pictures: "Tensor") -> "Tensor":
            means = avg_pool2d(pictures, _SHRINKS)
            code = torch.cat((means, self.encode(pictures)), 1)
            large: Tensor = interpolate(means, scale_factor=_SHRINKS, mode="bilinear")
            return large.add(self.decode(code))

    return Autoencoder()


def fitted(
    faces: Sequence[LabelledFace],
    seed: int,
    device: str,
    stop: Callable[[], None] = lambda: None,
    steps: int = _STEPS,
) -> "nn.Module":
    """An autoencoder that has learnt from `faces`; the same ones and `seed` give the same.

    `stop` is called between steps and may raise. Raises UsageError when a face's file is gone.
    """
    import torch

    chance = np.random.default_rng((seed, len(faces)))
    some = chance.choice(len(faces), min(len(faces), _MOST_FACES), replace=False)
    with ThreadPoolExecutor(2) as pool:
        pictures = list(pool.map(read_face, [faces[place].path for place in some]))
    torch.manual_seed(seed)
    network = new_autoencoder().to(device)
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=max(2, steps))
    for _ in range(steps):
        stop()
        patches = _scaled(_patches(pictures, chance).to(device))
        loss = (network(patches) - patches).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def reconstruct(network: "nn.Module", pictures: "Tensor") -> "Tensor":
    """(N, 3, h, w), grey levels 0..255, of any size, through the autoencoder."""
    import torch
    from torch.nn.functional import pad

    height, width = pictures.shape[2:]
    padded = pad(pictures, (0, -width % _SHRINKS, 0, -height % _SHRINKS), mode="replicate")
    with torch.no_grad():
        answer: Tensor = network(_scaled(padded))
    return ((answer + 1) * 127.5)[:, :, :height, :width].round().clamp(0, 255)


def _scaled(pictures: "Tensor") -> "Tensor":
    return pictures.float() / 127.5 - 1


def _patches(pictures: Sequence[Pixels], chance: np.random.Generator) -> "Tensor":
    """Parts of pictures drawn at random, (N, 3, px, px) uint8; small ones repeat their edges."""
    patches = []
    for place in chance.integers(len(pictures), size=_AT_ONCE):
        pixels = pictures[place]
        corner = [chance.integers(max(1, side - _PATCH_PX + 1)) for side in pixels.shape[:2]]
        rows, columns = (
            np.minimum(np.arange(start, start + _PATCH_PX), side - 1)
            for start, side in zip(corner, pixels.shape[:2], strict=True)
        )
        patches.append(pixels[rows][:, columns])
    return stacked(patches)
