"""Low-rank adapters: a large network is tuned by small matrices beside its own, which stay.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models",
https://arxiv.org/abs/2106.09685. torch's parametrisations put them there and add them up; the peft
package would do it too, but needs transformers and accelerate.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from fakefacecli.base.errors import UsageError
from fakefacecli.train.freeze import head_of

if TYPE_CHECKING:
    from torch import Tensor, nn

_MARK = ".parametrizations."


def add_adapters(network: "nn.Module", rank: int) -> int:
    """Give every linear layer but the head's an adapter of `rank` (--lora); how many there are.

    They start at zero, so the network's answers do not change. Raises UsageError where there is
    no such layer.
    """
    import torch
    from torch.nn.utils import parametrize

    class Adapter(torch.nn.Module):
        """weight (rows, columns) + up (rows, rank) @ down (rank, columns)."""

        def __init__(self, rows: int, columns: int):
            super().__init__()
            self.down = torch.nn.Parameter(torch.empty(rank, columns))
            self.up = torch.nn.Parameter(torch.zeros(rows, rank))
            # as nn.Linear begins
            torch.nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

        def forward(self, weight: "Tensor") -> "Tensor":
            return weight + self.up @ self.down

    found = list(_matrices(network))
    if not found:
        raise UsageError(
            "--lora: this backbone has no linear layers besides its head; leave --lora out, or "
            "take a transformer, such as timm/vit_base_patch16_clip_quickgelu_224"
        )
    for layer, name in found:
        rows, columns = getattr(layer, name).shape
        parametrize.register_parametrization(layer, name, Adapter(rows, columns))
    return len(found)


def set_adapted(network: "nn.Module") -> None:
    """Leave only adapters, biases, normalisations and the head to learn of what may learn now.

    A network without adapters stays as it is.
    """
    from torch.nn.utils import parametrize

    if not any(parametrize.is_parametrized(layer) for layer in network.modules()):
        return
    head = {id(tensor) for part in head_of(network) for tensor in part.parameters()}
    for name, tensor in network.named_parameters():
        free = name.endswith((".up", ".down", "bias")) or id(tensor) in head
        # the weights of normalisations are the only vectors besides biases, class tokens have rows
        tensor.requires_grad_(tensor.requires_grad and (free or tensor.ndim == 1))


def merged(network: "nn.Module") -> "dict[str, Tensor]":
    """The network's state with every adapter added to its matrix: that of an ordinary network."""
    from torch.nn.utils import parametrize

    state = {name: tensor for name, tensor in network.state_dict().items() if _MARK not in name}
    for prefix, layer in network.named_modules():
        if parametrize.is_parametrized(layer):
            for name in cast("nn.ModuleDict", layer.parametrizations):
                state[f"{prefix}.{name}"] = getattr(layer, name).detach()
    return state


def _matrices(network: "nn.Module") -> "Iterator[tuple[nn.Module, str]]":
    """Every linear layer before the head, and the name of its matrix."""
    from torch import nn

    head = {id(layer) for part in head_of(network) for layer in part.modules()}
    for layer in network.modules():
        if id(layer) in head:
            continue
        if isinstance(layer, nn.Linear):
            yield layer, "weight"
        # torch's own attention keeps the matrix of its queries, keys and values itself
        if isinstance(layer, nn.MultiheadAttention) and layer.in_proj_weight is not None:
            yield layer, "in_proj_weight"
