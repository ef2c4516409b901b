"""How fast this machine judges a folder, and how much of the time each stage takes."""

import contextlib
import dataclasses
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.options import ReportTarget, ScanOptions
from fakefacecli.base.protocols import Detector
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import Status
from fakefacecli.bench.busy import busy_share
from fakefacecli.bench.clocks import (
    Clock,
    TimedClassifier,
    TimedDecoder,
    TimedDetector,
    offspring_peak_mb,
    peak_mb,
)
from fakefacecli.detect.both import BothDetectors
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.build import build
from fakefacecli.scan.machine import usable_cores, versions
from fakefacecli.scan.output import Output
from fakefacecli.scan.pipeline import Stages, scan
from fakefacecli.scan.source import PathSource

WARM_UP = 8  # images before the first run: the first use of a library or network takes longer
Item = ImageRef | Unreadable
STAGES = ("decode", "detect", "detect_second", "judge", "write")


@dataclass(frozen=True, slots=True)
class Run:
    """One scan of all inputs: seconds from the first to the last row, and by stage."""

    images: int  # inputs, unreadable ones among them
    unreadable: int
    faces: int
    seconds: float
    busy_s: dict[str, float]  # summed over the threads or processes of a stage
    ceiling_s: float = 0.0  # what decoding alone takes

    @property
    def readable(self) -> int:
        """How many inputs were decoded, and so seen by the networks."""
        return self.images - self.unreadable


