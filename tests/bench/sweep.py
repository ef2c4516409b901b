"""The cascade in one sweep against level by level, on a CPU: same photographs, in turn.

    python -m tests.bench.sweep FOLDER [--limit N] [--repeats N] [--threads N]

The sweep is tried with canvases of several sizes, filled tile by tile and by looking up each pixel
(as on a GPU). Decoding is not timed. The first run of each is a warm-up and not counted.
"""

import statistics
import time

import numpy as np
import torch

from fakefacecli.base.records import Face
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.sweep import Blind, Canvases
from tests.bench.detect_speed import BATCH, arguments, read

WAYS = {
    "level by level": (None, None),
    "sweep, 100,000 px by tile": (Canvases(256, 100_000, by_tile=True), None),
    "sweep, 200,000 px by tile": (Canvases(512, 200_000, by_tile=True), None),
    "sweep, 1,000,000 px by tile": (Canvases(1024, 1_000_000, by_tile=True), None),
    "sweep, 200,000 px by pixel": (Canvases(512, 200_000), None),
    "sweep, blind, 4,000,000 px by pixel": (Canvases(4096, 4_000_000), Blind()),
}


def detector(canvases: Canvases | None, blind: Blind | None, least_px: float) -> MtcnnDetector:
    made = MtcnnDetector("cpu", least_px)
    made.canvases, made.blind = canvases, blind
    return made


def off(found: list[tuple[Face, ...]], wanted: list[tuple[Face, ...]]) -> str:
    """How many images have another number of faces, and how far edges and scores are off."""
    others = sum(len(a) != len(b) for a, b in zip(found, wanted, strict=True))
    pairs = [
        (a, b)
        for mine, theirs in zip(found, wanted, strict=True)
        if len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True)
    ]
    edges = [
        max(abs(getattr(a.box, side) - getattr(b.box, side)) for side in ("left", "top", "right"))
        for a, b in pairs
    ]
    scores = [abs(a.score - b.score) for a, b in pairs]
    return f"{others} | {np.max(edges, initial=0):.2g} | {np.max(scores, initial=0):.2g}"


def main() -> None:
    options = arguments(__doc__, least_face=40)
    torch.set_flush_denormal(True)
    images = read(options.folder, options.limit)
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    detectors = {name: detector(*way, options.min_face) for name, way in WAYS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    found = {}
    for _ in range(options.repeats + 1):
        for name, one in detectors.items():
            start = time.perf_counter()
            found[name] = [faces for batch in batches for faces in one.detect(batch)]
            seconds[name].append(time.perf_counter() - start)
    wanted = found["level by level"]
    print(
        f"{len(images)} images, {sum(map(len, wanted))} faces, {options.threads} threads, ", end=""
    )
    print(f"{options.repeats} runs\n")
    print("| way | median s | range s | images with other faces | edges off px | scores off |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (_, *rest) in seconds.items():
        middle = statistics.median(rest)
        print(f"| {name} | {middle:.2f} | {min(rest):.2f}..{max(rest):.2f} ", end="")
        print(f"| {off(found[name], wanted)} |")


if __name__ == "__main__":
    main()
