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


def folded(network: "nn.Module", input_px: int) -> "nn.Module":
    """A copy of `network` (eval mode, on the CPU) with its normalisations folded, channels last.

    A network whose modules do not run in the order they are registered in would come out wrong:
    the copy is compared with the original on two noise pictures of `input_px`, and where they
    differ the original is returned, in channels last.
    """
    import torch

    quick = copy.deepcopy(network)
    for parent in list(quick.modules()):
        _fold_children(parent)
    # channels last is how the fastest convolutions of a CPU read a picture
    quick = quick.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    noise = torch.randn((2, 3, input_px, input_px), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        off = (quick(noise) - network(noise)).abs().max().item()
    return quick if off < _TOLERANCE else network.to(memory_format=torch.channels_last)


def _fold_children(parent: "nn.Module") -> None:
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

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
