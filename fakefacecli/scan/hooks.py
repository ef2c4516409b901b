"""What an explanation does to a network while it looks inside, and undoes afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


@contextlib.contextmanager
def frozen(network: "nn.Module") -> Iterator[None]:
    """Inside, no parameter collects a gradient; outside, every flag and gradient is as it was.

    grad-cam calls eval() and zero_grad(), and its backward() would fill every `.grad`.
    """
    modes = [(module, module.training) for module in network.modules()]
    parameters = [(p, p.requires_grad, p.grad) for p in network.parameters()]
    try:
        for parameter, wanted_gradient, _ in parameters:
            if wanted_gradient:
                parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, wanted_gradient, gradient in parameters:
            if wanted_gradient:
                parameter.requires_grad_(True)
            parameter.grad = gradient


@contextlib.contextmanager
def gradient_stops_at(layer: "nn.Module") -> Iterator[Callable[[Any], None]]:
    """Make `layer`'s output the root of the gradient: nothing before it is kept or computed.

    That costs little more than a forward pass, and it does not matter whether weights require a
    gradient. The block gets a function that adds a last hook, when all others have been added.
    """
    handles = [layer.register_forward_hook(_root)]
    try:
        yield lambda hook: handles.append(layer.register_forward_hook(hook))
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def attention_kept(network: "nn.Module") -> "Iterator[list[torch.Tensor]]":
    """Inside, a forward pass of a timm ViT lists the attention of its blocks, first to last.

    Each is (N, heads, tokens, tokens), its rows sum to 1, and gradients lead back to the first.
    """
    vit: Any = network
    blocks = [block.attn for block in vit.blocks]
    fused = [attention.fused_attn for attention in blocks]
    seen: list[torch.Tensor] = []
    root = True

    def keep(layer: Any, inputs: Any, output: "torch.Tensor") -> "torch.Tensor":
        nonlocal root
        if root:
            output, root = output.detach().requires_grad_(True), False
        seen.append(output)
        return output

    # what goes through the dropout is the attention itself; the fused kernel never makes it
    handles = [attention.attn_drop.register_forward_hook(keep) for attention in blocks]
    try:
        for attention in blocks:
            attention.fused_attn = False
        yield seen
    finally:
        for handle in handles:
            handle.remove()
        for attention, was_fused in zip(blocks, fused, strict=True):
            attention.fused_attn = was_fused


def copied(layer: Any, inputs: Any, output: "torch.Tensor") -> "torch.Tensor":
    """Keep an in-place ReLU behind the layer from overwriting what grad-cam saved."""
    return output.clone()


def _root(layer: Any, inputs: Any, output: "torch.Tensor") -> "torch.Tensor":
    return output.detach().requires_grad_(True)
