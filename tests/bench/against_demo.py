"""How many times as fast as the original demo's loop a scan is.

    python -m tests.bench.against_demo FOLDER [--model NAME] [--runs N] [--limit N] [--device NAME]
        [--precision NAME] [--plain] [--json FILE]

Each run measures a scan of the folder as `fakeface bench` does, then the demo's loop on the same
images, so that both meet the same moods of the machine. With --plain the scan leaves out what the
loop does not do: the second detector, turned pictures, changed copies of flagged faces, claims.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fakefacecli.base.child import interpreter
from fakefacecli.base.errors import FakeFaceError
from fakefacecli.base.options import (
    DEFAULT_NETWORK,
    DecodeOptions,
    Detectors,
    JudgeOptions,
    Precision,
    ScanOptions,
    SourceOptions,
    Stability,
    Turns,
)
from fakefacecli.base.records import ImageRef
from fakefacecli.base.text import printable
from fakefacecli.bench.run import Item, bench, spread
from fakefacecli.cli.console import complain, stoppable
from fakefacecli.scan.machine import default_workers
from fakefacecli.scan.source import PathSource

_DEMO = "from tests.bench.demo_loop import main; main()"
_STEP_S = 0.1  # how long the demo's loop runs before we look whether it should


def against_demo(
    options: ScanOptions, repeats: int, limit: int | None, stop: Callable[[], None]
) -> dict[str, Any]:
    """What `bench` says of the last run, and under "demo_loop" how the demo's loop compares."""
    items = list(itertools.islice(PathSource(options.source), limit))
    scans, demos = [], []
    for number in range(1, repeats + 1):
        complain(f"run {number} of {repeats}")
        scans.append(bench(options, 1, limit, stop))
        complain(f"the demo's loop, run {number} of {repeats}")
        demos.append(run_demo(items, scans[-1]["settings"]["device"], stop))
    ours = [scan["end_to_end"]["images_per_s"]["median"] for scan in scans]
    theirs = [demo["images"] / demo["seconds"] for demo in demos]
    return {
        **scans[-1],
        "images_per_s": spread(ours),
        "demo_loop": {
            "images": demos[0]["images"],
            "faces": demos[0]["faces"],
            "images_per_s": spread(theirs),
            "ratio": spread([a / b for a, b in zip(ours, theirs, strict=True)]),
        },
    }


def run_demo(items: Sequence[Item], device: str, stop: Callable[[], None]) -> dict[str, float]:
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
        process = subprocess.Popen(
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
            raise FakeFaceError(f"the demo's loop failed: {printable(' '.join(why))}")
        found: dict[str, float] = json.load(said)
    return found


def words(values: dict[str, float]) -> str:
    return f"{values['median']:.1f} ({values['least']:.1f} to {values['most']:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--model", default=DEFAULT_NETWORK)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", type=Precision, default=Precision.AUTO)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    options = ScanOptions(
        SourceOptions((given.folder,)),
        judge=JudgeOptions(given.model, device=given.device, precision=given.precision),
        decode=DecodeOptions(default_workers(given.device)),
    )
    if given.plain:
        judge = replace(options.judge, detector=Detectors.MTCNN, turns=Turns.NEVER)
        claims = replace(options.evidence, stability=Stability.OFF, provenance=False)
        options = replace(options, judge=judge, evidence=claims)
    try:
        with stoppable(last_words="nothing was written") as stop:
            found = against_demo(options, given.runs, given.limit, stop)
    except FakeFaceError as error:
        complain(str(error))
        sys.exit(int(error.exit_code))
    demo = found["demo_loop"]
    print(f"fakeface: {words(found['images_per_s'])} images/s, {found['faces']} faces")
    print(f"the demo's loop: {words(demo['images_per_s'])} images/s, {demo['faces']} faces")
    print(f"fakeface is {words(demo['ratio'])} times as fast")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    # as `fakeface` starts itself
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    main()
