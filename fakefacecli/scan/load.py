"""Loading a judge's networks: weights are read while the libraries that build them are imported."""

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from fakefacecli.base.options import Precision
from fakefacecli.base.threads import begun, side_by_side
from fakefacecli.models.backbones import import_library
from fakefacecli.models.checkpoint import filled, read_weights
from fakefacecli.models.folding import folded
from fakefacecli.models.judge import Member
from fakefacecli.models.lean import without_compiler
from fakefacecli.models.precision import Matrices, bfloat16_copy, few_bits_of, in_bfloat16
from fakefacecli.scan.classify import Network

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
_Weights = tuple[dict[str, "torch.Tensor"], Matrices]

# of one pass through a network. On a CPU more would not fit into its caches, and memory for numbers
# of over 32 MB is asked of the system anew each time: a face took 72 ms in batches of 16, 57 in 2
_FACES_ON_CPU = 4
_FACES_ON_GPU = 256


def load_networks(
    members: Sequence[Member],
    precision: Precision,
    device: str,
    stop: Callable[[], None],
    meanwhile: Callable[[], T],
) -> tuple[list[Network], T]:
    """The networks of a judge in the order of its `members`, and what `meanwhile` answers.

    That is called on this thread, before networks are built: it may import parts of the same
    libraries, and two threads that do so at the same time can find one half imported. Raises
    ModelRefused, and what `stop` raises, which is called between steps.
    """
    # small files first: while the largest is read, the networks of the others are built
    order = sorted(members, key=_file_size)
    read = partial(_read, precision, device)
    # around all of it: networks that are built without numbers would import the compiler as well
    with without_compiler(), begun(read, order) as weights:
        for member in members:
            stop()
            import_library(member.checkpoint.card.backbone, member.checkpoint.path)
        answer = meanwhile()
        stop()
        build = partial(_network, precision, device, stop)
        built = side_by_side(build, list(zip(order, weights, strict=True)))
    return [built[order.index(member)] for member in members], answer


def _file_size(member: Member) -> int:
    # a file that is gone is refused when it is read
    with contextlib.suppress(OSError):
        return os.path.getsize(member.checkpoint.path)
    return 0


def _read(precision: Precision, device: str, member: Member) -> _Weights:
    """The weights, and those that are needed in bfloat16 as well."""
    weights, backbone = read_weights(member.checkpoint), member.checkpoint.card.backbone
    few = in_bfloat16(precision, backbone, device)
    return weights, few_bits_of(weights, backbone) if few else {}


def _network(
    precision: Precision,
    device: str,
    stop: Callable[[], None],
    piece: tuple[Member, Future[_Weights]],
) -> Network:
    stop()
    member, read = piece
    card = member.checkpoint.card
    weights, matrices = read.result()
    network = folded(filled(member.checkpoint, weights), card.input_px).to(device)
    stop()
    quick = None
    if in_bfloat16(precision, card.backbone, device):
        quick = bfloat16_copy(network, card.backbone, matrices)
    size = _FACES_ON_CPU if device == "cpu" else _FACES_ON_GPU
    return Network(member.name, network, card, device, quick, member.weight, size, stop)
