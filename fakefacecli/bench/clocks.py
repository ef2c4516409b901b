"""Stages of a scan that measure their time, and the memory of processes, for `fakeface bench`."""

import contextlib
import glob
import os
import resource
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.protocols import Classifier, Decoder, Detector
from fakefacecli.base.records import DecodedImage, Face, FaceView
from fakefacecli.base.verdicts import Verdict


class Clock:
    """Adds up the seconds that any number of threads spend inside it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            # lanes end at the same time, and += is not one step
            with self._lock:
                self.seconds += spent


@dataclass(frozen=True, slots=True)
class TimedDecoder:
    """A Decoder that adds up the times which its processes report."""

    part: Decoder
    clock: Clock

    def decode(self, items: Iterable[Any]) -> Iterator[Any]:
        for answer in self.part.decode(items):
            # a clock around the loop would measure the wait for other processes instead
            self.clock.seconds += getattr(answer, "decode_ms", 0.0) / 1000
            yield answer

    def close(self) -> None:
        self.part.close()


@dataclass(frozen=True, slots=True)
class TimedDetector:
    """A Detector under a clock."""

    part: Detector
    clock: Clock

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        with self.clock.running():
            return self.part.detect(images)


@dataclass(frozen=True, slots=True)
class TimedClassifier:
    """A Classifier under a clock."""

    part: Classifier
    clock: Clock

    def classify(self, crops: Sequence[FaceView]) -> list[Verdict]:
        with self.clock.running():
            return self.part.classify(crops)


def peak_mb() -> float:
    """The most memory this process ever held, in MB of 2**20 bytes."""
    # from /proc where there is one: on Linux the figure of getrusage includes the memory of the
    # program that started this one
    if (most := _peak_mb_of("self")) is not None:
        return most
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def offspring_peak_mb() -> float | None:
    """The most memory each child process ever held, added up; None where there is no /proc."""
    peaks = []
    for path in glob.glob(f"/proc/{os.getpid()}/task/*/children"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as listed:
            peaks += [_peak_mb_of(child) for child in listed.read().split()]
    return sum(filter(None, peaks)) or None


def _peak_mb_of(process: str) -> float | None:
    with contextlib.suppress(OSError), open(f"/proc/{process}/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / (1 << 10)
    return None
