"""What cutting faces out as a device does it would do to the verdicts.

    python -m tests.bench.cut_there FOLDER [--limit N] [--model NAME] [--device NAME]

On the CPU without another --device: the steps are the same there. Each face is judged twice, in a
window that was cut out here and in one that was cut out there.
"""

import argparse
import pathlib
from dataclasses import replace

import numpy as np

from fakefacecli.base.options import DEFAULT_NETWORK, JudgeOptions, Precision
from fakefacecli.models.bundled import find_model
from fakefacecli.models.there import FaceThere
from fakefacecli.scan.build import build_judge
from fakefacecli.scan.cut_there import on_host
from tests.bench.detect_speed import read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--model", default=DEFAULT_NETWORK)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    options = JudgeOptions(given.model, device=given.device, precision=Precision.FP32)
    judge = replace(build_judge(options, find_model(given.model)), cuts_there=True)
    turned = other_pixels = faces = labels = 0
    moved = levels = 0.0
    for image in read(given.folder, given.limit):
        [found] = judge.detector.detect([image])
        there = judge.cut_out([(image, face, n) for n, face in enumerate(found, 1)])
        here = [on_host(face) for face in there]
        for one, other in zip(here, there, strict=True):
            faces += 1
            turned += one.levelled
            if isinstance(other, FaceThere):
                seen = other.levels.permute(1, 2, 0).cpu().numpy().astype(int)
                off = np.abs(seen - one.pixels)
                other_pixels += bool(off.any())
                levels = max(levels, float(off.max()))
        before, after = judge.classifier.classify(here), judge.classifier.classify(there)
        for first, second in zip(before, after, strict=True):
            moved = max(moved, abs(first.fake_probability - second.fake_probability))
            labels += first.label is not second.label
    print(f"{faces} faces, {turned} of them turned; {other_pixels} windows with other pixels")
    print(f"a level was off by at most {levels:.0f} of 255")
    print(f"p_fake moved by at most {moved:.6f}; other verdicts: {labels}")


if __name__ == "__main__":
    main()
