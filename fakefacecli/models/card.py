"""The card of a model: how a face must be fed to it and how its answer is read.

The card travels inside the checkpoint, so preprocessing is never a flag.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.calibration import Calibration, finite, read_calibration
from fakefacecli.models.window import (
    SIDES,
    WindowRule,
    check_known,
    read_window,
    window_of_network,
)

# the only conventions this version can reproduce exactly; any other value is refused, not guessed
CHANNELS = ("rgb", "ela")
RESIZES = ("bicubic, antialiased", "bilinear, antialiased")
HEADS = ("linear", "1000-500")
LEVELS = (255, 1)
_KNOWN = {"positive": "fake", "outputs": 1}
_KNOWN_CROP = {"centre": "centre of the box", "outside": "edge pixels repeated"}
# what a network sees is a part of a larger window. A reader that knows no windows refuses this,
# and does not feed such a network wrongly
_KNOWN_PART = {**_KNOWN_CROP, "centre": "middle of the window"}

Triple = tuple[float, float, float]

# of red, green and blue in 0..1: what torchvision's and most of timm's public weights were fed with
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
# of grey levels 0..255: what InceptionResnetV1 was published with (facenet-pytorch)
FACENET_MEAN: Triple = (127.5, 127.5, 127.5)
FACENET_STD: Triple = (128.0, 128.0, 128.0)


# what a network sees of a face's window: its middle, resized; or its middle pixel by pixel
VIEWS = ("window", "native")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a checkpoint says of itself.

    A face is a window of `crop_scale` times the longer side of its box, or with `stretch` times
    each of its sides. It is resized by `resize` to `input_px` (first to `via_px` if that is not
    0), turned into an Error Level Analysis if `channels` is "ela"; grey levels 0..`levels`, less
    `mean`, over `std` (of red, green, blue). `head` tells the last layers apart. Faces whose box
    is under `min_face_px` are too small to judge.

    With a `rule` (every member of a judge has one) the window is cut as that says, and is larger
    than what the network looks at: with `view` "window" it sees the middle of it, `crop_scale`
    times the box; with "native" its middle `input_px` pixels as they are.
    """

    name: str
    backbone: str
    input_px: int
    mean: Triple
    std: Triple
    crop_scale: float
    calibration: Calibration
    thresholds: Thresholds
    min_face_px: int
    trained_on: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    channels: str = "rgb"
    resize: str = RESIZES[0]
    via_px: int = 0
    levels: int = 255
    stretch: bool = False
    head: str = "linear"
    meaning: str = ""  # of the thresholds
    view: str = VIEWS[0]
    rule: WindowRule | None = None

    def in_grey_levels(self) -> "ModelCard":
        """The same feeding, said of grey levels 0..255, as the cards of judges say it."""
        # (grey / 255 - mean) / std is (grey - 255 mean) / (255 std)
        times = 255 // self.levels
        mean, std = (triple(value * times for value in of) for of in (self.mean, self.std))
        return replace(self, mean=mean, std=std, levels=255)

    @property
    def window(self) -> WindowRule:
        """What is cut out of a photograph for a face."""
        return self.rule or window_of_network(self.crop_scale)

    @property
    def span(self) -> float:
        """The window over the box, of which the network sees a part; 0: it sees all of it."""
        return self.rule.span if self.rule else 0.0


