"""A long run: images a second, memory and open files, for each tenth of it.

    python -m tests.bench.load [--images N] [--threads N] [--folder DIR] [scan's own flags ...]

Makes N small photographs (20,000 by default) in DIR, or in a temporary folder, and scans them with
the real command. Memory is the resident set of the scan and its decoders together; open files are
theirs as well.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from PIL import Image

from tests.builders import PHOTOS
from tests.command import start

STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of a run: seconds since its start, images finished, memory and open files."""

    seconds: float
    images: int
    megabytes: float
    files: int


def sampled(process: subprocess.Popen[bytes], report: pathlib.Path) -> Iterator[Sample]:
    """Samples of a running scan until it ends; the journal beside `report` tells its progress."""
    began = time.monotonic()
    journal = report.with_name(f"{report.name}.journal")
    read, lines = 0, 0
    while process.poll() is None:
        time.sleep(STEP_S)
        try:
            with open(journal, "rb") as handle:
                handle.seek(read)
                data = handle.read()
            read, lines = read + len(data), lines + data.count(b"\n")
            parent = psutil.Process(process.pid)
            family = [parent, *parent.children(recursive=True)]
            memory = sum(one.memory_info().rss for one in family)
            files = sum(one.num_fds() for one in family)
        except (FileNotFoundError, psutil.NoSuchProcess):
            continue
        if lines:
            yield Sample(time.monotonic() - began, lines - 1, memory / (1 << 20), files)


def fill(folder: pathlib.Path, count: int) -> None:
    """Put `count` photographs of some 100 to 160 pixels a side into `folder`."""
    photos = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.iterdir())]
    for index in range(count):
        side = 100 + index * 7 % 61
        picture = photos[index % len(photos)].resize((side, side + index % 5))
        picture.save(folder / f"{index:06}.jpg", "JPEG")


def table(samples: list[Sample], count: int) -> Iterator[str]:
    """One line for each tenth of the run."""
    yield f"{'tenth':>5} {'images/s':>9} {'RSS MB':>8} {'files':>6}"
    for number in range(10):
        low, high = number * count / 10, (number + 1) * count / 10
        part = [sample for sample in samples if low <= sample.images < high]
        if len(part) < 2:
            yield f"{number + 1:>5}  too quick to tell"
            continue
        rate = (part[-1].images - part[0].images) / (part[-1].seconds - part[0].seconds)
        memory = statistics.median(sample.megabytes for sample in part)
        files = statistics.median(sample.files for sample in part)
        yield f"{number + 1:>5} {rate:>9.1f} {memory:>8.0f} {files:>6.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=pathlib.Path)
    options, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch) / "in"
        folder.mkdir(parents=True, exist_ok=True)
        fill(folder, options.images)
        report = pathlib.Path(scratch) / "out.csv"
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
        with start(
            "scan", folder, "--report", report, *flags, env=environment, stdout=None, stderr=None
        ) as process:
            samples = list(sampled(process, report))
    print("\n".join(table(samples, options.images)))


if __name__ == "__main__":
    main()
