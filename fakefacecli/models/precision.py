"""Judging in bfloat16: faster, and only where the lost bits change no verdict.

Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019, arXiv:1905.12322. Most of
the error comes from a network's first layers, through which everything passes, and from adding up
a residual stream in few bits. So the first layers and the stream stay float32, and only the
convolutions behind them are bfloat16.
"""

import copy
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from fakefacecli.base.options import Precision
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.calibration import Calibration

if TYPE_CHECKING:
    import torch
    from torch import nn

# the layers that stay float32; for a backbone that is not here nothing was measured.
# the bundled model, 977 faces: at most 0.003 off in p_fake; with all layers in bfloat16, 0.010
FLOAT32_LAYERS: dict[str, tuple[str, ...]] = {
    "inception_resnet_v1": (
        *("conv2d_1a", "conv2d_2a", "conv2d_2b"),
        *("conv2d_3b", "conv2d_4a", "conv2d_4b"),
    )
}
# how far a logit of such a copy may be off; of four checkpoints with 640 faces each, by 0.0112
_LOGIT_OFF = {"inception_resnet_v1": 0.015}
_LOGIT_OFF_UNMEASURED = 0.05
_P_FAKE_OFF = 0.005  # how far p_fake may be off


def logit_error(backbone: str) -> float:
    """How far off a logit may be in bfloat16; a guess for a backbone that was not measured."""
    return _LOGIT_OFF.get(backbone, _LOGIT_OFF_UNMEASURED)


def is_unsure(logit: float, calibration: Calibration, thresholds: Thresholds, error: float) -> bool:
    """Whether a face with this `logit`, found in bfloat16, must be judged again in float32.

    It must where twice the `error` that a logit may have could carry it across a threshold, so
    that bfloat16 changes no verdict, and where the calibration is so steep that p_fake could be
    off by more than 0.005.
    """
    below, found, above = (calibration.probability(logit + off) for off in (-error, 0.0, error))
    if max(found - below, above - found) > _P_FAKE_OFF:
        return True
    low, high = (calibration.probability(logit + off) for off in (-2 * error, 2 * error))
    return any(low <= threshold <= high for threshold in (thresholds.low, thresholds.high))


def in_bfloat16(precision: Precision, backbone: str, device: str) -> bool:
    """Whether to judge in bfloat16: auto does where it was measured and the device has it."""
    if precision is Precision.AUTO:
        return backbone in FLOAT32_LAYERS and has_bfloat16(device)
    return precision is Precision.BF16


def has_bfloat16(device: str) -> bool:
    """Whether `device` multiplies bfloat16 numbers itself; where it does not, they are slower."""
    import torch

    kind = device.partition(":")[0]
    if kind == "cpu":
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    if kind != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def full_float32(device: str) -> AbstractContextManager[None]:
    """Inside, a GPU convolves float32 numbers as float32, not as TF32.

    TF32 keeps 10 of 23 bits: scores would depend on the card, and on batch-mates.
    """
    import torch

    if not device.startswith("cuda"):
        return nullcontext()
    precise: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, allow_tf32=False
    )
    return precise


def bfloat16_copy(network: "nn.Module", backbone: str) -> "nn.Module":
    """A copy of `network` with its convolutions in bfloat16, except the FLOAT32_LAYERS."""
    import torch
    from torch import nn

    quick = copy.deepcopy(network)
    kept = FLOAT32_LAYERS.get(backbone, ())
    for name, module in quick.named_modules():
        if not any(True for _ in module.parameters(recurse=False)):
            continue
        few = isinstance(module, nn.Conv2d) and not name.startswith(kept)
        # normalisations and the head cost little time and add up many numbers: float32
        dtype = torch.bfloat16 if few else torch.float32
        # each layer converts what it is given, as the one before may be of the other type
        module.to(dtype).register_forward_pre_hook(partial(_cast, dtype))
    return quick


def _cast(dtype: "torch.dtype", module: Any, inputs: Any) -> Any:
    return tuple(value.to(dtype) for value in inputs)
