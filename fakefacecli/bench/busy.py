"""What share of a run's time a CUDA device was at work, for `fakeface bench`."""

import time
from collections.abc import Callable, Iterable


def busy_share(work: Callable[[], object], device: str) -> float | None:
    """The share, 0..1, of the time of `work` in which the device had something to do.

    None where `device` is no CUDA device. torch's profiler notes every step of the device; that
    costs time, so that a run without it is a little faster and its share a little larger.
    """
    if not device.startswith("cuda"):
        return None
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        began = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        seconds = time.perf_counter() - began
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in seen.events() or ()
        if event.device_type.name == "CUDA"
    ]
    return covered(spans) / 1e6 / seconds  # the profiler counts microseconds


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of the spans (start, end) lasts."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
