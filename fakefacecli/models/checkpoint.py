"""Checkpoints: a safetensors file whose header carries the model's card.

safetensors holds numbers only, so a stranger's file can at worst be refused. Pickles (.pt, .pth)
are never opened here.
"""

import hashlib
import itertools
import json
import os
import stat
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.files import atomic_write, sha256_of_file
from fakefacecli.models.backbones import build, check_backbone
from fakefacecli.models.card import ModelCard, card_json, parse_card
from fakefacecli.models.lean import without_numbers

if TYPE_CHECKING:
    from torch import Tensor, nn

# 8 bytes of little-endian length, then that much JSON (the safetensors format); ours take 100 kB
_LENGTH = struct.Struct("<Q")
_SCALE = "|scale"
_MAX_HEADER_BYTES = 4_000_000
MAX_FILE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file that has shown a readable card; `load` still has to find its weights sound."""

    path: str
    sha256: str
    card: ModelCard


def read_checkpoint(path: str) -> Checkpoint:
    """Read the card and hash the file, without importing torch.

    Raises ModelRefused when the file is missing, too large, not safetensors or not ours.
    """
    header = _read_header(path)
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("card"), str):
        raise ModelRefused(f"{path}: no card in its header; wanted a fakeface checkpoint")
    card = parse_card(metadata["card"], path)
    check_backbone(card.backbone, card.head, path)
    return Checkpoint(path, sha256_of(path), card)


def is_ours(path: str) -> bool:
    """Whether the file at `path` carries a card, even where its weights are damaged."""
    try:
        metadata = _read_header(path).get("__metadata__")
    except ModelRefused:
        return False
    return isinstance(metadata, dict) and "card" in metadata


def require_file(path: str, missing: str) -> None:
    """Raise ModelRefused, which says why, unless `path` is a file that may be read and holds bytes.

    `missing` are the words for a file that is not there."""
    try:
        facts = os.stat(path)
        if stat.S_ISDIR(facts.st_mode):
            raise ModelRefused(f"{path} is a folder; wanted a model's file")
        if not stat.S_ISREG(facts.st_mode):  # a FIFO would block open() for ever
            raise ModelRefused(f"{path} is not a regular file; wanted a model's file")
        if not facts.st_size:
            raise ModelRefused(f"{path} is empty; wanted a model's file")
        with open(path, "rb"):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise ModelRefused(f"{path}: {missing}") from None
    except OSError as error:
        raise ModelRefused(f"{path}: {(error.strerror or 'unreadable').lower()}") from None


def load(checkpoint: Checkpoint) -> "nn.Module":
    """Build the network and fill it, float32, in eval mode, without gradients.

    Raises ModelRefused when a tensor is missing, unknown, of the wrong shape, or not finite, or
    when the file has changed since its card was read.
    """
    return filled(checkpoint, read_weights(checkpoint))


def read_weights(checkpoint: Checkpoint) -> dict[str, "Tensor"]:
    """The first half of `load`: the tensors by name, float32 where they are not whole numbers.

    It needs nothing of the libraries that build networks, so these can be imported meanwhile.
    """
    try:
        with open(checkpoint.path, "rb") as handle:
            data = handle.read(MAX_FILE_BYTES)
    except OSError as error:
        why = type(error).__name__
        raise ModelRefused(f"{checkpoint.path}: damaged ({why}); get it anew") from None
    # the bytes that are hashed here are the very ones that are loaded
    if hashlib.sha256(data).hexdigest() != checkpoint.sha256:
        raise ModelRefused(f"{checkpoint.path}: the file changed while it was read; try again")
    return _weights(data, checkpoint.path)


def filled(checkpoint: Checkpoint, weights: dict[str, "Tensor"]) -> "nn.Module":
    """The second half of `load`: the network, with `weights` as its own."""
    return _network(weights, checkpoint.card, checkpoint.path)


def _weights(data: bytes, where: str) -> dict[str, "Tensor"]:
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        state = safetensors.torch.load(data)
    except (SafetensorError, ValueError) as error:
        raise ModelRefused(f"{where}: damaged ({type(error).__name__}); get it anew") from None
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in _restored(state, where).items()
    }


def _network(state: dict[str, "Tensor"], card: ModelCard, where: str) -> "nn.Module":
    import torch

    # without memory or numbers at first: to draw random weights takes longer than to read ours
    with torch.device("meta"), without_numbers():
        network = build(card.backbone, card.head, where)
    _check_fit(where, network.state_dict(), state)
    network.load_state_dict(state, assign=True)
    if any(tensor.is_meta for tensor in itertools.chain(network.parameters(), network.buffers())):
        # it also holds numbers that no checkpoint has
        network = build(card.backbone, card.head, where)
        network.load_state_dict(state)
    with torch.no_grad():
        network.eval().requires_grad_(False)
    return network


def _restored(state: "dict[str, Tensor]", where: str) -> "dict[str, Tensor]":
    """The tensors without int8: matrices kept as whole numbers times a factor for each row.

    `NAME|scale` (rows, 1) are the factors of the int8 matrix NAME (rows, columns).
    """
    import torch

    scales = {
        name.removesuffix(_SCALE): tensor for name, tensor in state.items() if name.endswith(_SCALE)
    }
    restored = {}
    for name, tensor in state.items():
        if name.endswith(_SCALE):
            continue
        scale = scales.pop(name, None)
        if (tensor.dtype == torch.int8) != (scale is not None):
            raise ModelRefused(f"{where}: {name[:80]} is {tensor.dtype}, with or without a scale")
        if scale is not None and (tensor.ndim != 2 or scale.shape != (len(tensor), 1)):
            raise ModelRefused(f"{where}: {name[:80]} and its scale do not fit together")
        # in place: memory for one more copy of a matrix is asked of the system anew each time
        restored[name] = tensor if scale is None else tensor.float().mul_(scale.float())
    if scales:
        raise ModelRefused(f"{where}: a scale of {next(iter(scales))[:80]}, which is not there")
    return restored


def save(path: str, state: dict[str, "Tensor"], card: ModelCard, check: bool = False) -> None:
    """Write a checkpoint whole or not at all; the same weights and card give the same bytes.

    With `check` what could not be loaded again is refused (ModelRefused) and nothing is replaced.
    """
    import safetensors.torch

    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    data = safetensors.torch.save(kept, {"card": card_json(card)})
    if check:
        _network(_weights(data, path), parse_card(card_json(card), path), path)
    with atomic_write(path) as handle:
        handle.write(data)


def sha256_of(path: str) -> str:
    """The file's sha256 in hex; ModelRefused when it cannot be read."""
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise ModelRefused(f"{path}: {(error.strerror or 'unreadable').lower()}") from None


