"""What each network of a judge costs on a CPU, and how far off it is in fewer bits.

usage: python -m tests.bench.few_bits WINDOWS [--model NAME|FILE] [--faces N] [--int8]

WINDOWS holds ready windows and a labels.csv, as ../shared/windows does. Prints, for each network,
the CPU time a face in float32 in batches of 1, 4 and 16 and in bfloat16 where that is used, on one
thread, and by how much a logit is off there. With --int8 also torch's own dynamic quantisation of
linear layers and int8 products with a scale for each token, neither of which is used.
"""

import argparse
import copy
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from fakefacecli.base.options import DEFAULT_MODEL
from fakefacecli.base.records import FaceCrop
from fakefacecli.labelled.data import read_data
from fakefacecli.models.bundled import find_model
from fakefacecli.models.checkpoint import load
from fakefacecli.models.folding import folded
from fakefacecli.models.judge import members_of
from fakefacecli.models.precision import FEW_BITS, bfloat16_copy
from fakefacecli.models.preprocess import prepare
from tests.bench.windows import read_window


class Int8Linear(nn.Module):
    """A linear layer whose inputs are int8 with a scale for each token."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.scale = layer.weight.abs().amax(1) / 127
        self.weight = torch.round(layer.weight / self.scale[:, None]).to(torch.int8).t()
        self.bias = layer.bias

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        flat = numbers.reshape(-1, numbers.shape[-1])
        scale = flat.abs().amax(1, keepdim=True) / 127
        product = torch._int_mm(torch.round(flat / scale).to(torch.int8), self.weight)
        found = torch.addcmul(self.bias, product * scale, self.scale)
        return found.reshape(*numbers.shape[:-1], -1)


def in_int8(network: nn.Module) -> nn.Module:
    """A copy with every linear layer but the head in int8."""
    quick = copy.deepcopy(network)
    for name, module in list(quick.named_modules()):
        if isinstance(module, nn.Linear) and module.out_features > 1:
            parent, _, own = name.rpartition(".")
            setattr(quick.get_submodule(parent), own, Int8Linear(module))
    return quick


def windows(folder: str, most: int) -> list[FaceCrop]:
    """At most `most` windows of splits val and unseen, evenly drawn."""
    images = [image for image in read_data(folder) if image.split in ("val", "unseen")]
    return [read_window(image) for image in images[:: max(1, len(images) // most)][:most]]


def timed(
    network: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor, size: int
) -> tuple[torch.Tensor, float]:
    """Logits, and ms of this thread's CPU time a face."""
    with torch.inference_mode():
        network(batch[:size])
        began = time.thread_time()
        logits = torch.cat([network(part).squeeze(1) for part in batch.split(size)])
        return logits.float(), (time.thread_time() - began) / len(batch) * 1000


def main() -> None:
    """Measure, print."""
    cli = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cli.add_argument("folder")
    cli.add_argument("--model", default=DEFAULT_MODEL)
    cli.add_argument("--faces", type=int, default=48)
    cli.add_argument("--int8", action="store_true")
    args = cli.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    crops = windows(args.folder, args.faces)
    for member in members_of(find_model(args.model)):
        card = member.checkpoint.card
        network = folded(load(member.checkpoint), card.input_px)
        batch = prepare(crops, card, "cpu")
        exact, _ = timed(network, batch, 4)
        times = [f"{size}: {timed(network, batch, size)[1]:.1f}" for size in (1, 4, 16)]
        print(f"{member.name}, float32, ms a face in batches of {', '.join(times)}")
        others = {}
        if (how := FEW_BITS.get(card.backbone)) is not None:
            others["bfloat16" + ("" if how.worth else " (not used)")] = bfloat16_copy(
                network, card.backbone
            )
        if args.int8 and any(
            isinstance(module, nn.MultiheadAttention | nn.LayerNorm) for module in network.modules()
        ):
            others["torch's dynamic int8"] = quantize_dynamic(
                copy.deepcopy(network), {nn.Linear}, torch.qint8
            )
            others["int8, a scale a token"] = in_int8(network)
        for name, quick in others.items():
            found, ms = timed(quick, batch, 4)
            off = (found - exact).abs()
            print(
                f"  {name}: {ms:.1f} ms, a logit is off by {off.max():.4f} at most, "
                f"{off.mean():.4f} in the mean"
            )


if __name__ == "__main__":
    main()
