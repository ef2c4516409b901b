"""How faithful heat is: insertion and deletion curves of each method, member by member.

    python -m tests.bench.heat --data WINDOWS [--faces N] [--device cuda] [--out heat.json]

WINDOWS holds judge's windows (1.8 x the face, level) and a labels.csv with the columns path, label
and outside. The faces are fakes that the judge flags, drawn at random; a member's are those of
them for which its own logit is positive, as others get no heat.

Petsiuk, Das and Saenko, "RISE", BMVC 2018, arXiv:1806.07421: the pixels of a network's input, the
hottest first, are replaced by those of the blurred input (deletion), or put into the blurred input
(insertion), and the network is asked after each twentieth. Its score is sigmoid(logit), as members
have no calibration of their own; the judge's is p_fake. The figure is the area under the curve of
insertion less that of deletion: heat without any meaning gives 0 on average, more is better. The
table has the scores of the blurred faces too: where these are as high as the others, blur hides no
evidence, and --baseline grey (the mean colour instead) may say more. Pixels of equal heat come
in an order that is drawn once for all methods. Two controls: heat drawn at random (14 x 14 cells),
and a Gaussian in the middle.

Of the judge all members' inputs are changed together, at the same places of the window.

Prints Markdown; --out writes JSON for a name that ends in .json, otherwise the Markdown.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

from fakefacecli.base.options import DEFAULT_MODEL, JudgeOptions, Precision
from fakefacecli.base.records import FaceCrop
from fakefacecli.base.verdicts import Label, Verdict
from fakefacecli.labelled.data import read_data
from fakefacecli.models.bundled import find_model
from fakefacecli.models.precision import has_bfloat16
from fakefacecli.models.preprocess import normalised, region, shrink
from fakefacecli.scan.build import build_judge
from fakefacecli.scan.classify import Network, TorchClassifier
from fakefacecli.scan.explain import NetworkExplainer, spread
from fakefacecli.scan.heat import FINER, HeatRule, Method, layer_of, rule_of
from fakefacecli.scan.machine import pick_device
from tests.bench.windows import read_window

STEPS = 20
BLUR = 10 / 224  # sigma over the input's side: what is left is where a face is, and its colours
FUSED_PX = 224  # side of the window's map in which the judge's pixels are ranked
RANDOM, CENTRE = "random cells", "Gaussian in the middle"
Heat = torch.Tensor  # (N, rows, columns), any unit


@dataclass(frozen=True, slots=True)
class Measure:
    """Areas under the two curves, a face each; `figure` is what is reported of them."""

    what: str
    method: str
    insertion: np.ndarray
    deletion: np.ndarray
    seconds: float
    whole: float  # mean score of the faces as they are, and blurred
    blurred: float

    @property
    def figure(self) -> np.ndarray:
        return self.insertion - self.deletion

    def row(self) -> dict[str, Any]:
        chance = np.random.default_rng(0)
        count = len(self.figure)
        means = self.figure[chance.integers(0, count, (2000, count))].mean(1)
        low, high = np.quantile(means, (0.025, 0.975))
        return {
            "of": self.what,
            "method": self.method,
            "faces": count,
            "insertion": float(self.insertion.mean()),
            "deletion": float(self.deletion.mean()),
            "score": self.whole,
            "blurred": self.blurred,
            "figure": float(self.figure.mean()),
            "low": float(low),
            "high": float(high),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked: `views` are each network's inputs and blurred inputs, (N, 3, px, px)."""

    name: str
    views: Sequence[tuple[torch.Tensor, torch.Tensor]]
    score: Callable[[Sequence[torch.Tensor]], torch.Tensor]
    # of a rank in 0..1 of each pixel, (N, h, w), that of each pixel of each view, (N, 1, px, px)
    ranks_of_views: Callable[[torch.Tensor], Sequence[torch.Tensor]]