def _read_header(path: str) -> dict[str, Any]:
    try:
        require_file(path, "no such model file; see `fakeface models list`")
        size = os.path.getsize(path)
        with open(path, "rb") as handle:
            start = handle.read(_LENGTH.size)
            length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
            wanted = "wanted a fakeface checkpoint (safetensors)"
            # a zip, as torch.save writes it, or a bare pickle of protocol 2 or 4
            if start[:2] in (b"PK", b"\x80\x02", b"\x80\x04"):
                raise ModelRefused(f"{path}: a pickle, which may hold code; {wanted}")
            if not 2 <= length <= _MAX_HEADER_BYTES:
                raise ModelRefused(f"{path}: not a safetensors file; {wanted}")
            if length > size - _LENGTH.size:
                raise ModelRefused(f"{path}: cut off after {size} bytes; get it anew")
            if size > MAX_FILE_BYTES:
                raise ModelRefused(f"{path}: {size} bytes, wanted {MAX_FILE_BYTES} at most")
            header = json.loads(handle.read(length))
    except OSError as error:
        raise ModelRefused(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    except (ValueError, RecursionError):
        raise ModelRefused(f"{path}: its header is not JSON; {wanted}") from None
    if not isinstance(header, dict):
        raise ModelRefused(f"{path}: its header is not a table; {wanted}")
    return header


def _check_fit(where: str, wanted: dict[str, "Tensor"], found: dict[str, "Tensor"]) -> None:
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or extra:
        example = (missing or extra)[0]
        raise ModelRefused(
            f"{where}: {len(missing)} tensors missing, {len(extra)} unknown "
            f"(such as {example[:80]}); not a checkpoint of its card's backbone"
        )
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            raise ModelRefused(
                f"{where}: {name} has shape {tuple(tensor.shape)}, "
                f"wanted {tuple(wanted[name].shape)}"
            )
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise ModelRefused(f"{where}: {name} is {tensor.dtype}, wanted {wanted[name].dtype}")
        if not _is_finite(tensor):
            raise ModelRefused(f"{where}: {name} holds NaN or infinity; the file is damaged")


def _is_finite(tensor: "Tensor") -> bool:
    """Whether no number in it is NaN or infinite."""
    if not tensor.numel() or not tensor.is_floating_point():
        return True
    # one pass without memory of its own: the least and the largest are NaN where any number is
    least, largest = tensor.aminmax()
    return bool(least.isfinite() & largest.isfinite())
