"""The moving average of a network's weights: steadier than the weights, and what is kept."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fakefacecli.train.freeze import blocks

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim.swa_utils import AveragedModel

    Tensors = tuple[Tensor, ...] | list[Tensor]

_DECAY = 0.998


def average_of(network: "nn.Module") -> "AveragedModel":
    """An exponential moving average that begins as `network`, in eval mode, buffers included."""
    from torch.optim.swa_utils import AveragedModel

    average = AveragedModel(network, multi_avg_fn=_move, use_buffers=True)
    begin_after(average, 0)
    return average.eval().requires_grad_(False)


def begin_after(average: "AveragedModel", updates: int) -> None:
    """Set the decay to what it is after so many updates; resume files hold only the weights."""
    average.n_averaged.fill_(1 + updates)  # at 0 the first update would replace the start


def _move(averages: "Tensors", current: "Tensors", count: "Tensor | int") -> None:
    """Move tensors of one type towards the `current` ones, at the update number `count`.

    The decay grows from 2/11 to its full size: at 0.998 from the beginning, the average would still
    be 13 % random start after 1,000 updates, and would give all faces the same answer.
    """
    import torch

    updates = int(count)
    decay = min(_DECAY, (1 + updates) / (10 + updates))
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, current, 1 - decay)
    else:  # the batches that a normalisation has counted
        torch._foreach_copy_(averages, current)


def settle(average: "AveragedModel", recent: "Iterable[Tensor]", frozen: int) -> None:
    """Give the average's batch normalisations the statistics of its own activations.

    Those it took over belong to other weights, and are far off after a short training from
    random ones (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima", section 3.2).
    Weights that knew something already bring better ones than a few batches can give.

    torch's `update_bn` will not do: it resets the first `frozen` blocks too, and it turns dropout
    on, which would spoil the statistics of a normalisation behind it.
    """
    import torch

    learning = [m for part in blocks(average.module)[frozen:] for m in part.modules()]
    norms = [m for m in learning if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for inputs in recent:
        average(inputs)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