def parse_card(text: str, where: str) -> ModelCard:
    """Read a card's JSON; `where` names the file in errors.

    Raises ModelRefused for anything missing, of the wrong type, out of range or unknown.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelRefused(f"{where}: its card is not JSON; wanted a fakeface checkpoint") from None
    try:
        card = _read(raw, where)
    except KeyError as error:
        raise ModelRefused(
            f"{where}: its card has no {error.args[0]!r}; the file is damaged "
            "or not a fakeface checkpoint"
        ) from None
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelRefused(f"{where}: its card is malformed ({error})") from None
    check_ranges(where, card)
    return card


def card_json(card: ModelCard) -> str:
    """The JSON that `parse_card` reads back as `card`."""
    thresholds = {"low": card.thresholds.low, "high": card.thresholds.high}
    facts = {
        "name": card.name,
        "backbone": card.backbone,
        "head": card.head,
        "input_px": card.input_px,
        "via_px": card.via_px,
        "levels": card.levels,
        "mean": list(card.mean),
        "std": list(card.std),
        "channels": card.channels,
        "resize": card.resize,
        **_KNOWN,
        "crop": {"scale": card.crop_scale, "side": SIDES[card.stretch], **_KNOWN_CROP},
        **_window_facts(card),
        "calibration": card.calibration.facts(),
        "thresholds": thresholds | ({"meaning": card.meaning} if card.meaning else {}),
        "min_face_px": card.min_face_px,
        "trained_on": card.trained_on,
        "measured": dict(card.measured),
    }
    return json.dumps(facts, allow_nan=False)


def _window_facts(card: ModelCard) -> dict[str, object]:
    """What cards with a rule say besides; nothing in others, which stay what they were."""
    if card.rule is None:
        return {}
    crop = {"scale": card.crop_scale, "side": SIDES[0], **_KNOWN_PART}
    return {"crop": crop, "view": card.view, "window": card.rule.facts()}


def _read(raw: Mapping[str, Any], where: str) -> ModelCard:
    crop, thresholds = raw["crop"], raw["thresholds"]
    rule = read_window(raw["window"], where) if "window" in raw else None
    for known, part in ((_KNOWN, raw), (_KNOWN_PART if rule else _KNOWN_CROP, crop)):
        for key, wanted in known.items():
            check_known(where, key, part[key], (wanted,))
    return ModelCard(
        name=str(raw["name"]),
        backbone=str(raw["backbone"]),
        input_px=int(raw["input_px"]),
        mean=_triple(raw["mean"]),
        std=_triple(raw["std"]),
        crop_scale=finite(crop["scale"]),
        calibration=read_calibration(raw["calibration"]),
        thresholds=Thresholds(finite(thresholds["low"]), finite(thresholds["high"])),
        min_face_px=int(raw["min_face_px"]),
        trained_on=str(raw.get("trained_on", "")),
        measured=dict(raw.get("measured", {})),
        channels=check_known(where, "channels", raw["channels"], CHANNELS),
        resize=check_known(where, "resize", raw["resize"], RESIZES),
        via_px=int(raw.get("via_px", 0)),
        levels=check_known(where, "levels", raw.get("levels", 255), LEVELS),
        stretch=check_known(where, "side", crop["side"], SIDES[: 1 if rule else 2]) == SIDES[1],
        head=check_known(where, "head", raw.get("head", "linear"), HEADS),
        meaning=str(thresholds.get("meaning", "")),
        view=check_known(where, "view", raw["view"], VIEWS) if rule else VIEWS[0],
        rule=rule,
    )


def _triple(value: Any) -> Triple:
    """One number for all channels, or one for each."""
    return triple(value) if isinstance(value, list) else (finite(value),) * 3


def triple(values: Iterable[Any]) -> Triple:
    """Three numbers, of red, green and blue; TypeError or ValueError for anything else."""
    red, green, blue = map(finite, values)
    return red, green, blue


def check_ranges(where: str, card: ModelCard) -> None:
    """Raise ModelRefused for a number that no card of a network can hold."""
    ranges = {
        "input_px": (card.input_px, 16, 1024),
        "via_px": (card.via_px or card.input_px, 16, 1024),
        "std": (min(card.std), 1e-6, 1e6),
        "largest std": (max(card.std), 1e-6, 1e6),
        "crop scale": (card.crop_scale, 0.1, card.span or 10),
        "min_face_px": (card.min_face_px, 1, 10_000),
    }
    for key, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ModelRefused(f"{where}: its card says {key} {value}, wanted {low}..{high}")
