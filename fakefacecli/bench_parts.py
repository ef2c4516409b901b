"""Parts of a scan under a clock, for `fakeface bench`."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fakefacecli.protocols import Classifier, Decoder, Detector
from fakefacecli.records import DecodedImage, Face, FaceCrop, Verdict


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
            with self._lock:
                self.seconds += spent


@dataclass(frozen=True, slots=True)
class TimedDecoder:
    """A Decoder that adds up what its processes say they spent."""

    part: Decoder
    clock: Clock

    def decode(self, items: Iterable[Any]) -> Iterator[Any]:
        for answer in self.part.decode(items):
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

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
        with self.clock.running():
            return self.part.classify(crops)
