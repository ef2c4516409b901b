"""The most memory that a scan of large photographs takes, with and without a limit.

    python -m tests.bench.memory --pictures 12 --megapixels 98 --limits 1G 2G

Sample photographs, enlarged and saved as JPEG, are scanned; the proportional memory of the scan and
its decoders, without pages that they share, is looked at twenty times a second.
"""

import argparse
import contextlib
import csv
import pathlib
import subprocess
import sys
import tempfile
import time

import psutil
from PIL import Image

from tests.builders import PHOTOS
from tests.command import SMALL

_NOT_COMPARED = ("run_id", "elapsed_ms")


def make(folder: pathlib.Path, count: int, megapixels: float) -> None:
    """`count` JPEGs of about `megapixels` each."""
    names = sorted(PHOTOS.iterdir())
    for number in range(count):
        with Image.open(names[number % len(names)]) as picture:
            grow = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
            size = round(picture.width * grow), round(picture.height * grow)
            picture.resize(size, Image.Resampling.BILINEAR).save(folder / f"{number:02}.jpg")


def peak_mb(command: list[str]) -> tuple[float, int, float]:
    """The most MB that the command and its children held, its exit code, seconds."""
    began = time.perf_counter()
    most = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(process.pid)
                held = 0
                for one in (root, *root.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        held += one.memory_full_info().pss
                most = max(most, held / (1 << 20))
            time.sleep(0.05)
    return most, process.returncode, time.perf_counter() - began


def report(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a report, but for what differs from run to run."""
    with open(path, newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return [{k: v for k, v in row.items() if k not in _NOT_COMPARED} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--megapixels", type=float, default=98)
    parser.add_argument("--limits", nargs="*", default=["1G", "2G"])
    parser.add_argument("--model", default=SMALL)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "in").mkdir()
        make(folder / "in", given.pictures, given.megapixels)
        wanted = None
        for limit in [None, *given.limits]:
            out = folder / f"{limit}.csv"
            command = [sys.executable, "-m", "fakefacecli", "scan", str(folder / "in"), "--quiet"]
            command += ["--model", given.model, "--report", str(out), "--timeout", "120"]
            command += ["--max-memory", limit] if limit else []
            most, code, seconds = peak_mb(command)
            found = report(out)
            wanted = wanted or found
            same = "the same rows" if found == wanted else "OTHER ROWS"
            words = limit or "default"
            print(
                f"{words}: {most:.0f} MB at most, {seconds:.1f} s, exit {code}, {same}", flush=True
            )


if __name__ == "__main__":
    main()