def main() -> None:
    args = arguments()
    began = time.monotonic()
    device = pick_device(args.device)
    checkpoint = find_model(args.model)
    judge = build_judge(JudgeOptions(precision=Precision.FP32, device=args.device), checkpoint)
    classifier = judge.classifier
    assert isinstance(classifier, TorchClassifier)
    say(f"{args.model} on {device}, {time.monotonic() - began:.0f} s")
    crops, verdicts, looked_at = flagged(args.data, args.faces, classifier)
    say(f"{len(crops)} flagged of {looked_at} fakes, {time.monotonic() - began:.0f} s")
    runs = [MemberRun(member, crops, args.at_once, args.baseline) for member in classifier.members]
    measures: list[Measure] = []
    best: dict[str, HeatRule] = {}
    for run in runs:
        found = list(run.measures(args.members))
        measures += [measure for _, measure in found]
        by_rule = [(rule, measure) for rule, measure in found if rule is not None]
        if by_rule:
            best[run.member.name] = max(by_rule, key=lambda pair: pair[1].figure.mean())[0]
        say(f"{run.member.name} done, {time.monotonic() - began:.0f} s")
    if len(runs) > 1 and not args.members:
        measures += judge_measures(classifier, runs, verdicts, best, args.at_once)
    facts = {
        "model": args.model,
        "device": torch.cuda.get_device_name(device) if device != "cpu" else "CPU",
        "score": "sigmoid(logit) of a member, p_fake of the judge",
        "flagged": len(crops),
        "fakes looked at": looked_at,
        "steps": STEPS,
        "baseline": f"blur of {BLUR:.3f}" if args.baseline == "blur" else "grey",
        "seconds": round(time.monotonic() - began),
    }
    rows = [measure.row() for measure in measures]
    text = markdown(facts, rows)
    print(text)
    if args.out:
        whole = json.dumps({**facts, "rows": rows}, indent=1) + "\n"
        args.out.write_text(whole if args.out.suffix == ".json" else text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--members", nargs="*", help="only these, and not the judge")
    parser.add_argument("--at-once", type=int, default=0, help="pictures a pass (2048; CPU 64)")
    parser.add_argument("--baseline", choices=("blur", "grey"), default="blur")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    args.at_once = args.at_once or (64 if pick_device(args.device) == "cpu" else 2048)
    return args


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# --- the faces


def flagged(
    folder: str, most: int, classifier: TorchClassifier
) -> tuple[list[FaceCrop], list[Verdict], int]:
    """At most `most` flagged fakes, their verdicts, and how many fakes were judged for them."""
    fakes = [image for image in read_data(folder) if image.fake]
    order = np.random.default_rng(12).permutation(len(fakes)).tolist()
    crops: list[FaceCrop] = []
    verdicts: list[Verdict] = []
    looked_at = 0
    batch = max(4, min(most, 128))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(order), batch):
            images = [fakes[place] for place in order[start : start + batch]]
            read = list(pool.map(read_window, images))
            for crop, verdict in zip(read, classifier.classify(read), strict=True):
                if len(crops) == most:
                    break
                looked_at += 1
                if verdict.label is Label.FLAGGED:
                    crops.append(crop)
                    verdicts.append(verdict)
            if len(crops) == most:
                break
    if not crops:
        sys.exit(f"{folder}: no fake that the judge flags")
    return crops, verdicts, looked_at


# --- one member


class MemberRun:
    """A member, the faces it takes for fake, and its inputs of all faces, made once."""

    def __init__(self, member: Network, crops: Sequence[FaceCrop], at_once: int, base: str):
        self.member, self.crops, self.at_once = member, crops, at_once
        card = member.card
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            stack = np.stack(list(pool.map(lambda crop: shrink(crop, card), crops)))
        bytes_ = torch.from_numpy(stack).to(member.device).permute(0, 3, 1, 2)
        self.inputs = normalised(bytes_, card)
        self.blurred = blur(self.inputs) if base == "blur" else torch.zeros_like(self.inputs)
        self.places = {crop.ref.path: place for place, crop in enumerate(crops)}
        with torch.inference_mode():
            parts = self.inputs.split(64)
            self.logits = torch.cat([ask(member, part) for part in parts])
        self.suspected = torch.nonzero(self.logits > 0).flatten().tolist()
        self._grids: dict[HeatRule, torch.Tensor] = {}

    def grids(self, rule: HeatRule) -> torch.Tensor:
        """The maps of all faces as an overlay shows them: what speaks against fake cut off."""
        if rule not in self._grids:
            member = self.member
            explainer = NetworkExplainer(
                member.network,
                layer_of(member.network, member.card, rule),
                self._prepared,
                method=rule.method,
            )
            parts = [
                explainer._grids(self.crops[at : at + 32]) for at in range(0, len(self.crops), 32)
            ]
            maps = torch.from_numpy(np.concatenate(parts)).to(member.device)
            self._grids[rule] = torch.nan_to_num(maps).clamp(min=0)
        return self._grids[rule]

    def _prepared(self, crops: Sequence[FaceCrop]) -> torch.Tensor:
        return self.inputs[[self.places[crop.ref.path] for crop in crops]]

    def measures(self, only: Sequence[str] | None) -> Iterator[tuple[HeatRule | None, Measure]]:
        if (only and self.member.name not in only) or not self.suspected:
            return
        px, count = self.member.card.input_px, len(self.crops)
        subject = self._subject()
        for rule in rules_of(self.member):
            began = time.monotonic()
            heat = self.grids(rule)[self.suspected]
            layer = rule.layer or "last block"
            name = str(rule.method) + ("" if rule.method.reads_attention else f", {layer}")
            yield rule, measure(subject, name, resized(heat, px), self.at_once, began)
        for name, heat in controls(count, px, self.member.device).items():
            chosen = heat[self.suspected]
            yield None, measure(subject, name, chosen, self.at_once, time.monotonic())

    def _subject(self) -> Subject:
        places, member = self.suspected, self.member
        views = [(self.inputs[places], self.blurred[places])]
        return Subject(
            member.name,
            views,
            lambda inputs: torch.sigmoid(ask(member, inputs[0])),
            lambda ranks: [ranks[:, None]],
        )


