"""How fast this machine judges a folder, what each stage takes of it, and what it waits for."""

import contextlib
import dataclasses
import itertools
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.child import interpreter
from fakefacecli.base.errors import FakeFaceError, NothingToDo
from fakefacecli.base.options import ReportTarget, ScanOptions
from fakefacecli.base.records import ImageRef, Status, Unreadable
from fakefacecli.bench.clocks import (
    Clock,
    TimedClassifier,
    TimedDecoder,
    TimedDetector,
    offspring_peak_mb,
    peak_mb,
)
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.build import build, usable_cores, versions
from fakefacecli.scan.output import Output
from fakefacecli.scan.pipeline import Stages, scan
from fakefacecli.scan.source import PathSource

WARM_UP = 8  # images before the first run: libraries prepare themselves at first use
STAGES = ("decode", "detect", "judge", "write")
_DEMO = "from fakefacecli.bench.demo_loop import main; main()"
_STEP_S = 0.1  # how long the demo's loop runs before we look whether it should


@dataclass(frozen=True, slots=True)
class Run:
    """One scan of all inputs: seconds from the first to the last row, and by stage."""

    images: int  # inputs, unreadable ones among them
    unreadable: int
    faces: int
    seconds: float
    ceiling_s: float  # what decoding alone takes
    busy_s: dict[str, float]  # summed over the threads or processes of a stage

    @property
    def readable(self) -> int:
        """How many inputs were decoded, and so seen by the networks."""
        return self.images - self.unreadable


def bench(
    options: ScanOptions,
    repeats: int,
    limit: int | None,
    against_demo_loop: bool,
    stop: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Scan the sources, or their first `limit` inputs, `repeats` times; the figures.

    With `against_demo_loop` the demo's loop runs in turn with the scans. Start-up and a warm-up
    are left out. Raises what a scan raises.
    """
    items = list(itertools.islice(PathSource(options.source), limit))
    if not items:
        raise NothingToDo("no image found in the inputs; there is nothing to measure")
    began = time.perf_counter()
    stages, device = build(options, find_model(options.model), stop)
    load_s = time.perf_counter() - began
    runs, demos = [], []
    with contextlib.closing(stages.decoder), tempfile.TemporaryDirectory() as folder:
        written = dataclasses.replace(
            options, reports=(ReportTarget(os.path.join(folder, "bench.csv"), "csv"),)
        )
        _one(items[:WARM_UP], stages, written, stop)
        before_mb = peak_mb()
        for number in range(1, repeats + 1):
            say(f"run {number} of {repeats}")
            runs.append(_one(items, stages, written, stop))
            if runs[0].readable < 1:
                raise NothingToDo(
                    f"none of {len(items)} inputs can be read; there is nothing to measure"
                )
            if against_demo_loop:
                say(f"the demo's loop, run {number} of {repeats}")
                demos.append(_demo(items, device, stop))
        memory = {
            "peak_mb": peak_mb(),
            "before_mb": before_mb,
            "decoders_mb": offspring_peak_mb(),
            "gpu_peak_mb": _gpu_mb(device),
        }
    counts = [run.images for run in runs]
    return {
        "machine": machine(device),
        "settings": {
            "device": device,
            "precision": stages.precision,
            "lanes": stages.lanes,
            "workers": options.workers,
            "batch_size": options.batch_size,
            "min_face_px": options.min_face_px,
            "model": options.model,
            "runs": repeats,
        },
        "versions": versions(),
        "images": runs[0].images,
        "unreadable": runs[0].unreadable,
        "faces": runs[0].faces,
        "load_s": load_s,
        "end_to_end": _rates(runs, [run.seconds for run in runs], counts),
        "decode_only": _rates(runs, [run.ceiling_s for run in runs], counts),
        "stages": {name: _stage(name, runs, stages, options) for name in STAGES},
        "memory": memory,
        "demo_loop": _compared(runs, demos) if demos else None,
    }


Item = ImageRef | Unreadable


def _one(
    items: Sequence[Item], stages: Stages, options: ScanOptions, stop: Callable[[], None]
) -> Run:
    began = time.perf_counter()
    for _ in stages.decoder.decode(items):
        stop()
    ceiling_s = time.perf_counter() - began
    decoding, detecting, judging, writing = (Clock() for _ in STAGES)
    timed = dataclasses.replace(
        stages,
        decoder=TimedDecoder(stages.decoder, decoding),
        detector=TimedDetector(stages.detector, detecting),
        classifier=TimedClassifier(stages.classifier, judging),
    )
    head = {"run_id": "bench", "started": "", "fingerprint": ""}
    output = Output(options, find_model(options.model), head, lambda text: None)
    faces = unreadable = 0
    began = time.perf_counter()
    with contextlib.closing(output):
        for report in scan(items, timed, options.batch_size, stop):
            with writing.running():
                output.take(report)
            faces += len(report.findings)
            unreadable += report.status is Status.ERROR
        with writing.running():
            output.commit({})
    seconds = time.perf_counter() - began
    clocks = (decoding, detecting, judging, writing)
    busy = {name: clock.seconds for name, clock in zip(STAGES, clocks, strict=True)}
    return Run(len(items), unreadable, faces, seconds, ceiling_s, busy)


def _demo(items: Sequence[Item], device: str, stop: Callable[[], None]) -> dict[str, float]:
    """One run of the demo's loop in a process of its own, as it was: without our settings."""
    ours = ("OMP_WAIT_POLICY", "THP_MEM_ALLOC_ENABLE")
    paths = b"".join(os.fsencode(item.path) + b"\0" for item in items if isinstance(item, ImageRef))
    with (
        tempfile.TemporaryFile() as listed,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complaints,
    ):
        listed.write(paths)
        listed.seek(0)
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and code)
            interpreter(_DEMO, device, str(os.getpid())),
            stdin=listed,
            stdout=said,
            stderr=complaints,
            env={name: value for name, value in os.environ.items() if name not in ours},
            start_new_session=True,  # Ctrl-C is for us
        )
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STEP_S)
                stop()
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        complaints.seek(0)
        if process.returncode:
            why = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
            raise FakeFaceError(f"the demo's loop failed: {' '.join(why)}")
        found: dict[str, float] = json.load(said)
    return found


