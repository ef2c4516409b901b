"""How long it takes to compare images with a list of known pictures, and with each other.

python -m tests.bench.known [--known 100000] [--images 10000]
"""

import argparse
import time

import numpy as np

from fakefacecli.base.evidence import PerceptualHash
from fakefacecli.evidence.known import Hashes
from fakefacecli.evidence.pdq import MOST_DISTANCE
from fakefacecli.reports.clusters import Clusters


def main() -> None:
    """Compare hashes drawn at random, and print the seconds."""
    cli = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cli.add_argument("--known", type=int, default=100_000)
    cli.add_argument("--images", type=int, default=10_000)
    args = cli.parse_args()
    chance = np.random.default_rng(1)
    known = Hashes([chance.bytes(32).hex() for _ in range(args.known)])
    images = [chance.bytes(32).hex() for _ in range(args.images)]
    began = time.perf_counter()
    found = sum(int(known.distances(digits).min()) <= MOST_DISTANCE for digits in images)
    spent = time.perf_counter() - began
    print(f"{args.images:,} images with {args.known:,} known: {spent:.1f} s, {found} matched")
    clusters = Clusters()
    began = time.perf_counter()
    for digits in images:
        clusters.number_of(PerceptualHash(digits, 100))
    spent = time.perf_counter() - began
    print(f"{args.images:,} images with each other: {spent:.1f} s")


if __name__ == "__main__":
    main()
