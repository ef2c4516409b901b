"""Reading the checkpoints that other systems published, and turning them into ours.

Only numbers are taken from a file: pickles go through torch.load(weights_only=True), which runs
none of what they hold. A head of two outputs becomes one of one logit, fake less real: the softmax
of two is the sigmoid of their difference.
"""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.backbones import build
from fakefacecli.models.calibration import Calibration
from fakefacecli.models.card import (
    FACENET_MEAN,
    FACENET_STD,
    HEADS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    RESIZES,
    ModelCard,
    Triple,
)
from fakefacecli.models.checkpoint import MAX_FILE_BYTES, is_ours, require_file

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, "Tensor"]

_WRAPPERS = ("model_state_dict", "state_dict", "model")
# of DataParallel, of a network inside a wrapper class, of torch.compile
_PREFIXES = ("module.", "model.", "_orig_mod.")
_STARTS = (b"PK", b"\x80")  # a zip, or a pickle, as torch.save wrote them before 1.6
_NOT_LEARNT = "num_batches_tracked"
# levels, mean and std
NORMALISATIONS: dict[str, tuple[int, Triple, Triple]] = {
    "unit": (1, (0.0,) * 3, (1.0,) * 3),
    "imagenet": (1, IMAGENET_MEAN, IMAGENET_STD),
    "symmetric": (255, (127.5,) * 3, (127.5,) * 3),
    "facenet": (255, FACENET_MEAN, FACENET_STD),
}


@dataclass(frozen=True, slots=True)
class Feeding:
    """How a published model wants its faces; None: as its system did it, or as is usual."""

    input_px: int | None = None
    normalise: str | None = None
    crop_scale: float | None = None
    channels: str = "rgb"


def read_foreign(path: str) -> State:
    """The tensors of a .pth, .pt or .safetensors file, without wrappers and prefixes.

    Raises ModelRefused when it is missing, too large, damaged, or holds anything but numbers;
    UsageError for a checkpoint of ours, whose card would be lost.
    """
    require_file(path, "no such file")
    if is_ours(path):
        raise UsageError(f"{path}: already a fakeface checkpoint; give it to --model")
    if os.path.getsize(path) > MAX_FILE_BYTES:
        raise ModelRefused(f"{path}: over {MAX_FILE_BYTES} bytes, which no backbone here has")
    found = _read(path)
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    state = _only_tensors(found, path)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def fit(state: State, backbone: str, positive: int, where: str) -> tuple[State, str]:
    """The same weights under our names and with one logit, and the head they have.

    `positive` is the number of the output that means "fake"; with one output 0 says that it means
    "real". Raises ModelRefused when they are not those of `backbone`.
    """
    state = _head_of_one_layer(state)
    head = HEADS[1] if {"fc.0.weight", "fc.2.weight", "fc.4.weight"} <= set(state) else HEADS[0]
    wanted = build(backbone, head, where).state_dict()
    if backbone == "mobilenet_v1":
        state = _by_order(state, wanted, where)  # a wrong order mostly shows in shapes
    # the head: of all matrices only it has a single row
    last = [name for name, tensor in wanted.items() if tensor.ndim == 2 and len(tensor) == 1]
    for weight in last:
        bias = weight.removesuffix("weight") + "bias"
        for name in (weight, bias):
            if name in state:
                state[name] = _one_logit(state[name], positive, where)
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    # counters that only training uses; files of old versions of torch lack them
    missing = [name for name in missing if not name.endswith(_NOT_LEARNT)]
    if missing or extra:
        raise ModelRefused(
            f"{where}: {len(missing)} tensors missing, {len(extra)} unknown (such as "
            f"{(missing or extra)[0][:80]}); not a {backbone} as this version knows it"
        )
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape or not tensor.isfinite().all():
            raise ModelRefused(
                f"{where}: {name[:80]} has shape {tuple(tensor.shape)} or numbers that "
                f"are not finite, wanted {tuple(wanted[name].shape)}"
            )
    return {name: state.get(name, wanted[name]).to(wanted[name].dtype) for name in wanted}, head


