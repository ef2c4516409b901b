"""Which parts of a network learn: freezing from the input on, and dropout before the head.

The first blocks see edges and textures, which public weights know already; few faces would only
spoil them. So freezing always begins at the input.
"""

import itertools
from typing import TYPE_CHECKING

from fakefacecli.base.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


def blocks(network: "nn.Module") -> "list[nn.Module]":
    """The parts that hold parameters, from input to output; a Sequential counts part by part."""
    from torch import nn

    found: list[nn.Module] = []
    for child in network.children():
        parts = list(child.children()) if isinstance(child, nn.Sequential) else [child]
        found += [part for part in parts if next(part.parameters(), None) is not None]
    return found


def head_of(network: "nn.Module") -> "list[nn.Module]":
    """The blocks of the head: what holds the last layer, and flat layers just before it."""
    parts = blocks(network)
    return parts[_before_head(parts) :]


def frozen_at_start(network: "nn.Module", freeze: str) -> int:
    """How many blocks --freeze means: "none", "backbone" (all but the head), or their number.

    Raises UsageError for anything else, and where nothing would be left to learn.
    """
    parts = blocks(network)
    if freeze == "none":
        return 0
    if freeze == "backbone":
        count = _before_head(parts)
        if not count:
            raise UsageError("--freeze backbone: this backbone cannot be told from its head")
        return count
    if not freeze.isdecimal() or not 0 < int(freeze) < len(parts):
        raise UsageError(
            f"--freeze {freeze[:20]!r}: wanted none, backbone, or a number of blocks from 1 to "
            f"{len(parts) - 1}"
        )
    return int(freeze)


def set_learning(network: "nn.Module", frozen: int) -> None:
    """Put `network` into training mode but for its first `frozen` blocks.

    Those stay in evaluation mode, or their batch normalisations would go on following the data.
    Tensors of its own, outside all blocks (a transformer's class token), go with the first block.
    """
    network.train().requires_grad_(True)
    for own in network.parameters(recurse=False):
        own.requires_grad_(not frozen)
    for part in blocks(network)[:frozen]:
        part.eval().requires_grad_(False)


def set_dropout(network: "nn.Module", share: float) -> None:
    """Drop `share` of what enters the head while training; it adds no parameters.

    The head's own dropout layers do it where there are any.
    """
    from torch import nn

    leaves = [module for module in network.modules() if next(module.children(), None) is None]
    # from the output backwards: dropout between convolutions is not the head's
    head_only = itertools.takewhile(_is_head, reversed(leaves))
    own = [module for module in head_only if isinstance(module, nn.Dropout)]
    for module in own:
        module.p = share
    if not own and share:
        heads = [module for module in network.modules() if isinstance(module, nn.Linear)]
        for head in heads[-1:]:
            head.register_forward_pre_hook(
                lambda layer, inputs: nn.functional.dropout(inputs[0], share, layer.training)
            )


def _before_head(parts: "list[nn.Module]") -> int:
    """How many of `parts` come before the head: the last layer with one output, and flat ones."""
    ends = [place for place, part in enumerate(parts) if _answers(part)]
    count = ends[-1] if ends else len(parts) - 1
    # what comes between the last rows and columns and the answer is head too
    while count > 0 and _is_head(parts[count - 1]):
        count -= 1
    return count


def _answers(part: "nn.Module") -> bool:
    from torch import nn

    layers = [module for module in part.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    last = layers[-1] if layers else None
    return 1 in (getattr(last, "out_features", 0), getattr(last, "out_channels", 0))


def _is_head(part: "nn.Module") -> bool:
    from torch import nn

    flat = (nn.Linear, nn.BatchNorm1d, nn.Dropout, nn.ReLU, nn.Flatten, nn.Identity)
    leaves = [module for module in part.modules() if next(module.children(), None) is None]
    return all(isinstance(leaf, flat) for leaf in leaves)
