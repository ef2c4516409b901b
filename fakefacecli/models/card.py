"""The card of a model: how a face must be fed to it and how its answer is read.

The card travels inside the checkpoint, so preprocessing is never a flag.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fakefacecli.errors import ModelRefused
from fakefacecli.records import Thresholds

# the only conventions this version can reproduce exactly; any other value is refused, not guessed
_KNOWN = {
    "channels": "rgb",
    "resize": "bicubic, antialiased",
    "positive": "fake",
    "outputs": 1,
}
_KNOWN_CROP = {
    "side": "longer side of the detector's box",
    "centre": "centre of the box",
    "outside": "edge pixels repeated",
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling (Platt 1999): p_fake = sigmoid(a * logit + b)."""

    method: str
    a: float
    b: float
    fitted_on: str = ""

    def probability(self, logit: float) -> float:
        """The calibrated probability in [0, 1] of a raw score."""
        z = self.a * logit + self.b
        # either branch keeps exp() from overflowing
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a checkpoint says of itself.

    A face is a square window of `crop_scale` times the longer side of its box, resized to
    `input_px`, less `mean`, over `std` (grey levels 0..255). Faces whose box is under
    `min_face_px` are too small to judge.
    """

    name: str
    backbone: str
    input_px: int
    mean: float
    std: float
    crop_scale: float
    calibration: Calibration
    thresholds: Thresholds
    min_face_px: int
    trained_on: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)


def parse_card(text: str, where: str) -> ModelCard:
    """Read a card's JSON; `where` names the file in errors.

    Raises ModelRefused for anything missing, of the wrong type, out of range or unknown.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelRefused(f"{where}: its card is not JSON; wanted a fakeface checkpoint") from None
    try:
        crop, calibration, thresholds = raw["crop"], raw["calibration"], raw["thresholds"]
        _check_known(where, raw, _KNOWN)
        _check_known(where, crop, _KNOWN_CROP)
        card = ModelCard(
            name=str(raw["name"]),
            backbone=str(raw["backbone"]),
            input_px=int(raw["input_px"]),
            mean=_finite(raw["mean"]),
            std=_finite(raw["std"]),
            crop_scale=_finite(crop["scale"]),
            calibration=_read_calibration(calibration),
            thresholds=Thresholds(_finite(thresholds["low"]), _finite(thresholds["high"])),
            min_face_px=int(raw["min_face_px"]),
            trained_on=str(raw.get("trained_on", "")),
            measured=dict(raw.get("measured", {})),
        )
    except KeyError as error:
        raise ModelRefused(f"{where}: its card has no {error.args[0]!r}; the file is damaged "
                           "or not a fakeface checkpoint") from None  # fmt: skip
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelRefused(f"{where}: its card is malformed ({error})") from None
    _check_ranges(where, card)
    return card


def _read_calibration(raw: Mapping[str, Any]) -> Calibration:
    if raw["method"] != "platt":
        raise ValueError(f"calibration {raw['method']!r} found, wanted 'platt'")
    a, b = _finite(raw["a"]), _finite(raw["b"])
    if a <= 0:
        raise ValueError(f"calibration slope {a} found, wanted more than 0")
    return Calibration("platt", a, b, str(raw.get("fitted_on", "")))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} found, wanted a finite number")
    return number


def _check_known(where: str, raw: Mapping[str, Any], known: Mapping[str, object]) -> None:
    for key, wanted in known.items():
        if raw[key] != wanted:
            raise ModelRefused(
                f"{where}: its card says {key} {raw[key]!r}, this version knows only {wanted!r}; "
                "a newer fakeface may read it"
            )


def _check_ranges(where: str, card: ModelCard) -> None:
    ranges = {
        "input_px": (card.input_px, 16, 1024),
        "std": (card.std, 1e-6, 1e6),
        "crop scale": (card.crop_scale, 0.1, 10),
        "min_face_px": (card.min_face_px, 1, 10_000),
    }
    for key, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ModelRefused(f"{where}: its card says {key} {value}, wanted {low}..{high}")
