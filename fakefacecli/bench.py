"""How fast this machine judges a folder, what each stage takes of it, and what it waits for."""

import contextlib
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fakefacecli import demo_loop
from fakefacecli.bench_parts import Clock, TimedClassifier, TimedDecoder, TimedDetector
from fakefacecli.build import build, usable_cores, versions
from fakefacecli.errors import FakeFaceError, NothingToDo
from fakefacecli.models.bundled import find_model
from fakefacecli.options import ReportTarget, ScanOptions
from fakefacecli.output import Output
from fakefacecli.pipeline import Stages, scan
from fakefacecli.records import ImageRef, Status
from fakefacecli.stages.source import PathSource
from fakefacecli.text import printable

WARM_UP = 8  # images before the first run: libraries prepare themselves at first use
STAGES = ("decode", "detect", "judge", "write")


@dataclass(frozen=True, slots=True)
class Run:
    """One scan of all images: seconds from the first to the last row, and by stage."""

    images: int
    unreadable: int
    faces: int
    seconds: float
    ceiling_s: float  # what decoding alone takes
    busy_s: dict[str, float]  # summed over the threads or processes of a stage


def bench(
    options: ScanOptions,
    repeats: int,
    limit: int | None,
    against_demo_loop: bool,
    stop: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Scan the sources, or their first `limit` images, `repeats` times; the figures.

    With `against_demo_loop` the demo's loop runs in turn with the scans. Start-up and a warm-up
    are left out. Raises what a scan raises.
    """
    refs = [item for item in PathSource(options.source) if isinstance(item, ImageRef)][:limit]
    if not refs:
        raise NothingToDo("no image found in the inputs; there is nothing to measure")
    began = time.perf_counter()
    stages, device = build(options, find_model(options.model), stop)
    load_s = time.perf_counter() - began
    runs, demos = [], []
    with contextlib.closing(stages.decoder), tempfile.TemporaryDirectory() as folder:
        written = dataclasses.replace(
            options, reports=(ReportTarget(os.path.join(folder, "bench.csv"), "csv"),)
        )
        _one(refs[:WARM_UP], stages, written, stop)
        before_mb = _peak_mb()
        for number in range(1, repeats + 1):
            say(f"run {number} of {repeats}")
            runs.append(_one(refs, stages, written, stop))
            if against_demo_loop:
                say(f"the demo's loop, run {number} of {repeats}")
                demos.append(_demo(refs, device))
    memory = {"peak_mb": _peak_mb(), "before_mb": before_mb, "gpu_peak_mb": _gpu_mb(device)}
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
        "end_to_end": _rates(runs, [run.seconds for run in runs]),
        "decode_only": _rates(runs, [run.ceiling_s for run in runs]),
        "stages": {name: _stage(name, runs, stages, options) for name in STAGES},
        "memory": memory,
        "demo_loop": _compared(runs, demos) if demos else None,
    }


def _one(
    refs: Sequence[ImageRef], stages: Stages, options: ScanOptions, stop: Callable[[], None]
) -> Run:
    began = time.perf_counter()
    for _ in stages.decoder.decode(refs):
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
        for report in scan(refs, timed, options.batch_size, stop):
            with writing.running():
                output.take(report)
            faces += len(report.findings)
            unreadable += report.status is Status.ERROR
        with writing.running():
            output.commit({})
    seconds = time.perf_counter() - began
    clocks = (decoding, detecting, judging, writing)
    busy = {name: clock.seconds for name, clock in zip(STAGES, clocks, strict=True)}
    return Run(len(refs), unreadable, faces, seconds, ceiling_s, busy)


def _demo(refs: Sequence[ImageRef], device: str) -> dict[str, float]:
    """One run of the demo's loop in a process of its own, as it was: without our settings."""
    ours = ("OMP_WAIT_POLICY", "THP_MEM_ALLOC_ENABLE")
    done = subprocess.run(  # noqa: S603  (our own interpreter and code)
        [sys.executable, "-m", demo_loop.__name__, device],
        input=b"".join(os.fsencode(ref.path) + b"\0" for ref in refs),
        capture_output=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in ours},
    )
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise FakeFaceError(f"the demo's loop failed: {printable(' '.join(why))}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _rates(runs: Sequence[Run], seconds: Sequence[float]) -> dict[str, Any]:
    pairs = list(zip(runs, seconds, strict=True))
    return {
        "seconds": _spread(seconds),
        "images_per_s": _spread([run.images / spent for run, spent in pairs]),
        "faces_per_s": _spread([run.faces / spent for run, spent in pairs]),
    }


def _stage(name: str, runs: Sequence[Run], stages: Stages, options: ScanOptions) -> dict[str, Any]:
    """Rates of a stage if it had its threads or processes for itself; its share of their time."""
    hands = {"decode": options.workers, "write": 1}.get(name, stages.lanes)
    alone = [max(run.busy_s[name] / hands, 1e-9) for run in runs]
    share = [spent / run.seconds for run, spent in zip(runs, alone, strict=True)]
    return {"hands": hands, **_rates(runs, alone), "share_of_time": _spread(share)}


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


def _peak_mb() -> float:
    """The most memory this process ever held, in MB of 2**20 bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _gpu_mb(device: str) -> float | None:
    import torch

    return torch.cuda.max_memory_allocated(device) / (1 << 20) if "cuda" in device else None
