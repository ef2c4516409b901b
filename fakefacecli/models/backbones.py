"""The table of backbones: how each network is built and which block Grad-CAM looks at.

Every network here answers with one logit, positive for "fake".
"""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.models.card import Triple, triple
from fakefacecli.models.lean import without_compiler
from fakefacecli.models.mobilenet_v1 import mobilenet_v1

if TYPE_CHECKING:
    from torch import Tensor, nn

# the five of the published systems, each with the block whose output Grad-CAM reads
LAST_BLOCKS = {
    "inception_resnet_v1": "block8",
    "resnet18": "layer4",
    "resnet50": "layer4",
    "mobilenet_v1": "features",
    "mobilenet_v2": "features",
}
TIMM = "timm/"
# no dots or slashes: "timm/hf-hub:..." would go to the network
_NAME = re.compile(rf"(?:{TIMM})?[a-z][a-z0-9_]{{0,79}}")
# they have classifiers at the side as well, for training; ours answer with one logit alone
_WITH_SIDE_EXITS = ("googlenet", "inception_v3")


def check_backbone(name: str, head: str, where: str) -> None:
    """Refuse a name that cannot be a backbone's, without importing torch; `where` names its source.

    Only `build` finds out whether torchvision or timm has it. Raises ModelRefused.
    """
    if not _NAME.fullmatch(name):
        raise ModelRefused(f"{where}: backbone {name[:80]!r} found, wanted {_known()}")
    if head != "linear" and name != "resnet50":
        raise ModelRefused(f"{where}: the head {head!r} goes with resnet50, not with {name!r}")


def check_flag(name: str, head: str = "linear") -> None:
    """Raise UsageError when the value of --backbone is no network that is installed here."""
    try:
        check_backbone(name, head, "--backbone")
        _maker(name, "--backbone")
    except ModelRefused as error:
        raise UsageError(str(error)) from None


def build(name: str, head: str, where: str) -> "nn.Module":
    """The network with random weights; ModelRefused, naming `where`, when there is none."""
    check_backbone(name, head, where)
    network = _maker(name, where)()
    if head == "1000-500":
        network.fc = _three_layers()
    return network


def import_library(name: str, where: str) -> None:
    """Import what builds this backbone; ModelRefused, naming `where`, when there is none.

    For those who build on several threads: two that import parts of one library at the same time
    can find it half imported.
    """
    _maker(name, where)


def load_pretrained(network: "nn.Module", name: str) -> None:
    """Fill `network` with public weights (faces or ImageNet); what does not fit, the head, stays.

    They come from torch's cache, into which facenet-pytorch, torchvision or timm download them
    the first time. Raises ModelRefused when they cannot be loaded.
    """
    public = _public_state(name)
    mine = network.state_dict()
    if name == "mobilenet_v1" and len(public) == len(mine):  # timm's names differ, not its order
        public = dict(zip(mine, public.values(), strict=True))
    fitting = {
        key: tensor
        for key, tensor in public.items()
        if key in mine and mine[key].shape == tensor.shape
    }
    # the head never fits; where more than that is missing these are another network's weights
    left = [key for key in mine if key not in fitting]
    if len(fitting) < 0.8 * len(mine):
        raise ModelRefused(f"the public weights of {name} do not fit: {len(left)} tensors missing")
    network.load_state_dict(fitting, strict=False)


def public_levels(name: str) -> tuple[Triple, Triple] | None:
    """Mean and standard deviation (of 0..1) that the public weights were trained with.

    Only where timm supplies them, and says so; otherwise None.
    """
    if not (theirs := _in_timm(name)):
        return None
    import timm

    config = timm.get_pretrained_cfg(theirs)
    if config is None or not len(config.mean) == len(config.std) == 3:
        return None
    return triple(config.mean), triple(config.std)


