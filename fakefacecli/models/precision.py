"""Judging in bfloat16: faster, and only where the lost bits change no verdict.

Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019, arXiv:1905.12322. Most of
the error comes from a network's first layers, through which everything passes, and from adding up
a residual stream in few bits. So the first layers and the stream stay float32, and only the
convolutions, or a transformer's matrices, behind them are bfloat16.
"""

import copy
import itertools
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fakefacecli.base.options import Precision
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.calibration import Calibration

if TYPE_CHECKING:
    import torch
    from torch import nn

# by name of the weight: a matrix in bfloat16, and the factor of each of its rows
Matrices = dict[str, "tuple[torch.Tensor, torch.Tensor]"]

_LOGIT_OFF_UNMEASURED = 0.05
_P_FAKE_OFF = 0.005  # how far p_fake may be off
_INT8_MOST = 127


@dataclass(frozen=True, slots=True)
class FewBits:
    """Which layers of a backbone are bfloat16, and how far off its logit may be then.

    `float32` are the beginnings of the names of layers that stay as they are; convolutions are
    bfloat16, and with `matrices` linear layers as well. `worth` is false where it does not pay.
    """

    float32: tuple[str, ...] = ()
    matrices: bool = False
    logit_off: float = _LOGIT_OFF_UNMEASURED
    worth: bool = True


# what was measured; tests/bench/few_bits.py prints it
FEW_BITS = {
    # the logit of four checkpoints with 640 faces each: at most 0.0112 off; p_fake of 977 faces by
    # at most 0.003, and by 0.010 with all layers in bfloat16
    "inception_resnet_v1": FewBits(
        (
            *("conv2d_1a", "conv2d_2a", "conv2d_2b"),
            *("conv2d_3b", "conv2d_4a", "conv2d_4b"),
        ),
        logit_off=0.015,
    ),
    # most of what all layers in bfloat16 would be off comes from the patches' convolution, which
    # costs 1 % of the time; 446 faces: at most 0.063 off, 0.007 in the mean
    "timm/vit_base_patch16_clip_quickgelu_224": FewBits(
        ("patch_embed", "head"), matrices=True, logit_off=0.07
    ),
    # 0.2 to 0.4 off with all convolutions in bfloat16; with the depthwise ones and the first
    # blocks in float32 as slow as all of it
    "timm/tf_efficientnet_lite2": FewBits(logit_off=0.45, worth=False),
}


def logit_error(backbone: str) -> float:
    """How far off a logit may be in bfloat16; a guess for a backbone that was not measured."""
    return FEW_BITS.get(backbone, FewBits()).logit_off


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
    """Whether to judge in bfloat16: auto does where it was measured and the device has it.

    Never where it was measured and does not pay.
    """
    measured = FEW_BITS.get(backbone)
    if measured and not measured.worth:
        return False
    if precision is Precision.AUTO:
        return measured is not None and has_bfloat16(device)
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
    """Inside, a GPU multiplies float32 numbers as float32, not as TF32; on any thread.

    TF32 keeps 10 of 23 bits: scores would depend on the card, and on batch-mates.
    """
    return _WITHOUT_TF32.held() if device.startswith("cuda") else nullcontext()


class _WithoutTf32:
    """Switches TF32 off while any thread wants it off, and then back to what it was.

    torch's switches are the whole process's: were each thread to put back what it found, the first
    to end would switch TF32 on for the others, which are still at work.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._before = (False, False)

    @contextmanager
    def held(self) -> Iterator[None]:
        from torch.backends import cuda, cudnn

        with self._lock:
            if self._holders == 0:
                self._before = cudnn.allow_tf32, cuda.matmul.allow_tf32
                cudnn.allow_tf32 = cuda.matmul.allow_tf32 = False
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    cudnn.allow_tf32, cuda.matmul.allow_tf32 = self._before


_WITHOUT_TF32 = _WithoutTf32()


def few_bits_of(weights: "dict[str, torch.Tensor]", backbone: str) -> Matrices:
    """Of a network's `weights` the matrices that `bfloat16_copy` makes bfloat16, by name.

    They can be made before the network is there.
    """
    how = FEW_BITS.get(backbone, FewBits())
    if not how.matrices:
        return {}
    return {
        name: few_bits(weight)
        for name, weight in weights.items()
        if weight.ndim == 2
        and weight.is_floating_point()
        and not (how.float32 and name.startswith(how.float32))
    }


def bfloat16_copy(
    network: "nn.Module", backbone: str, matrices: Matrices | None = None
) -> "nn.Module":
    """A copy of `network` in bfloat16, except what FEW_BITS keeps in float32.

    What stays in float32 is shared with `network`. `matrices` are those that were made already.
    """
    import torch
    from torch import nn

    own = itertools.chain(network.parameters(), network.buffers())
    quick = copy.deepcopy(network, {id(tensor): tensor for tensor in own})
    how = FEW_BITS.get(backbone, FewBits())
    for name, module in list(quick.named_modules()):
        if not any(True for _ in module.parameters(recurse=False)):
            continue
        few = bool(name) and not (how.float32 and name.startswith(how.float32))
        if few and how.matrices and isinstance(module, nn.Linear):
            to_few_bits(module, (matrices or {}).get(f"{name}.weight"))
            continue
        # normalisations and the head cost little time and add up many numbers: float32
        dtype = torch.bfloat16 if few and isinstance(module, nn.Conv2d) else torch.float32
        # each layer converts what it is given, as the one before may be of the other type
        _retype(module, dtype)
        module.register_forward_pre_hook(partial(_cast, dtype))
    return quick


def _retype(module: "nn.Module", dtype: "torch.dtype") -> None:
    """Give `module` parameters of `dtype`; `module.to` would change those it shares as well."""
    from torch import nn

    for name, parameter in list(module.named_parameters(recurse=False)):
        if parameter.dtype != dtype:
            setattr(module, name, nn.Parameter(parameter.detach().to(dtype), requires_grad=False))


def few_bits(weight: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
    """The matrix (rows, columns) in bfloat16, and the factor of each of its rows in float32.

    The rows are stretched so that the largest weight is 127: matrices that were stored as int8 with
    a scale a row lose nothing.
    """
    import torch

    # two passes, and a quotient cut short as it is written: copies of a large matrix cost more
    largest = torch.maximum(weight.amax(1), -weight.amin(1))
    scale = largest.clamp_min(torch.finfo(torch.float32).tiny) / _INT8_MOST
    stretched = torch.empty_like(weight, dtype=torch.bfloat16)
    torch.div(weight, scale[:, None], out=stretched)
    return stretched, scale


def to_few_bits(
    layer: "nn.Linear", made: "tuple[torch.Tensor, torch.Tensor] | None" = None
) -> None:
    """Give `layer` a bfloat16 matrix, between float32 numbers: one that `few_bits` has `made`."""
    import torch
    from torch import nn

    stretched, scale = (
        tensor.to(layer.weight.device) for tensor in made or few_bits(layer.weight.detach())
    )
    layer.register_buffer("scale", scale)
    layer.register_buffer(
        "shift", torch.zeros_like(scale) if layer.bias is None else layer.bias.detach()
    )
    layer.weight = nn.Parameter(stretched, requires_grad=False)
    layer.register_parameter("bias", None)
    layer.register_forward_pre_hook(partial(_cast, torch.bfloat16))
    layer.register_forward_hook(_shrunk)


def _shrunk(layer: Any, inputs: Any, product: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.addcmul(layer.shift, product.float(), layer.scale)


def _cast(dtype: "torch.dtype", module: Any, inputs: Any) -> Any:
    return tuple(value.to(dtype) for value in inputs)
