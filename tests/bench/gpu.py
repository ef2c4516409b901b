"""What a GPU is to do, measured: four figures beside what is wanted.

    python -m tests.bench.gpu FOLDER [--files N] [--demo-files N] [--device cuda] [--json FILE]

The folder's photographs are repeated, as links, to N files. Measured are a scan against the demo's
loop on the same device (the loop on fewer files, as it takes minutes), a scan against decoding
alone, the cascade against facenet-pytorch's batched MTCNN on photographs of one size, and a scan of
one photograph from start to end, the second of two.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from fakefacecli.base.options import (
    DEFAULT_NETWORK,
    DecodeOptions,
    JudgeOptions,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.base.records import DecodedImage, ImageRef
from fakefacecli.bench.run import bench
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.scan.machine import default_workers
from fakefacecli.scan.source import PathSource
from tests.bench.against_demo import run_demo
from tests.bench.detect_speed import read

WANTED = {
    "scan / the demo's loop": 50.0,
    "scan / decoding alone": 0.8,
    "cascade / facenet-pytorch's batched MTCNN": 15.0,
    "seconds for one photograph": 5.0,  # at most; the others are at least
}
SIZE = (1024, 768)
BATCH = 32


def repeated(photos: pathlib.Path, count: int, folder: pathlib.Path) -> pathlib.Path:
    """`count` links to the photographs, over and over."""
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    paths = [path for path in sorted(photos.rglob("*")) if path.suffix.lower() in kinds]
    for number, path in enumerate(itertools.islice(itertools.cycle(paths), count)):
        (folder / f"{number:05}{path.suffix}").symlink_to(path.resolve())
    return folder


def scans(folder: pathlib.Path, demo_files: int, device: str) -> tuple[dict[str, Any], float]:
    """What `bench` says of the folder, and the images/s of the demo's loop."""
    source = SourceOptions((str(folder),), follow_symlinks=True)
    judge = JudgeOptions(DEFAULT_NETWORK, device=device)
    found = bench(
        ScanOptions(source, judge=judge, decode=DecodeOptions(default_workers(device))), 1, None
    )
    items = list(itertools.islice(PathSource(source), demo_files))
    demo = run_demo(items, device, lambda: None)
    return found, demo["images"] / demo["seconds"]


def rate(run: Callable[[list[DecodedImage]], object], images: list[DecodedImage]) -> float:
    """Images/s, the median of three runs after a warm-up."""
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        for batch in batches:
            run(batch)
        seconds.append(time.perf_counter() - began)
    return len(images) / statistics.median(seconds[1:])


def detection(photos: pathlib.Path, count: int, device: str) -> tuple[float, float]:
    """Images/s of our cascade and of facenet-pytorch's, at its settings."""
    from facenet_pytorch import MTCNN

    least, thresholds = 20, (0.6, 0.7, 0.7)
    images = []
    for number, image in enumerate(itertools.islice(itertools.cycle(read(photos, count)), count)):
        pixels = np.asarray(Image.fromarray(image.pixels).resize(SIZE))
        images.append(DecodedImage(ImageRef(number, str(number), str(number)), pixels))
    ours = MtcnnDetector(device, least, thresholds)
    theirs = MTCNN(min_face_size=least, thresholds=list(thresholds), device=device)
    return (
        rate(ours.detect, images),
        rate(lambda batch: theirs.detect([image.pixels for image in batch]), images),
    )


def one_scan(photo: pathlib.Path, device: str) -> float:
    """Seconds from start to end of a scan of one photograph with the default model."""
    command = [sys.executable, "-m", "fakefacecli", "scan", photo, "--report", "-"]
    began = time.perf_counter()
    subprocess.run([*command, "--device", device], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--demo-files", type=int, default=100)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    name = torch.cuda.get_device_name() if given.device.startswith("cuda") else "CPU"
    with tempfile.TemporaryDirectory() as made:
        folder = repeated(given.folder, given.files, pathlib.Path(made))
        found, demo = scans(folder, given.demo_files, given.device)
        photo = min(folder.iterdir()).resolve()
        one_scan(photo, given.device)  # reads what lies on the disk
        once = one_scan(photo, given.device)
    ours, theirs = detection(given.folder, min(given.files, 4 * BATCH), given.device)
    whole, decode = (
        found[part]["images_per_s"]["median"] for part in ("end_to_end", "decode_only")
    )
    figures = dict(zip(WANTED, (whole / demo, whole / decode, ours / theirs, once), strict=True))
    print(f"{name}, {os.cpu_count()} cores, {found['images']} files, {found['faces']} faces")
    print(f"scan {whole:.1f} images/s, decoding alone {decode:.1f}, the demo's loop {demo:.2f}")
    print(f"cascade {ours:.1f} images/s, facenet-pytorch's {theirs:.1f}, {SIZE[0]} x {SIZE[1]} px")
    if found["gpu_busy"] is not None:
        print(f"the GPU was at work {100 * found['gpu_busy']:.0f} % of a scan's time")
    print("\n| what | measured | wanted |\n| --- | --- | --- |")
    for what, wanted in WANTED.items():
        print(f"| {what} | {figures[what]:.2f} | {wanted:g} |")
    if given.json:
        report = {"device": name, "figures": figures, "wanted": WANTED, "bench": found}
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    # as `fakeface` starts itself
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    main()