def _rates(runs: Sequence[Run], seconds: Sequence[float], counts: Sequence[int]) -> dict[str, Any]:
    """Spreads over the runs that took `seconds` for as many images as `counts` says."""
    faces = [run.faces for run in runs]
    return {
        "seconds": _spread(seconds),
        "images_per_s": _spread([n / spent for n, spent in zip(counts, seconds, strict=True)]),
        "faces_per_s": _spread([n / spent for n, spent in zip(faces, seconds, strict=True)]),
    }


def _stage(name: str, runs: Sequence[Run], stages: Stages, options: ScanOptions) -> dict[str, Any]:
    """Rates of a stage if it had its threads or processes for itself; its share of their time."""
    hands = {"decode": options.workers, "write": 1}.get(name, stages.lanes)
    alone = [max(run.busy_s[name] / hands, 1e-9) for run in runs]
    share = [spent / run.seconds for run, spent in zip(runs, alone, strict=True)]
    seen = name in {"detect", "judge"}  # what cannot be read never gets there
    counts = [run.readable if seen else run.images for run in runs]
    return {"hands": hands, **_rates(runs, alone, counts), "share_of_time": _spread(share)}


def _compared(runs: Sequence[Run], demos: Sequence[dict[str, float]]) -> dict[str, Any]:
    ratios = [
        demo["seconds"] / demo["images"] * run.images / run.seconds
        for run, demo in zip(runs, demos, strict=True)
    ]
    return {
        "images": demos[0]["images"],
        "faces": demos[0]["faces"],
        "images_per_s": _spread([demo["images"] / demo["seconds"] for demo in demos]),
        "ratio": _spread(ratios),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
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
