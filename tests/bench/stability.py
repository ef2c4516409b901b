"""What the probes of `--stability` cost and save, on ready windows with a labels.csv.

    python -m tests.bench.stability WINDOWS [--model NAME|FILE] [--out FILE.json]

WINDOWS holds windows as the judge cuts them, such as ../shared/windows. Judged are its splits val
and unseen: real faces as they are and denoised (non-local means, strength 7), and fakes as they
are. Of those that are flagged, each probe tells how many stay flagged, alone and all together.
With --splits train the windows that the members have learnt from are taken.
"""

import argparse
import json
import pathlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from fakefacecli.base.options import DEFAULT_MODEL, JudgeOptions
from fakefacecli.base.records import FaceCrop
from fakefacecli.base.verdicts import Label, Verdict
from fakefacecli.evaluate.edits import denoise
from fakefacecli.labelled.data import read_data
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.alterations import jpeg, noise, resize
from fakefacecli.scan.build import build_judge
from fakefacecli.scan.classify import TorchClassifier
from fakefacecli.scan.stability import JUDGED, PROBES, Probe, settled
from tests.bench.windows import read_window

MORE = (
    *(Probe(f"noise, sigma {sigma}", partial(noise, sigma=sigma)) for sigma in (4, 6, 8, 12)),
    *(Probe(f"JPEG, quality {quality}", partial(jpeg, quality=quality)) for quality in (90, 75)),
    *(Probe(f"resized by {factor}", partial(resize, factor=factor)) for factor in (0.9, 0.7)),
)
AT_ONCE = 64


def judged(judge: TorchClassifier, crops: Sequence[FaceCrop]) -> list[Verdict]:
    """The verdicts, judged in parts: a denoised window is made when it is needed."""
    parts = (crops[at : at + AT_ONCE] for at in range(0, len(crops), AT_ONCE))
    return [verdict for part in parts for verdict in judge.classify(part)]


def main() -> None:
    """Judge, probe, print a table."""
    cli = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cli.add_argument("folder")
    cli.add_argument("--model", default=DEFAULT_MODEL)
    cli.add_argument("--device", default="cpu")
    cli.add_argument("--splits", default="val,unseen")
    cli.add_argument("--out")
    args = cli.parse_args()
    checkpoint = find_model(args.model)
    judge = build_judge(JudgeOptions(model=args.model, device=args.device), checkpoint)
    assert isinstance(judge.classifier, TorchClassifier)
    least = checkpoint.card.min_face_px
    images = [
        image
        for image in read_data(args.folder)
        if image.split in args.splits.split(",") and (image.face_px or 0) >= least
    ]
    crops = {fake: [read_window(i) for i in images if i.fake is fake] for fake in (False, True)}
    sets = {
        "real": crops[False],
        "real, denoised": [replace(c, pixels=denoise(c.pixels, 7)) for c in crops[False]],
        "fake": crops[True],
    }
    found: dict[str, dict[str, object]] = {}
    for name, faces in sets.items():
        verdicts = judged(judge.classifier, faces)
        labels = [verdict.label for verdict in verdicts]
        flagged = [c for c, label in zip(faces, labels, strict=True) if label is Label.FLAGGED]
        kept = [verdict for verdict in verdicts if verdict.label is Label.FLAGGED]
        unfit = sum(v.reason not in JUDGED for v in verdicts)
        row: dict[str, object] = {"not to be judged": unfit} | {
            str(label): labels.count(label) for label in Label
        }
        stay: dict[str, list[bool]] = {}
        for probe in (*PROBES, *MORE):
            changed = [replace(crop, pixels=probe.apply(crop.pixels)) for crop in flagged]
            again = judged(judge.classifier, changed)
            pairs = zip(kept, again, strict=True)
            stay[probe.name] = [
                settled(one, [other]).label is Label.FLAGGED for one, other in pairs
            ]
        row |= {probe: sum(stays) for probe, stays in stay.items()}
        used = [stay[probe.name] for probe in PROBES]
        row["all that are used"] = sum(map(all, zip(*used, strict=True)))
        row["stay"] = stay
        found[name] = row
        numbers = json.dumps({key: value for key, value in row.items() if key != "stay"})
        print(f"{name}: {len(faces)} faces; {numbers}", flush=True)
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