def bench(
    options: ScanOptions,
    repeats: int,
    limit: int | None,
    stop: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Scan the sources, or their first `limit` inputs, `repeats` times; the figures.

    Start-up and a warm-up are left out; a GPU is warmed up by all inputs, as it tunes itself to
    every size. Raises what a scan raises.
    """
    items = list(itertools.islice(PathSource(options.source), limit))
    if not items:
        raise NothingToDo("no image found in the inputs; there is nothing to measure")
    began = time.perf_counter()
    stages = build(options, find_model(options.judge.model), stop)
    load_s = time.perf_counter() - began
    runs = []
    with contextlib.closing(stages.decoder), tempfile.TemporaryDirectory() as folder:
        written = dataclasses.replace(
            options, reports=(ReportTarget(os.path.join(folder, "bench.csv"), "csv"),)
        )
        on_gpu = stages.judge.device.startswith("cuda")
        _measure_once(items if on_gpu else items[:WARM_UP], stages, written, stop)
        before_mb = peak_mb()  # after the warm-up: the rest is what the images need
        for number in range(1, repeats + 1):
            say(f"run {number} of {repeats}")
            runs.append(_measure_once(items, stages, written, stop))
            if runs[0].readable < 1:
                raise NothingToDo(
                    f"none of {len(items)} inputs can be read; there is nothing to measure"
                )
        memory = {
            "peak_mb": peak_mb(),
            "before_mb": before_mb,
            "decoders_mb": offspring_peak_mb(),
            "gpu_peak_mb": _gpu_mb(stages.judge.device),
        }
        busy = busy_share(lambda: _scan_once(items, stages, written, stop), stages.judge.device)
    figures = _figures(runs, stages, options)
    return {**figures, "load_s": load_s, "memory": memory, "gpu_busy": busy}


def _figures(runs: Sequence[Run], stages: Stages, options: ScanOptions) -> dict[str, Any]:
    """The figures of the runs, and all that they depend on."""
    counts = [run.images for run in runs]
    return {
        "machine": machine(stages.judge.device),
        "settings": {
            "device": stages.judge.device,
            "precision": stages.judge.precision,
            "lanes": stages.judge.lanes,
            "workers": options.decode.workers,
            "batch_size": stages.judge.batch_size,
            "min_face_px": options.judge.min_face_px,
            "detector": str(options.judge.detector),
            "turns": str(options.judge.turns),
            "model": options.judge.model,
            "runs": len(runs),
        },
        "versions": versions(),
        "images": runs[0].images,
        "unreadable": runs[0].unreadable,
        "faces": runs[0].faces,
        "end_to_end": _rates(runs, [run.seconds for run in runs], counts),
        "decode_only": _rates(runs, [run.ceiling_s for run in runs], counts),
        "stages": {name: _stage(name, runs, stages, options) for name in runs[0].busy_s},
    }


def _measure_once(
    items: Sequence[Item], stages: Stages, options: ScanOptions, stop: Callable[[], None]
) -> Run:
    # first without the other stages: no scan can be faster than its decoding alone
    began = time.perf_counter()
    for _ in stages.decoder.decode(items):
        stop()
    ceiling_s = time.perf_counter() - began
    return dataclasses.replace(_scan_once(items, stages, options, stop), ceiling_s=ceiling_s)


def _scan_once(
    items: Sequence[Item], stages: Stages, options: ScanOptions, stop: Callable[[], None]
) -> Run:
    """A scan, with its journal and report as in real use, and a clock in every stage."""
    clocks = {name: Clock() for name in STAGES}
    timed = dataclasses.replace(
        stages,
        decoder=TimedDecoder(stages.decoder, clocks["decode"]),
        judge=dataclasses.replace(
            stages.judge,
            detector=_timed_detector(stages.judge.detector, clocks),
            classifier=TimedClassifier(stages.judge.classifier, clocks["judge"]),
        ),
    )
    head = {"run_id": "bench", "started": "", "fingerprint": ""}
    output = Output(options, find_model(options.judge.model), head, lambda text: None)
    faces = unreadable = 0
    began = time.perf_counter()
    with contextlib.closing(output):
        for report in scan(items, timed, stages.judge.batch_size, stop):
            with clocks["write"].running():
                output.take(report)
            faces += len(report.findings)
            unreadable += report.status is Status.ERROR
        with clocks["write"].running():
            output.commit({})
    seconds = time.perf_counter() - began
    busy = {name: clock.seconds for name, clock in clocks.items()}
    if not isinstance(stages.judge.detector, BothDetectors):
        del busy["detect_second"]
    return Run(len(items), unreadable, faces, seconds, busy)


def _timed_detector(detector: Detector, clocks: Mapping[str, Clock]) -> Detector:
    """The detector under a clock; of two each under its own."""
    if isinstance(detector, BothDetectors):
        return BothDetectors(
            TimedDetector(detector.first, clocks["detect"]),
            TimedDetector(detector.second, clocks["detect_second"]),
        )
    return TimedDetector(detector, clocks["detect"])


def _rates(runs: Sequence[Run], seconds: Sequence[float], counts: Sequence[int]) -> dict[str, Any]:
    """Seconds and rates of the runs; run k took `seconds[k]` for `counts[k]` images."""
    faces = [run.faces for run in runs]
    return {
        "seconds": spread(seconds),
        "images_per_s": spread([n / spent for n, spent in zip(counts, seconds, strict=True)]),
        "faces_per_s": spread([n / spent for n, spent in zip(faces, seconds, strict=True)]),
    }


def _stage(name: str, runs: Sequence[Run], stages: Stages, options: ScanOptions) -> dict[str, Any]:
    """Rates of a stage if it never had to wait for another, and its share of a run's time."""
    # 1e-9: a stage that had nothing to do must not divide by zero
    hands = {"decode": options.decode.workers, "write": 1}.get(name, stages.judge.lanes)
    alone = [max(run.busy_s[name] / hands, 1e-9) for run in runs]
    share = [spent / run.seconds for run, spent in zip(runs, alone, strict=True)]
    seen = name in {"detect", "detect_second", "judge"}  # what cannot be read never gets there
    counts = [run.readable if seen else run.images for run in runs]
    return {"hands": hands, **_rates(runs, alone, counts), "share_of_time": spread(share)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median, the least and the most of several runs."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def machine(device: str) -> dict[str, Any]:
    """What a rate depends on: processor, cores that may be used, memory, GPU, system."""
    import torch

    cuda = device.startswith("cuda")
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "gpu": torch.cuda.get_device_name(device) if cuda else None,
        "system": platform.platform(terse=True),
    }


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu_mb(device: str) -> float | None:
    import torch

    return torch.cuda.max_memory_allocated(device) / (1 << 20) if "cuda" in device else None