def foreign_card(name: str, backbone: str, head: str, feeding: Feeding, source: str) -> ModelCard:
    """How the published system fed its faces, changed where `feeding` says more."""
    demo = backbone == "inception_resnet_v1"  # MTCNN's box at 160 px, enlarged to 256, over 255
    usual = "unit" if demo else "imagenet"
    levels, mean, std = NORMALISATIONS[feeding.normalise or usual]
    px = feeding.input_px or {"inception_resnet_v1": 256, "resnet18": 128}.get(backbone, 224)
    return ModelCard(
        name=name,
        backbone=backbone,
        head=head,
        input_px=px,
        via_px=160 if demo else 0,
        levels=levels,
        mean=mean,
        std=std,
        channels=feeding.channels,
        resize=RESIZES[1],
        stretch=demo,
        crop_scale=feeding.crop_scale or (1.0 if demo else 1.3),
        calibration=Calibration("none"),
        thresholds=Thresholds(0.5, 0.5),
        meaning="as published: fake from 0.5",
        min_face_px=40,
        trained_on=f"imported from {source}; what it was trained on is not recorded in the file",
    )


def _read(path: str) -> Any:
    import safetensors.torch
    import torch
    from safetensors import SafetensorError

    try:
        if path.endswith(".safetensors"):
            return safetensors.torch.load_file(path)
        with open(path, "rb") as handle:
            if not handle.read(2).startswith(_STARTS):
                raise ModelRefused(f"{path}: not a checkpoint of PyTorch")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelRefused(
            f"{path}: holds more than numbers, which may be code; save its state_dict alone"
        ) from None
    except SafetensorError:
        raise ModelRefused(f"{path}: not a safetensors file, or a damaged one") from None
    # torch.load may end in any of these when the file is damaged
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        zipfile.BadZipFile,
    ) as error:
        raise ModelRefused(f"{path}: damaged, or no checkpoint ({type(error).__name__})") from None


def _only_tensors(found: Any, where: str) -> State:
    import torch

    if not isinstance(found, Mapping) or not found:
        raise ModelRefused(f"{where}: {type(found).__name__} found, wanted a state_dict")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ModelRefused(
                f"{where}: {str(name)[:80]} is no tensor; wanted a state_dict, or one "
                f"under {' or '.join(_WRAPPERS)}"
            )
    return dict(found)


def _head_of_one_layer(state: State) -> State:
    """A linear layer that sits in a Sequential of its own, after a dropout, is the head itself."""
    inner = [name for name in state if re.fullmatch(r"fc\.\d+\.weight", name)]
    if len(inner) != 1:
        return dict(state)
    place = inner[0].removesuffix(".weight")
    return {
        (f"fc.{name.rsplit('.', 1)[1]}" if name.startswith(f"{place}.") else name): tensor
        for name, tensor in state.items()
    }


def _by_order(state: State, wanted: State, where: str) -> State:
    """MobileNetV1's layers have other names in every implementation, but always the same order."""
    mine = [name for name in wanted if not name.endswith(_NOT_LEARNT)]
    theirs = [tensor for name, tensor in state.items() if not name.endswith(_NOT_LEARNT)]
    if len(mine) != len(theirs):
        raise ModelRefused(
            f"{where}: {len(theirs)} tensors found, wanted the {len(mine)} of mobilenet_v1"
        )
    return dict(zip(mine, theirs, strict=True))


def _one_logit(tensor: "Tensor", positive: int, where: str) -> "Tensor":
    outputs = len(tensor)
    if outputs not in (1, 2):
        raise ModelRefused(f"{where}: a head of {outputs} outputs found, wanted one or two")
    if positive not in (0, 1):
        raise UsageError(f"--positive-class {positive}: wanted 0 or 1")
    if outputs == 1:
        # sigmoid(-x) is 1 - sigmoid(x): an output for "real" becomes one for "fake"
        return tensor if positive == 1 else -tensor
    return tensor[positive : positive + 1] - tensor[1 - positive : 2 - positive]
