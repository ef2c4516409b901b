"""Bringing numbers to a device."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch


def to_device(numbers: "npt.NDArray[Any]", device: "torch.device | str") -> "torch.Tensor":
    """The array as a tensor on torch's `device`; nobody waits for a copy to a CUDA device."""
    import torch

    tensor = torch.from_numpy(numbers)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    # from other memory than this a copy is not made aside
    return tensor.pin_memory().to(device, non_blocking=True)
