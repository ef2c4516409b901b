"""What a run has to work with: devices, cores, and the versions of packages."""

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version

from fakefacecli import __version__
from fakefacecli.base.errors import UsageError
from fakefacecli.models.backbones import TIMM
from fakefacecli.models.judge import AnyCheckpoint, members_of

_NVIDIA = "/dev/nvidiactl"  # there where NVIDIA's driver has found a GPU
_MOST_WORKERS = 64  # of --workers
_TORCH = ("torch", "torchvision", "facenet-pytorch")
_PACKAGES = (
    *_TORCH,
    "onnxruntime",
    # faces are turned level by one of them; version 5 interpolates otherwise than 4
    "opencv-python",
    "opencv-python-headless",
    "pillow",
    "pillow-heif",
    "numpy",
    "grad-cam",
    "c2pa-python",
    "pdqhash",
)


def pick_device(name: str) -> str:
    """The torch device `--device` means; "auto" takes CUDA where there is one, else the CPU.

    An Apple GPU (MPS) is used only when asked for: its scores were never compared with the CPU's.
    """
    import torch

    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise UsageError(f"--device {name}: wanted auto, cpu, cuda, cuda:N or mps")
    there = ["cpu"]
    if torch.cuda.is_available():
        there += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if name == "auto":
        return there[1] if len(there) > 1 else "cpu"
    if torch.backends.mps.is_available():
        there.append("mps")
    kind, _, number = name.partition(":")
    wanted = f"cuda:{int(number or 0)}" if kind == "cuda" else kind
    if wanted not in there:
        raise UsageError(f"--device {name}: no such device here, only {', '.join(there)}")
    return wanted


def versions(checkpoint: AnyCheckpoint | None = None) -> dict[str, str]:
    """The versions that can change a score; a package that is missing is left out.

    Of timm only where a network of `checkpoint` is built by it.
    """
    networks = members_of(checkpoint) if checkpoint else ()
    by_timm = any(member.checkpoint.card.backbone.startswith(TIMM) for member in networks)
    found = {"fakefacecli": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in (*_PACKAGES, "timm") if by_timm else _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def default_workers(device: str = "auto") -> int:
    """One decoder process per usable core; without a GPU 8 at most, as more would wait for it.

    `device` is that of `--device`. torch is not asked: decoders start before it is imported.
    """
    on_gpu = device.startswith("cuda") or (device == "auto" and os.path.exists(_NVIDIA))
    return min(_MOST_WORKERS if on_gpu else 8, usable_cores())


def usable_cores() -> int:
    """How many cores this process may use."""
    # a container or taskset may give this process only some of the machine's cores
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
