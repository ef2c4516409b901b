"""Fits when a judge's cheap networks suffice, for the `early_exit` of its card.

usage: python -m tests.bench.early_exit FOLDER --ask lite320,irv1,native [--model NAME|FILE]

FOLDER holds ready windows and a labels.csv. A weighted sum of the cheap networks' logits that
estimates the judge's logit is fitted by least squares on the faces of split val, and the widest
limits at which no verdict of these changes. Prints them, and what they do on every split.
"""

import argparse
import json
import sys

import numpy as np

from fakefacecli.base.options import DEFAULT_MODEL, JudgeOptions
from fakefacecli.base.verdicts import Label
from fakefacecli.cli.labelled import labelled_images, open_model
from fakefacecli.labelled.faces import FoundFace, read_faces
from fakefacecli.models.judge import JudgeCard
from fakefacecli.scan.classify import TorchClassifier, verdict_of


def opinions(args: argparse.Namespace) -> tuple[TorchClassifier, np.ndarray, list[str]]:
    """The judge, its members' logits (faces, members) and each face's split."""
    options = JudgeOptions(model=args.model, device=args.device)
    with open_model(options, (True, None), lambda: None) as subject:
        images = labelled_images(args.folder, [args.model], ["val", "unseen"])
        found = [f for f in read_faces(images, subject.reader) if isinstance(f, FoundFace)]
        logits = subject.classifier.opinions([face.crop for face in found])
        return subject.classifier, np.array(logits), [face.image.split for face in found]


def main() -> None:
    """Judge, fit, print."""
    cli = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cli.add_argument("folder")
    cli.add_argument("--ask", required=True, type=lambda text: text.split(","))
    cli.add_argument("--model", default=DEFAULT_MODEL)
    cli.add_argument("--device", default="cpu")
    args = cli.parse_args()
    judge, logits, splits = opinions(args)
    names = [member.name for member in judge.members]
    if not isinstance(judge.card, JudgeCard) or not set(args.ask) < set(names):
        sys.exit(f"--ask: wanted some of {', '.join(names)}")
    fused = np.array([judge.fused(row) for row in logits])
    of, big = judge.card.calibration.probability, judge.card.min_face_px
    labels = np.array([str(verdict_of(of(x), judge.thresholds, big, big).label) for x in fused])
    val = np.array(splits) == "val"
    asked = [name for name in names if name in args.ask]
    given = np.column_stack((logits[:, [names.index(n) for n in asked]], np.ones(len(fused))))
    weights, *_ = np.linalg.lstsq(given[val], fused[val], rcond=None)
    estimate = given @ weights
    # a scan ends early below the lowest and above the highest face whose verdict would be wrong
    below = estimate[val & (labels != str(Label.NOT_FLAGGED))].min()
    above = estimate[val & (labels != str(Label.FLAGGED))].max()
    rule = {
        "members": asked,
        "weights": [round(float(weight), 6) for weight in weights[:-1]],
        "bias": round(float(weights[-1]), 6),
        "below": round(float(below) - 0.005, 2),
        "above": round(float(above) + 0.005, 2),
    }
    print(json.dumps(rule, indent=1))
    low, high = estimate < rule["below"], estimate > rule["above"]
    wrong = (low & (labels != str(Label.NOT_FLAGGED))) | (high & (labels != str(Label.FLAGGED)))
    for split in dict.fromkeys(splits):
        here = np.array(splits) == split
        ends, other = int((low | high)[here].sum()), int(wrong[here].sum())
        print(f"{split}: {ends} of {here.sum()} faces end early, {other} with another verdict")


if __name__ == "__main__":
    main()