def last_block(network: "nn.Module", name: str, input_px: int) -> "nn.Module":
    """The module Grad-CAM reads: the last one whose output still has rows and columns."""
    import torch

    if name in LAST_BLOCKS:
        return network.get_submodule(LAST_BLOCKS[name])
    if norm := _last_norm(network):
        return norm
    found: list[nn.Module] = []

    def seen(module: "nn.Module", inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            found.append(module)

    # tried out: modules are registered in one order and may run in another
    hooks = [module.register_forward_hook(seen) for module in network.modules()]
    try:
        parameter = next(network.parameters())
        with torch.no_grad():
            network.eval()(torch.zeros((1, 3, input_px, input_px), device=parameter.device))
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise ModelRefused(
            f"{name}: no layer of it has rows and columns, so nothing can explain it"
        )
    return found[-1]


def grid_of(output: "Tensor") -> "Tensor":
    """What a layer answers as (N, C, rows, columns): a transformer's tokens in their places.

    Tokens (N, tokens, C) in front of the square of patches, such as the class token, are left out.
    """
    if output.ndim != 3:
        return output
    count, tokens, channels = output.shape
    side = math.isqrt(tokens)
    patches = output[:, tokens - side * side :]
    return patches.reshape(count, side, side, channels).permute(0, 3, 1, 2)


def _last_norm(network: "nn.Module") -> "nn.Module | None":
    """What a vision transformer's last attention reads; behind it only one token counts."""
    blocks = list(getattr(network, "blocks", None) or ())
    attends = blocks and hasattr(blocks[-1], "attn")
    return getattr(blocks[-1], "norm1", None) if attends else None


def _maker(name: str, where: str) -> "Callable[[], nn.Module]":
    with without_compiler():
        return _imported_maker(name, where)


def _imported_maker(name: str, where: str) -> "Callable[[], nn.Module]":
    if name == "mobilenet_v1":
        return mobilenet_v1
    if name == "inception_resnet_v1":
        # Szegedy et al. 2016, as facenet-pytorch builds it
        from facenet_pytorch import InceptionResnetV1

        return lambda: InceptionResnetV1(classify=True, num_classes=1, dropout_prob=0.0)
    if name.startswith(TIMM):
        import timm

        if not timm.is_model(name.removeprefix(TIMM)):
            raise ModelRefused(f"{where}: timm has no {name.removeprefix(TIMM)!r}")
        return lambda: timm.create_model(name.removeprefix(TIMM), num_classes=1)
    from torchvision import models

    # its classifiers alone: it also has networks for video and for finding things
    if name not in models.list_models(module=models):
        raise ModelRefused(f"{where}: torchvision has no backbone {name!r}, wanted {_known()}")
    plain = {"aux_logits": False, "init_weights": True} if name in _WITH_SIDE_EXITS else {}
    return lambda: models.get_model(name, weights=None, num_classes=1, **plain)


def _three_layers() -> "nn.Module":
    """The head 2048-1000-ReLU-500-Dropout-1 of the published "real or generated" page."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(2048, 1000), nn.ReLU(), nn.Linear(1000, 500), nn.Dropout(0.0), nn.Linear(500, 1)
    )


def _public_state(name: str) -> "dict[str, Tensor]":
    try:
        if name == "inception_resnet_v1":
            from facenet_pytorch import InceptionResnetV1

            network = InceptionResnetV1(pretrained="vggface2")
        elif theirs := _in_timm(name):
            import timm

            network = timm.create_model(theirs, pretrained=True)
        else:
            from torchvision import models

            network = models.get_model(name, weights="DEFAULT")
    except (OSError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelRefused(
            f"the public weights of {name} cannot be loaded ({why}); put their file into torch's "
            "cache (see fakeface docs train), or train without --pretrained"
        ) from None
    state: dict[str, Tensor] = network.state_dict()
    return state


def _in_timm(name: str) -> str:
    """The name under which timm supplies weights of `name`; "" where it does not."""
    if name == "mobilenet_v1":
        return "mobilenetv1_100"
    return name.removeprefix(TIMM) if name.startswith(TIMM) else ""


def _known() -> str:
    return f"{', '.join(LAST_BLOCKS)}, a classifier of torchvision, or {TIMM}NAME"
