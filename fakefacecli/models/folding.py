"""Folding batch normalisation into the convolutions before it, once, when a model is loaded.

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
Only Inference", section 3.2: after training the normalisation is a fixed scale and shift.
"""

import copy
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

_TOLERANCE = 1e-3  # of a logit, on noise; folding moves rounding errors about, nothing more
_NOISE_PX = 96  # the order of modules shows at any size, and a scan waits for this


def folded(network: "nn.Module", input_px: int) -> "nn.Module":
    """`network` (eval mode, on the CPU) with its normalisations folded, channels last.

    What comes back may share tensors with `network`, which must not be used any more. A network
    whose modules do not run in the order they are registered in would come out wrong: both are
    compared on a picture of noise, of `input_px` where they take no smaller one. Where they differ
    `network` is returned.
    """
    import torch

    own = itertools.chain(network.parameters(), network.buffers())
    quick = copy.deepcopy(network, {id(tensor): tensor for tensor in own})
    # a list: all of them
    found = sum([_fold_children(parent) for parent in list(quick.modules())])
    if not found:
        return network.to(memory_format=torch.channels_last)
    # channels last is how the fastest convolutions of a CPU read a picture
    quick = quick.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        try:
            off = _difference(quick, network, min(input_px, _NOISE_PX))
        except Exception:  # noqa: BLE001 - a network that takes one size only says so in its own way
            off = _difference(quick, network, input_px)
    return quick if off < _TOLERANCE else network.to(memory_format=torch.channels_last)


def _difference(quick: "nn.Module", network: "nn.Module", side: int) -> float:
    import torch

    noise = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))
    return float((quick(noise) - network(noise)).abs().max())


def _fold_children(parent: "nn.Module") -> int:
    """Fold what can be folded right below `parent`; how many normalisations that were."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    found = 0
    # registered as neighbours they mostly, but not always, run one after the other (see `folded`)
    for (name, conv), (after, norm) in itertools.pairwise(list(parent.named_children())):
        if (
            isinstance(conv, nn.Conv2d)
            and isinstance(norm, nn.BatchNorm2d)
            and conv.out_channels == norm.num_features
        ):
            setattr(parent, name, fuse_conv_bn_eval(conv, norm))
            # timm's BatchNormAct2d holds the activation behind it as well
            act = getattr(norm, "act", None)
            setattr(parent, after, act if isinstance(act, nn.Module) else nn.Identity())
            found += 1
    return found