def rules_of(member: Network) -> list[HeatRule]:
    """All methods at the last layer, and those that take any layer at a finer one."""
    is_vit = hasattr(member.network, "blocks") and hasattr(member.network.blocks[-1], "attn")
    rules = [HeatRule(method) for method in Method if is_vit or not method.reads_attention]
    if finer := FINER.get(member.card.backbone):
        rules += [HeatRule(method, finer) for method in Method if not method.reads_attention]
    return rules


def ask(member: Network, inputs: torch.Tensor) -> torch.Tensor:
    """The logits of inputs, in bfloat16 where the device has it."""
    device = str(inputs.device)
    kind, _, _ = device.partition(":")
    with torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(device)):
        return member.network(inputs)[:, 0].float()


# --- the curves


def measure(subject: Subject, method: str, heat: Heat, at_once: int, began: float) -> Measure:
    """Both areas for each face, with all steps of several faces in one pass."""
    ranks = ranked(heat)
    by_view = subject.ranks_of_views(ranks)
    shares = torch.linspace(0, 1, STEPS + 1, device=heat.device)
    each = 2 * (STEPS - 1) + 2  # both curves, whose ends are the same two pictures
    faces_at_once = max(1, at_once // each)
    insertion, deletion, ends = [], [], []
    for start in range(0, len(ranks), faces_at_once):
        part = slice(start, start + faces_at_once)
        pictures = [
            steps_of(whole[part], blurred[part], of_view[part], shares)
            for (whole, blurred), of_view in zip(subject.views, by_view, strict=True)
        ]
        with torch.inference_mode():
            scores = subject.score(pictures).reshape(-1, each)
        first, last = scores[:, :1], scores[:, 1:2]  # blurred, whole
        inner = scores[:, 2:].reshape(len(scores), 2, STEPS - 1)
        insertion.append(area(torch.cat([first, inner[:, 0], last], 1)))
        deletion.append(area(torch.cat([last, inner[:, 1], first], 1)))
        ends.append(scores[:, :2])
    areas = torch.cat(insertion).cpu().numpy(), torch.cat(deletion).cpu().numpy()
    blurred, whole = torch.cat(ends).mean(0).tolist()
    seconds = time.monotonic() - began
    found = Measure(subject.name, method, *areas, seconds, whole, blurred)
    say(f"  {subject.name}, {method}: {found.figure.mean():+.3f}, {found.seconds:.1f} s")
    return found


def steps_of(
    whole: torch.Tensor, blurred: torch.Tensor, ranks: torch.Tensor, shares: torch.Tensor
) -> torch.Tensor:
    """(faces * each, 3, px, px): blurred, whole, then the steps of insertion and of deletion."""
    # the hottest share of the pixels has ranks below it
    hot = ranks[:, None] < shares[1:-1].view(1, -1, 1, 1, 1)
    a, b = whole[:, None], blurred[:, None]
    parts = [b, a, torch.where(hot, a, b), torch.where(hot, b, a)]
    return torch.cat(parts, 1).flatten(0, 1)


def ranked(heat: Heat) -> torch.Tensor:
    """For each pixel the share of all pixels that are hotter, (N, h, w) in [0, 1)."""
    count, height, width = heat.shape
    chance = torch.Generator().manual_seed(5)
    order = torch.randperm(height * width, generator=chance).to(heat.device)
    flat = heat.reshape(count, -1)[:, order]  # ties stay in the drawn order
    hottest_first = flat.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(height * width, device=heat.device, dtype=torch.float32)
    drawn = torch.empty_like(flat).scatter_(1, hottest_first, places.expand(count, -1))
    back = torch.empty_like(drawn)
    back[:, order] = drawn
    return (back / (height * width)).reshape(heat.shape)


def area(curve: torch.Tensor) -> torch.Tensor:
    """Under each row, from 0 to 1, by trapezoids."""
    return torch.trapezoid(curve, dx=1 / STEPS, dim=1)


def blur(inputs: torch.Tensor) -> torch.Tensor:
    sigma = BLUR * inputs.shape[-1]
    size = 2 * round(3 * sigma) + 1
    blurred = []
    for part in inputs.split(64):
        # one way and then the other: a kernel of both would be as slow as it is wide
        along = gaussian_blur(part, [size, 1], [sigma, 1.0])
        blurred.append(gaussian_blur(along, [1, size], [1.0, sigma]))
    return torch.cat(blurred)


def resized(heat: Heat, px: int) -> Heat:
    """As `spread` does: bilinear."""
    wide = functional.interpolate(heat[:, None], (px, px), mode="bilinear", align_corners=False)
    return wide[:, 0]


def controls(count: int, px: int, device: str) -> dict[str, Heat]:
    chance = torch.Generator().manual_seed(7)
    cells = torch.rand((count, 14, 14), generator=chance).to(device)
    along = (torch.arange(px, device=device) + 0.5) / px - 0.5
    bell = torch.exp(-(along**2) / (2 * 0.25**2))
    middle = (bell[:, None] * bell[None]).expand(count, px, px)
    return {RANDOM: resized(cells, px), CENTRE: middle}


# --- the judge


def judge_measures(
    classifier: TorchClassifier,
    runs: Sequence[MemberRun],
    verdicts: Sequence[Verdict],
    best: dict[str, HeatRule],
    at_once: int,
) -> Iterator[Measure]:
    """The judge's heat: by the table, by this run's best rules, and with maps of equal sum."""
    a, b = classifier.card.calibration.a, classifier.card.calibration.b
    device = runs[0].member.device

    def p_fake(inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        logit = sum(
            run.member.weight * ask(run.member, view)
            for run, view in zip(runs, inputs, strict=True)
        )
        return torch.sigmoid(a * (logit + classifier.bias) + b)

    subject = Subject(
        "judge",
        [(run.inputs, run.blurred) for run in runs],
        p_fake,
        lambda ranks: [ranks_in_view(ranks, run) for run in runs],
    )
    table = {run.member.name: rule_of(run.member.card) for run in runs}
    kinds = {
        "as overlays are drawn (the table)": (table, False),
        "the best method of each member": (best, False),
        "the best, maps of equal sum": (best, True),
    }
    for name, (rules, by_sum) in kinds.items():
        began = time.monotonic()
        heat = fused(runs, verdicts, rules, by_sum).to(device)
        yield measure(subject, name, heat, at_once, began)
    for run in runs:
        began = time.monotonic()
        alone = fused([run], verdicts, best, by_sum=False).to(device)
        yield measure(subject, f"{run.member.name} alone, its best", alone, at_once, began)
    for name, heat in controls(len(verdicts), FUSED_PX, device).items():
        yield measure(subject, name, heat, at_once, time.monotonic())


def fused(
    runs: Sequence[MemberRun],
    verdicts: Sequence[Verdict],
    rules: dict[str, HeatRule],
    by_sum: bool,
) -> Heat:
    """The members' maps in the window, weighed by what each added to the logit."""
    total = torch.zeros(len(verdicts), FUSED_PX, FUSED_PX)
    for run in runs:
        grids = run.grids(rules[run.member.name]).cpu().numpy()
        for place, (crop, verdict) in enumerate(zip(run.crops, verdicts, strict=True)):
            said = {opinion.member: opinion.logit for opinion in verdict.opinions}
            added = max(run.member.weight * said[run.member.name], 0.0)
            if added:
                seen = in_map(crop, run)
                heat = torch.from_numpy(spread(grids[place], FUSED_PX, seen))
                if by_sum:
                    heat = heat / heat.sum().clamp(min=1e-6)
                total[place] += added * heat
    return total


def in_map(crop: FaceCrop, run: MemberRun) -> tuple[int, int, int, int]:
    """What the member sees of a crop, in pixels of the window's map."""
    left, top, right, bottom = (
        round(edge * FUSED_PX / crop.side) for edge in region(crop, run.member.card)
    )
    return left, top, max(right, left + 1), max(bottom, top + 1)


def ranks_in_view(ranks: torch.Tensor, run: MemberRun) -> torch.Tensor:
    px = run.member.card.input_px
    views = []
    for place, crop in enumerate(run.crops):
        left, top, right, bottom = in_map(crop, run)
        views.append(
            functional.interpolate(ranks[place, top:bottom, left:right][None, None], (px, px))
        )
    return torch.cat(views)


# --- the answer


def markdown(facts: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        ", ".join(f"{name}: {value}" for name, value in facts.items()),
        "",
        "| of | method | faces | score, baseline | insertion | deletion | ins. - del. | s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    tops = {
        name: max(row["figure"] for row in rows if row["of"] == name)
        for name in {row["of"] for row in rows}
    }
    for row in rows:
        mark = "**" if row["figure"] == tops[row["of"]] else ""
        lines.append(
            f"| {row['of']} | {mark}{row['method'].replace('_', '-')}{mark} | {row['faces']} "
            f"| {row['score']:.3f}, {row['blurred']:.3f} "
            f"| {row['insertion']:.3f} | {row['deletion']:.3f} "
            f"| {row['figure']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}) "
            f"| {row['seconds']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
