"""`python -m tests.bench.second_detector PHOTOS`: what the second detector finds and costs.

PHOTOS holds faces.csv (file, x0, y0, x1, y1, px, clear), a person's list of faces. Of those that
are clear and of 40 px and more it counts what MTCNN finds, and both detectors, by size. It lists
rows that are two boxes of one face, times both settings by turns from the file to the verdict, and
with --sheet FILE draws the new faces side by side, each with its verdict, for a person to look at.
"""

import argparse
import contextlib
import csv
import json
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import (
    DEFAULT_NETWORK,
    DecodeOptions,
    Detectors,
    JudgeOptions,
    SourceOptions,
)
from fakefacecli.base.records import Box
from fakefacecli.base.verdicts import DetectorName
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.build import build_decoder, build_judge
from fakefacecli.scan.machine import default_workers
from fakefacecli.scan.pipeline import Stages, scan
from fakefacecli.scan.sizes import Sizes
from fakefacecli.scan.source import PathSource

SIZES = ((40, 64), (64, 128), (128, 100_000))
FOUND_FROM = 0.25  # intersection over union
DOUBLE_FROM = 0.3


def main() -> None:
    """Scan PHOTOS with both settings, by turns, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos")
    parser.add_argument("--model", default=DEFAULT_NETWORK)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sheet")
    args = parser.parse_args()
    seconds: dict[str, list[float]] = defaultdict(list)
    # of this process: decoders are left out, and a busy machine changes it little
    cpu_seconds: dict[str, list[float]] = defaultdict(list)
    reports: dict[str, list[ImageReport]] = {}
    with contextlib.ExitStack() as stack:
        stages = {}
        for detector in Detectors:
            options = JudgeOptions(args.model, device="cpu", detector=detector)
            judge = build_judge(options, find_model(args.model))
            decoder = build_decoder(DecodeOptions(default_workers()), Sizes(judge.lanes, 16))
            stages[str(detector)] = Stages(stack.enter_context(contextlib.closing(decoder)), judge)
        items = list(PathSource(SourceOptions((args.photos,))))
        for parts in stages.values():
            list(scan(items[:8], parts, 16))  # warm-up
        for _ in range(args.runs):
            for name, parts in stages.items():
                began, worked = time.perf_counter(), time.process_time()
                reports[name] = list(scan(items, parts, 16))
                seconds[name].append(time.perf_counter() - began)
                cpu_seconds[name].append(time.process_time() - worked)
    truth = _truth(os.path.join(args.photos, "faces.csv"))
    found = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "ratio": _ratio(seconds),
        "cpu_ratio": _ratio(cpu_seconds),
        "recall": {name: _recall(truth, made) for name, made in reports.items()},
        "doubles": {name: _doubles(made) for name, made in reports.items()},
        "faces": {name: sum(len(r.findings) for r in made) for name, made in reports.items()},
        "first_rows_equal": _equal(reports["mtcnn"], reports["both"]),
        "centerface_verdicts": _verdicts(reports["both"]),
    }
    print(json.dumps(found, indent=2))
    if args.sheet:
        _draw(reports["both"], args.sheet)


def _ratio(seconds: dict[str, list[float]]) -> float:
    return statistics.median(seconds["both"]) / statistics.median(seconds["mtcnn"])


def _truth(path: str) -> dict[str, list[tuple[Box, float]]]:
    """The clear faces of each file, with their size in px."""
    clear: dict[str, list[tuple[Box, float]]] = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if row["clear"] == "yes":
                box = Box(*(float(row[name]) for name in ("x0", "y0", "x1", "y1")))
                clear[row["file"]].append((box, float(row["px"])))
    return clear


def _recall(
    truth: dict[str, list[tuple[Box, float]]], reports: Sequence[ImageReport]
) -> dict[str, str]:
    boxes = {report.ref.name: [f.box for f in report.findings] for report in reports}
    counts = {}
    for low, high in (*SIZES, (40, 100_000)):
        hits = [
            any(box.overlap(found) > FOUND_FROM for found in boxes[name])
            for name, faces in truth.items()
            for box, px in faces
            if low <= px < high
        ]
        counts[f"{low}-{high}"] = f"{sum(hits)} of {len(hits)}"
    return counts


def _doubles(reports: Sequence[ImageReport]) -> list[str]:
    return [
        f"{report.ref.name} {first} {second}"
        for report in reports
        for first, one in enumerate(report.findings, 1)
        for second, other in enumerate(report.findings[first:], first + 1)
        if one.box.overlap(other.box) >= DOUBLE_FROM
    ]


def _equal(alone: Sequence[ImageReport], both: Sequence[ImageReport]) -> bool:
    """Whether MTCNN's faces have the same boxes and scores in both, to the last digit."""
    return all(
        [(f.box, f.detection_score) for f in one.findings]
        == [(f.box, f.detection_score) for f in other.findings[: len(one.findings)]]
        for one, other in zip(alone, both, strict=True)
    )


def _verdicts(reports: Sequence[ImageReport]) -> dict[str, int]:
    return Counter(
        f"{finding.verdict.label}: {finding.verdict.reason}"
        for report in reports
        for finding in report.findings
        if finding.detector is DetectorName.CENTERFACE
    )


def _draw(reports: Sequence[ImageReport], target: str) -> None:
    from PIL import Image, ImageDraw, ImageOps

    new = [
        (report.ref.path, finding)
        for report in reports
        for finding in report.findings
        if finding.detector is DetectorName.CENTERFACE
    ]
    side, columns = 180, 8
    sheet = Image.new("RGB", (columns * side, -(-len(new) // columns) * (side + 40)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (path, finding) in enumerate(new):
        box = finding.box
        wide = 1.6 * box.longer_side
        left, top = (box.left + box.right - wide) / 2, (box.top + box.bottom - wide) / 2
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        window = tuple(map(round, (left, top, left + wide, top + wide)))
        x, y = place % columns * side, place // columns * (side + 40)
        sheet.paste(upright.crop(window).resize((side - 4, side - 4)), (x, y))
        verdict = finding.verdict
        words = f"{place} {os.path.basename(path)} {finding.detection_score:.2f}\n"
        words += f"{box.longer_side:.0f} px  {verdict.fake_probability:.2f}\n{verdict.reason}"
        pen.text((x, y + side - 4), words, fill="black")
    sheet.save(target)


if __name__ == "__main__":
    main()
