"""Bringing numbers to a device, and work of several threads onto it side by side."""

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

_MINE = threading.local()


def to_device(numbers: "npt.NDArray[Any]", device: "torch.device | str") -> "torch.Tensor":
    """The array as a tensor on torch's `device`; nobody waits for a copy to a CUDA device."""
    import torch

    tensor = torch.from_numpy(numbers)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    # from other memory than this a copy is not made aside
    return tensor.pin_memory().to(device, non_blocking=True)


def own_stream(device: str) -> AbstractContextManager[None]:
    """Inside, a CUDA device does this thread's work in its order, beside that of other threads.

    What other threads have put on the device must be ready before.
    """
    if not device.startswith("cuda"):
        return nullcontext()
    import torch

    streams: dict[str, Any] = _MINE.__dict__.setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    mine: AbstractContextManager[None] = torch.cuda.stream(streams[device])
    return mine
