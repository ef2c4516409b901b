"""Small true values for tests, and the tiniest parts that keep the contracts of protocols.py."""

import hashlib
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.records import (
    Box,
    DecodedImage,
    Face,
    FaceCrop,
    FileFacts,
    Heatmap,
    ImageRef,
    Unreadable,
)
from fakefacecli.base.verdicts import ErrorCode, Label, Reason, Status, Thresholds, Verdict

ROOT = pathlib.Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "tests" / "data" / "photos"
PHOTO = PHOTOS / "official_003.jpg"
SHARED = ROOT.parent / "shared"
THRESHOLDS = Thresholds(0.25, 0.9)


def ref(index: int = 0, name: str = "a.jpg") -> ImageRef:
    return ImageRef(index, f"in/{name}", name)


def put(path: pathlib.Path, size: int = 240) -> pathlib.Path:
    """A small photograph of a face at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(PHOTO) as picture:
        picture.resize((size, size)).save(path, "JPEG")
    return path


def image(index: int = 0, name: str = "a.jpg", size: tuple[int, int] = (8, 8)) -> DecodedImage:
    pixels = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
    facts = FileFacts(hashlib.sha256(name.encode()).hexdigest(), 100, 5, "JPEG")
    return DecodedImage(ref(index, name), pixels, facts)


def face(left: float = 1, top: float = 1, side: float = 4, score: float = 0.99) -> Face:
    box = Box(left, top, left + side, top + side)
    return Face(box, np.full((5, 2), left + side / 2, np.float32), score)


def verdict(probability: float = 0.95) -> Verdict:
    if probability >= THRESHOLDS.high:
        return Verdict(probability, THRESHOLDS, Label.FLAGGED, Reason.ABOVE_HIGH)
    if probability < THRESHOLDS.low:
        return Verdict(probability, THRESHOLDS, Label.NOT_FLAGGED, Reason.BELOW_LOW)
    return Verdict(probability, THRESHOLDS, Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS)


def finding(probability: float = 0.95, overlay: str | None = None) -> FaceFinding:
    return FaceFinding(Box(10.123, 20, 110, 140.5), 0.999, verdict(probability), overlay)


def report(*probabilities: float, index: int = 0, name: str = "a.jpg") -> ImageReport:
    return ImageReport(
        ref(index, name),
        Status.OK if probabilities else Status.NO_FACE,
        width=640,
        height=480,
        orientation=1,
        facts=FileFacts("0" * 64, 1234, 99, "JPEG"),
        findings=tuple(map(finding, probabilities)),
        elapsed_ms=12.34,
    )


def error(
    code: ErrorCode = ErrorCode.TRUNCATED, index: int = 0, name: str = "b.jpg"
) -> ImageReport:
    return ImageReport(ref(index, name), Status.ERROR, code=code, message="the file ends early")


class FakeDecoder:
    """Makes a picture of every ref; a name that starts with "bad" is unreadable."""

    def decode(self, items: Iterable[object]) -> Iterator[object]:
        for item in items:
            if isinstance(item, ImageRef) and item.name.startswith("bad"):
                yield Unreadable(item, ErrorCode.CORRUPT, "does not decode")
            elif isinstance(item, ImageRef):
                yield DecodedImage(item, image(item.index).pixels)
            else:
                yield item

    def close(self) -> None:
        pass


class FakeDetector:
    """Finds as many faces as the first pixel's red value says, modulo 3."""

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        return [
            tuple(face(left=number) for number in range(int(item.pixels[0, 0, 0]) % 3))
            for item in images
        ]


class FakeClassifier:
    """p_fake is the crop's mean grey level over 255."""

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
        return [verdict(float(crop.pixels.mean()) / 255) for crop in crops]


class FakeExplainer:
    """Heat everywhere."""

    def explain(self, crops: Sequence[FaceCrop], verdicts: Sequence[Verdict]) -> list[Heatmap]:
        return [Heatmap(np.ones(crop.pixels.shape[:2], np.float32)) for crop in crops]
