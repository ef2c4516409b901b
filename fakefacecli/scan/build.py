"""From options to stages: loads the weights and picks the device, once per process."""

import copy
import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from fakefacecli import __version__
from fakefacecli.base.errors import UsageError
from fakefacecli.base.options import Explain, ScanOptions
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.models.backbones import last_block
from fakefacecli.models.checkpoint import Checkpoint, load
from fakefacecli.models.folding import folded
from fakefacecli.models.precision import bfloat16_copy, in_bfloat16
from fakefacecli.models.preprocess import prepare, region
from fakefacecli.overlay.writer import OverlayWriter
from fakefacecli.scan.classify import TorchClassifier
from fakefacecli.scan.explain import GradCamExplainer
from fakefacecli.scan.keep import FlaggedKeeper
from fakefacecli.scan.pipeline import Stages

_PACKAGES = tuple(
    "torch torchvision facenet-pytorch pillow pillow-heif numpy grad-cam".split()  # noqa: SIM905
)


def build(
    options: ScanOptions,
    checkpoint: Checkpoint,
    stop: Callable[[], None] = lambda: None,
    *,
    explains: bool = False,
) -> tuple[Stages, str]:
    """The stages of a scan and the name of the device they run on.

    There is an explainer if overlays are asked for, or with `explains`.

    Raises UsageError for a device that is not there, ModelRefused for unsound weights.
    """
    import torch

    # weights near zero make denormals, which are 100 times slower on many CPUs
    torch.set_flush_denormal(True)
    stop()  # importing torch takes seconds
    device = pick_device(options.device)
    card = checkpoint.card
    network = folded(load(checkpoint), card.input_px).to(device)
    quick = None
    if in_bfloat16(options.precision, card.backbone, device):
        quick = bfloat16_copy(network, card.backbone)
    stop()
    lanes = _lanes(options.batch_size) if device == "cpu" else 1
    explainer = None
    if explains or (options.overlays and options.explain is not Explain.NONE):
        shown = copy.deepcopy(network)  # while it explains, other threads judge
        explainer = GradCamExplainer(
            shown,
            last_block(shown, card.backbone, card.input_px),
            lambda crops: prepare(crops, card, device),
            region=lambda crop: region(crop, card),
        )
    stages = Stages(
        detector=MtcnnDetector(device, options.min_face_px),
        classifier=TorchClassifier(network, card, device, options.thresholds, quick=quick),
        crop_scale=card.crop_scale,
        precision="bf16" if quick else "fp32",
        lanes=lanes,
        model_name=card.name,
        explain=options.explain if options.overlays else Explain.NONE,
        explainer=explainer,
        overlays=OverlayWriter(options.overlays) if options.overlays else None,
        keeper=FlaggedKeeper(options.copy_flagged) if options.copy_flagged else None,
        decoder=_decoder(options, lanes, stop),  # last: its processes are running from now on
    )
    return stages, device


def _decoder(options: ScanOptions, lanes: int, stop: Callable[[], None]) -> WorkerDecoder:
    limits = DecodeLimits(
        max_pixels=options.max_pixels,
        timeout_s=options.timeout_s,
        follow_symlinks=options.source.follow_symlinks,
    )
    # with one lane nobody asks for more while a batch is judged: the next must be on its way
    ahead = max(2 * options.workers + 2, options.batch_size) if lanes == 1 else None
    return WorkerDecoder(options.workers, limits, ahead, stop=stop)


def _lanes(batch_size: int) -> int:
    """A lane a core, as long as each has four images: of very few faces each takes far longer."""
    import torch

    return max(1, min(torch.get_num_threads(), batch_size // 4))


def pick_device(name: str) -> str:
    """The torch device `--device` means; "auto" takes CUDA where there is one, else the CPU.

    Apple's GPUs (MPS) are for those who ask: no score of theirs was ever held against the CPU's.
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


def versions() -> dict[str, str]:
    """The versions that can change a score; a package that is missing is left out."""
    found = {"fakefacecli": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def default_workers() -> int:
    """A decoder process per usable core, 8 at most: more than that waits for the network."""
    return min(8, usable_cores())


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
