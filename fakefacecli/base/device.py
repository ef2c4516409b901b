"""Bringing numbers to a device, and work of several threads onto it side by side."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

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


def uploaded(pixels: "npt.NDArray[np.uint8]", device: "torch.device | str") -> "torch.Tensor":
    """A picture as a tensor on the device; inside `uploads_kept` it is brought there once.

    A turned view of a picture is brought there each time.
    """
    kept: dict[int, tuple[object, torch.Tensor]] | None = _MINE.__dict__.get("uploads")
    # torch warns of arrays it may not write to and refuses negative strides
    whole = np.require(pixels, requirements=["C", "W"])
    if kept is None or not pixels.flags.c_contiguous:
        return to_device(whole, device)
    if id(pixels) not in kept:
        # with the array, whose id would be another's once it is gone
        kept[id(pixels)] = pixels, to_device(whole, device)
    return kept[id(pixels)][1]


@contextmanager
def uploads_kept() -> Iterator[None]:
    """Inside, pictures that this thread brings to a device stay there for whoever needs them."""
    before = _MINE.__dict__.get("uploads")
    _MINE.__dict__["uploads"] = {}
    try:
        yield
    finally:
        _MINE.__dict__["uploads"] = before


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
