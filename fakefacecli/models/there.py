"""Faces whose windows lie on a device, where networks read them without a way over the host."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fakefacecli.base.records import DecodedImage, FacePlace
from fakefacecli.models.window import WindowRule

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FaceThere(FacePlace):
    """A face's window on a device: `levels` (3, n, n) uint8 RGB, what a FaceCrop has as pixels.

    It can be cut out of `image` again, by its `rule`, for whoever needs it on the host.
    """

    image: DecodedImage = field(kw_only=True)
    rule: WindowRule = field(kw_only=True)
    levels: "Tensor" = field(kw_only=True)

    @property
    def side(self) -> int:
        """The side of `levels`."""
        return self.levels.shape[-1]
