"""Disturbing faces in batches, so that no network learns what happened to a file after its making.

Real and fake files of a collection were scaled, sharpened and saved by different people; whatever
differs by that alone must differ inside both classes as well. Random numbers are drawn on the CPU
from one generator, so every device sees the same disturbances (noise excepted).
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from fakefacecli.train.jpeg import recompress
from fakefacecli.train.retouch import blurred, denoised, graded, smoothed, tone_mapped

if TYPE_CHECKING:
    from torch import Generator, Tensor

# share of the batches that are only mirrored and shifted. Everything else resamples or blurs, and
# would wipe out the fine traces of a generator, which tell the most about unseen ones
_TRACES = 0.25
_MOST_TURN = math.radians(11)
# of a network whose faces are not turned level first: so many are turned further than that
_TURNED = 0.15
_MOST_TILT = math.radians(45)
# of a native view's other batches: turned and scaled pictures have no pixels of their own any more
_IN_PLACE = 0.5


class Augmenter:
    """Turns pictures (N, 3, h, w), grey levels 0..255, into disturbed ones (N, 3, px, px).

    `room` is how many times wider the pictures are than what the network will see of them, which
    leaves space to shift and turn; `px` is the effective resolution of the answer. Faces that are
    `level` before a network sees them are turned less; with `native` many are only shifted, by
    whole pixels, whatever else happens to them.
    """

    def __init__(self, generator: "Generator", level: bool = False, native: bool = False):
        self.generator = generator
        self.level = level
        self.native = native

    def __call__(self, pictures: "Tensor", room: float, px: int) -> "Tensor":
        """The disturbed pictures, never the ones given."""
        if self.chance() < _TRACES:
            return self.flip(self.cut(pictures, room, px, gently=True))
        gently = self.native and self.chance() < _IN_PLACE
        seen = self.flip(self.cut(pictures, room, px, gently))
        # first what lenses, phones and editors do, then what saving does to all of it
        seen = self.some(seen, 0.3, self.blur)
        seen = self.some(seen, 0.1, self.denoise)
        seen = self.some(seen, 0.12, self.smooth)
        seen = self.some(seen, 0.3, self.sharpen)
        seen = self.some(seen, 0.1, self.tone_map)
        seen = self.some(seen, 0.8, self.recolour)
        seen = self.some(seen, 0.15, self.grade)
        seen = self.some(seen, 0.1, self.grey)
        seen = self.some(seen, 0.3, self.noise)
        seen = self.some(seen, 0.6, self.jpeg)
        seen = self.some(seen, 0.25, self.launder)
        return self.some(seen, 0.3, self.erase)

    def chance(self) -> float:
        """A number in 0..1."""
        import torch

        return torch.rand((), generator=self.generator).item()

    def draw(self, like: "Tensor", low: float, high: float, columns: int = 1) -> "Tensor":
        """Numbers in low..high, (N, columns, 1, 1), on the device of `like`."""
        import torch

        # on the CPU: a GPU's own generator would give other numbers for the same seed
        numbers = torch.rand((len(like), columns, 1, 1), generator=self.generator)
        return (numbers * (high - low) + low).to(like.device)

    def some(
        self, pictures: "Tensor", share: float, change: "Callable[[Tensor], Tensor]"
    ) -> "Tensor":
        """`change` about `share` of the pictures."""
        chosen = (self.draw(pictures, 0, 1) < share).flatten()
        if not chosen.any():
            return pictures
        pictures = pictures.clone()
        pictures[chosen] = change(pictures[chosen])
        return pictures

    def cut(self, pictures: "Tensor", room: float, px: int, gently: bool) -> "Tensor":
        """A part of each picture, turned, stretched and shifted; `gently`: only shifted.

        Gently it is the same part of each, in whole pixels, which keep their values at their size.
        """
        import torch
        from torch.nn.functional import affine_grid, grid_sample, interpolate

        height = pictures.shape[2]
        if gently:
            side = max(1, min(height, round(height / room)))
            places = (torch.rand(2, generator=self.generator) * (height - side + 1)).int().tolist()
            part = pictures[:, :, places[0] : places[0] + side, places[1] : places[1] + side]
            return interpolate(part, (px, px), mode="bilinear", antialias=True)
        count = len(pictures)
        turn = self.draw(pictures, -_MOST_TURN, _MOST_TURN).flatten()
        size = self.draw(pictures, 0.76, 1.0).flatten() / room
        wide = self.draw(pictures, 0.94, 1.06).flatten()
        # the part may move only as far as the picture reaches
        spare = (1 - size).clamp(min=0) / 2
        if not self.level:
            turn, size, spare = self.tilt(turn, size, spare)
        shift = self.draw(pictures, -1, 1, 2).flatten(1) * spare[:, None]
        cosine, sine = turn.cos() * size, turn.sin() * size
        matrix = torch.stack(
            (cosine * wide, -sine, shift[:, 0], sine, cosine / wide, shift[:, 1]), 1
        )
        grid = affine_grid(matrix.view(count, 2, 3), [count, 3, px, px], align_corners=False)
        return grid_sample(pictures, grid, padding_mode="border", align_corners=False)

    def tilt(
        self, turn: "Tensor", size: "Tensor", spare: "Tensor"
    ) -> "tuple[Tensor, Tensor, Tensor]":
        """Angles, sizes and room to move of the parts `cut` takes, some turned up to 45 degrees."""
        import torch

        count = len(turn)
        chosen = torch.rand(count, generator=self.generator).to(turn.device) < _TURNED
        far = torch.rand(count, generator=self.generator).to(turn.device) * 2 - 1
        turn = turn.where(~chosen, far * _MOST_TILT)
        # a turned square of this size just fits into the picture; a larger one would show edges
        # that repeat, which no turned photograph has
        most = 1 / (turn.cos() + turn.sin().abs())
        return turn, size.where(~chosen, size.minimum(most)), spare.where(~chosen, spare * 0)

    def flip(self, pictures: "Tensor") -> "Tensor":
        """Half of them mirrored."""
        return self.some(pictures, 0.5, lambda chosen: chosen.flip(3))

    def blur(self, pictures: "Tensor") -> "Tensor":
        """By a Gaussian of 0.3 to 1.6 px."""
        return blurred(pictures, self.draw(pictures, 0.3, 1.6))

    def sharpen(self, pictures: "Tensor") -> "Tensor":
        """By an unsharp mask."""
        soft = blurred(pictures, self.draw(pictures, 0.5, 1.5))
        return (pictures + self.draw(pictures, 0.2, 1.5) * (pictures - soft)).clamp(0, 255)

    def denoise(self, pictures: "Tensor") -> "Tensor":
        """As the night modes of phones do it; 3 to 8 grey levels count as noise."""
        return denoised(pictures, self.draw(pictures, 3, 8))

    def smooth(self, pictures: "Tensor") -> "Tensor":
        """Skin smoothed and edges kept, as by a beauty filter."""
        radius = 2 + int(3 * self.chance())
        return smoothed(pictures, self.draw(pictures, 3, 14), radius)

    def tone_map(self, pictures: "Tensor") -> "Tensor":
        """Shadows lightened and details brought out, as HDR modes do it."""
        return tone_mapped(pictures, self.draw(pictures, 0.55, 0.95), self.draw(pictures, 0.9, 1.5))

    def grade(self, pictures: "Tensor") -> "Tensor":
        """An S-curve, faded blacks, tinted shadows and lights."""
        return graded(
            pictures,
            self.draw(pictures, -0.5, 0.9),
            self.draw(pictures, 0, 25),
            self.draw(pictures, -20, 20, 3),
            self.draw(pictures, -20, 20, 3),
        )

    def recolour(self, pictures: "Tensor") -> "Tensor":
        """Brightness, contrast, saturation, gamma and the balance of colours."""
        grey = pictures.mean(1, keepdim=True)
        seen = grey + self.draw(pictures, 0.5, 1.5) * (pictures - grey)
        middle = seen.mean((1, 2, 3), keepdim=True)
        seen = middle + self.draw(pictures, 0.7, 1.3) * (seen - middle)
        seen = seen * self.draw(pictures, 0.8, 1.2) * self.draw(pictures, 0.92, 1.08, 3)
        return (seen.clamp(0, 255) / 255) ** self.draw(pictures, 0.75, 1.35) * 255

    def grey(self, pictures: "Tensor") -> "Tensor":
        """Without colour."""
        return pictures.mean(1, keepdim=True).expand_as(pictures)

    def noise(self, pictures: "Tensor") -> "Tensor":
        """Up to 10 grey levels of it."""
        import torch

        # so many numbers are drawn on the device itself; only their seed comes from the CPU
        there = torch.Generator(pictures.device).manual_seed(int(self.chance() * (1 << 53)))
        noise = torch.randn(pictures.shape, generator=there, device=pictures.device)
        return (pictures + noise * self.draw(pictures, 0, 10)).clamp(0, 255)

    def jpeg(self, pictures: "Tensor") -> "Tensor":
        """JPEG of quality 45 to 98, in half of the batches with half the resolution of colours."""
        quality = self.draw(pictures, 45, 98).flatten().round()
        # a file holds whole grey levels
        return recompress(pictures.round(), quality, halve=self.chance() < 0.5)

    def launder(self, pictures: "Tensor") -> "Tensor":
        """Shrunk, saved, enlarged and saved again, as pictures are that people pass on."""
        from torch.nn.functional import interpolate

        px = pictures.shape[2]
        less = max(8, round(px * (0.5 + 0.45 * self.chance())))
        small = interpolate(pictures, (less, less), mode="bilinear", antialias=True)
        large = interpolate(self.jpeg(small), (px, px), mode="bicubic", antialias=True)
        return self.jpeg(large.clamp(0, 255))

    def erase(self, pictures: "Tensor") -> "Tensor":
        """A rectangle of one colour, 2 to 25 % of the picture."""
        import torch

        px = pictures.shape[2]
        sides = self.draw(pictures, 0.15, 0.5, 2) * px
        corners = self.draw(pictures, 0, 1, 2) * (px - sides)
        ruler = torch.arange(px, device=pictures.device)
        inside = [
            (ruler >= corners[:, axis].view(-1, 1))
            & (ruler < (corners + sides)[:, axis].view(-1, 1))
            for axis in (0, 1)
        ]
        hole = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
        return torch.where(hole, self.draw(pictures, 0, 255, 3), pictures)


def cut_mix(
    pictures: "Tensor", targets: "Tensor", generator: "Generator"
) -> "tuple[Tensor, Tensor]":
    """A square of each picture replaced by another's; the targets follow by area.

    With parts of two faces the network must look everywhere, not only at the easiest trace.
    Yun et al. 2019, "CutMix", https://arxiv.org/abs/1905.04899.
    """
    import torch

    px = pictures.shape[2]
    share = torch.rand((), generator=generator).item()
    side = max(1, round(px * math.sqrt(share)))
    top, left = (torch.rand(2, generator=generator) * (px - side + 1)).int().tolist()
    order = torch.randperm(len(pictures), generator=generator).to(pictures.device)
    mixed = pictures.clone()
    area = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
    mixed[area] = pictures[order][area]
    part = side * side / (px * px)
    return mixed, targets * (1 - part) + targets[order] * part
