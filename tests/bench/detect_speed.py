"""Face detection against facenet-pytorch's own cascade: same photographs, same settings, in turn.

    python tests/bench/detect_speed.py FOLDER [--limit N] [--repeats N] [--threads N]

Decoding is not timed. The first run of each is a warm-up, printed and not counted.
"""

import argparse
import pathlib
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageOps

from fakefacecli.base.records import DecodedImage, Face, ImageRef
from fakefacecli.detect.cascade import MtcnnDetector

THRESHOLDS = (0.6, 0.7, 0.7)
BATCH = 32


def read(folder: pathlib.Path, limit: int | None) -> list[DecodedImage]:
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in kinds][:limit]
    images = []
    for number, path in enumerate(paths):
        with Image.open(path) as opened:
            pixels = np.array(ImageOps.exif_transpose(opened).convert("RGB"))
        images.append(DecodedImage(ImageRef(number, str(path), path.name), pixels))
    return images


def facenet(images: list[DecodedImage], least_px: float) -> Callable[[], list[np.ndarray]]:
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
    from facenet_pytorch.models.utils.detect_face import detect_face

    nets = PNet(), RNet(), ONet()

    @torch.inference_mode()
    def run() -> list[np.ndarray]:
        return [
            detect_face(image.pixels, least_px, *nets, THRESHOLDS, 0.709, "cpu")[0][0]
            for image in images
        ]

    return run


def ours(images: list[DecodedImage], least_px: float) -> Callable[[], list[tuple[Face, ...]]]:
    detector = MtcnnDetector("cpu", least_px, THRESHOLDS)

    def run() -> list[tuple[Face, ...]]:
        batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        return [faces for batch in batches for faces in detector.detect(batch)]

    return run


def parity(found: list[tuple[Face, ...]], wanted: list[np.ndarray]) -> str:
    """How many images have the right number of faces, how many faces their box and score."""
    images = sum(len(a) == len(b) for a, b in zip(found, wanted, strict=True))
    faces = 0
    for mine, theirs in zip(found, wanted, strict=True):
        boxes = [(f.box.left, f.box.top, f.box.right, f.box.bottom, f.score) for f in mine]
        rows = np.array(boxes).reshape(-1, 5)
        for row in theirs:
            sides = np.minimum(rows[:, 2:4], row[2:4]) - np.maximum(rows[:, :2], row[:2])
            shared = sides.clip(0).prod(1)
            areas = (rows[:, 2:4] - rows[:, :2]).prod(1) + (row[2:4] - row[:2]).prod()
            close = (shared / (areas - shared) >= 0.99) & (abs(rows[:, 4] - row[4]) <= 1e-3)
            faces += bool(close.any())
    total = sum(map(len, wanted))
    return f"face count {images}/{len(wanted)} images, box and score {faces}/{total} faces"


def arguments(about: str, least_face: float) -> argparse.Namespace:
    """What was typed; torch uses as many threads as it says."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--min-face", type=float, default=least_face)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def main() -> None:
    options = arguments(__doc__, least_face=20)
    images = read(options.folder, options.limit)
    runs = {
        "facenet-pytorch": facenet(images, options.min_face),
        "fakefacecli": ours(images, options.min_face),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    answers = {}
    for _ in range(options.repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            answers[name] = run()
            seconds[name].append(time.perf_counter() - start)
    megapixels = sum(image.width * image.height for image in images) / 1e6
    print(f"{len(images)} images, {megapixels:.0f} megapixels, {options.threads} threads, ", end="")
    print(f"min face {options.min_face:g} px, thresholds {THRESHOLDS}, {options.repeats} runs\n")
    print("| cascade | first run s | median s | range s | images/s | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    slow = statistics.median(seconds["facenet-pytorch"][1:])
    for name, (first, *rest) in seconds.items():
        middle = statistics.median(rest)
        print(f"| {name} | {first:.2f} | {middle:.2f} | {min(rest):.2f}..{max(rest):.2f} ", end="")
        print(f"| {len(images) / middle:.1f} | {slow / middle:.2f} |")
    print("\nparity:", parity(answers["fakefacecli"], answers["facenet-pytorch"]))


if __name__ == "__main__":
    main()
