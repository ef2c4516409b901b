"""A nightly scan: many images judged once, then the same folder again with nothing changed.

usage: python tests/bench/nightly.py [--images N] [--folder DIR] [--repeats N]

Makes N small JPEGs, each different (a face of the sample photographs pasted on a plain colour),
runs the real command with --state once on all of them and then again, `--repeats` times each with
nothing changed, with --verify-hash and with --since-last. Prints the wall-clock times, start-up
included, and how many times faster than the first run each was. With --folder the images are kept
there and taken from there if they exist.
"""

import argparse
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

from PIL import Image

PHOTOS = pathlib.Path(__file__).resolve().parent.parent / "data" / "photos"
SIDE_PX = 96
FACE_PX = 72
A_FOLDER = 250  # as cameras and upload forms do, not everything in one folder


def make(folder: pathlib.Path, count: int) -> None:
    """`count` different small pictures; the same ones every time."""
    chance = random.Random(20261121)
    faces = []
    for path in sorted(PHOTOS.iterdir()):
        with Image.open(path) as photo:
            faces.append(photo.convert("RGB").resize((FACE_PX, FACE_PX)))
    for number in range(count):
        place = folder / f"{number // A_FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (SIDE_PX, SIDE_PX), tuple(chance.choices(range(256), k=3)))
        left, top = chance.choices(range(SIDE_PX - FACE_PX), k=2)
        picture.paste(chance.choice(faces), (left, top))
        picture.save(place / f"{number:06}.jpg", quality=85)


def scan(folder: pathlib.Path, out: pathlib.Path, *flags: str) -> float:
    """Seconds the command took."""
    command = [sys.executable, "-m", "fakefacecli", "scan", str(folder), "--quiet", *flags]
    command += ["--state", str(out / "state.db"), "--report", str(out / "report.csv")]
    began = time.perf_counter()
    done = subprocess.run(command, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"fakeface ended with {done.returncode}")
    return seconds


def main() -> None:
    """Make, scan, scan again, print."""
    cli = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cli.add_argument("--images", type=int, default=10_000)
    cli.add_argument("--folder", type=pathlib.Path)
    cli.add_argument("--repeats", type=int, default=3)
    args = cli.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch)
        folder = args.folder or out / "in"
        if not folder.is_dir():
            make(folder, args.images)
            time.sleep(3)  # files as new as the run that reads them are read again by the next
        count = sum(1 for _ in folder.rglob("*.jpg"))
        first = scan(folder, out)
        print(f"{count} images, first run      {first:8.2f} s   {count / first:8.1f} images/s")
        for words, flags in (
            ("again", ()),
            ("--verify-hash", ("--verify-hash",)),
            ("--since-last", ("--since-last",)),
        ):
            times = [scan(folder, out, *flags) for _ in range(args.repeats)]
            middle = statistics.median(times)
            print(
                f"{words:<24} {middle:8.2f} s   {first / middle:8.1f} times faster   "
                f"({min(times):.2f}..{max(times):.2f} s)"
            )


if __name__ == "__main__":
    main()
