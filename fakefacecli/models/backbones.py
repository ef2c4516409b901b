"""The table of backbones: how each network is built and which block Grad-CAM looks at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakefacecli.errors import ModelRefused

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network of one logit: `build` makes it with random weights, `last_block` finds a layer."""

    build: Callable[[], "nn.Module"]
    last_block: Callable[["nn.Module"], "nn.Module"]


def _inception_resnet_v1() -> "nn.Module":
    """InceptionResnetV1 (Szegedy et al. 2016) as facenet-pytorch builds it, one logit."""
    from facenet_pytorch import InceptionResnetV1

    network: nn.Module = InceptionResnetV1(classify=True, num_classes=1)
    return network


BACKBONES: dict[str, Backbone] = {
    "inception_resnet_v1": Backbone(
        _inception_resnet_v1, lambda network: network.get_submodule("block8")
    ),
}


def backbone(name: str, where: str) -> Backbone:
    """Look `name` up; `where` names the checkpoint in the ModelRefused an unknown name raises."""
    try:
        return BACKBONES[name]
    except KeyError:
        known = ", ".join(BACKBONES)
        raise ModelRefused(
            f"{where}: its card names the backbone {name!r}, wanted one of {known}"
        ) from None
