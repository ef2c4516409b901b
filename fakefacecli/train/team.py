"""Several workers that train one network together: each learns from its rows of every batch.

All of them draw the same batches and the same changes, so what they hold stays the same; a worker
alone needs none of this, and nothing is sent anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Value = TypeVar("Value")
_LEAST_ROWS = 2  # batch normalisation cannot learn from one face


@dataclass(frozen=True, slots=True)
class Team:
    """A worker's place among `size` that are joined by torch.distributed; the first leads."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this worker writes the files and speaks."""
        return self.rank == 0

    def share(self, batch: "Tensor") -> "Tensor":
        """This worker's rows of `batch`; none where the batch is too small for all workers."""
        active = min(self.size, max(1, len(batch) // _LEAST_ROWS))
        return batch[self.rank :: active] if self.rank < active else batch[:0]

    def join(self, network: "nn.Module", loss: "Tensor") -> "Tensor":
        """Sum the gradients in `network`, and `loss`, over the workers; returns the loss.

        Each worker's loss has to be weighted with its part of the batch, so that the sums are those
        of the batch's mean. Buffers become those of the worker that leads.
        """
        if self.size == 1:
            return loss
        import torch
        from torch.distributed import all_reduce

        learning = [weight for weight in network.parameters() if weight.requires_grad]
        grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in learning]
        # a weight that no worker has a gradient for keeps none: an optimiser would make it smaller
        had = [float(weight.grad is not None) for weight in learning]
        flat = torch.cat([grad.float().flatten() for grad in grads] + [loss.float().reshape(1)])
        flat = torch.cat([flat, flat.new_tensor(had)])
        all_reduce(flat)
        at, there = 0, flat[len(flat) - len(had) :].tolist()
        for weight, seen in zip(learning, there, strict=True):
            summed = flat[at : at + weight.numel()].view_as(weight).to(weight.dtype)
            weight.grad = summed if seen else None
            at += weight.numel()
        _spread(list(network.buffers()))
        return flat[at]

    def align(self, network: "nn.Module") -> None:
        """Give all workers the weights and buffers of the one that leads."""
        if self.size > 1:
            _spread([*network.parameters(), *network.buffers()])

    def told(self, value: Value, device: str) -> Value:
        """What the worker that leads calls this with; the others wait for it."""
        if self.size == 1:
            return value
        import torch
        from torch.distributed import broadcast_object_list

        box: list[Any] = [value]
        broadcast_object_list(box, 0, device=torch.device(device))
        found: Value = box[0]
        return found


def _spread(tensors: Sequence["Tensor"]) -> None:
    """Copy the first worker's values into the others' `tensors`, all of a type in one message."""
    import torch
    from torch.distributed import broadcast

    with torch.no_grad():
        for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
            group = [tensor for tensor in tensors if tensor.dtype == kind]
            flat = torch.cat([tensor.flatten() for tensor in group])
            broadcast(flat, 0)
            parts = torch.split(flat, [tensor.numel() for tensor in group])
            for tensor, part in zip(group, parts, strict=True):
                tensor.copy_(part.view_as(tensor))


ALONE = Team()
