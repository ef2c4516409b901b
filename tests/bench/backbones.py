"""Every backbone trained alike on a small budget, and measured: the table in docs/train.md.

    python -m tests.bench.backbones FACES [--out DIR] [--epochs N] [--input-px N] [--only NAME ...]

FACES are ready crops at 1.3 times the face's box, with splits, such as a folder with labels.csv.
Weights start at random. Prints a row as soon as a model is trained and measured.
"""

import argparse
import json
import pathlib
import resource
import tempfile
from typing import Any

from tests.command import fakeface

CROPS = ("--faces-only", "--faces-scale", 1.3)
VARIANTS: dict[str, tuple[str, ...]] = {
    "inception_resnet_v1": (),
    "resnet18": (),
    "resnet50": (),
    "mobilenet_v2": (),
    "mobilenet_v1": (),
    "mobilenet_v1, ELA": ("--input", "ela"),
    "inception_resnet_v1, from the bundled model": ("--init", "inception-resnet-v1"),
    "the same, all but its head frozen": (
        *("--init", "inception-resnet-v1", "--freeze", "backbone"),
    ),
}


def train(faces: str, out: pathlib.Path, name: str, budget: argparse.Namespace) -> float:
    """Train the variant `name` into `out`; the seconds of CPU time that took."""
    flags: list[object] = ["--epochs", budget.epochs, "--patience", 0, *VARIANTS[name]]
    if "--init" not in flags:
        flags += ["--backbone", name.partition(",")[0], "--input-px", budget.input_px]
    began = _children_cpu_s()
    done = fakeface("train", faces, "--out", out, *CROPS, *flags, timeout=3600)
    if done.returncode:
        raise SystemExit(done.stderr)
    return _children_cpu_s() - began


def measured(faces: str, model: object, split: str, out: pathlib.Path) -> dict[str, Any]:
    """What `fakeface evaluate` finds on one split."""
    flags = ("--model", model, "--split", split, "--out", out, "--no-grid", "--mistakes", 0)
    done = fakeface("evaluate", faces, *CROPS, *flags, timeout=3600)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return found


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cell(measure: dict[str, Any]) -> str:
    if measure["value"] is None:
        return "not defined"
    return f"{measure['value']:.3f} ({measure['low']:.3f} to {measure['high']:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--input-px", type=int, default=96)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS))
    budget = parser.parse_args()
    print("| model | CPU time of training | AUC, val | AUC, held out | TPR at FPR 1 %, held out |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        folder = budget.out or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(budget.only):
            out = folder / f"{number}.safetensors"
            seconds = train(budget.faces, out, name, budget)
            val, held = (
                measured(budget.faces, out, split, folder / f"{number}-{split}")[
                    "measures_by_image"
                ]
                for split in ("val", "held_out")
            )
            print(
                f"| {name} | {seconds / 60:.1f} min | {cell(val['auc'])} | {cell(held['auc'])} "
                f"| {cell(held['tpr_at_fpr_0.01'])} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
