"""An evaluation and a comparison as records, and the JSON that both are written as."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fakefacecli import __version__
from fakefacecli.base.text import in_json, printable
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.figures.results import (
    Difference,
    Estimate,
    RobustnessRow,
    SliceRow,
    Verdicts,
)
from fakefacecli.models.calibration import Calibration

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What was measured; `card_measured` is what the model's own card says of other sets."""

    name: str
    sha256: str
    backbone: str
    calibration: Calibration
    thresholds: Thresholds
    min_face_px: int
    card_measured: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MissedImage:
    """An image that gave no face, and why; `unreadable` if it could not be looked at."""

    path: str
    why: str
    unreadable: bool


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """A number of something for each of the two classes."""

    real: int
    fake: int


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a model was measured on; `sha256` identifies the set of files and labels.

    `clusters` are the groups that intervals resample, an image without a group being its own.
    """

    sha256: str
    faces: int
    real: int
    fake: int
    clusters: ClassCounts
    splits: dict[str, int]
    without_a_face: tuple[MissedImage, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things took on average; judging counts the plain faces only."""

    device: str
    reading_ms_per_image: float
    judging_ms_per_face: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A face on the wrong side of p_fake 0.5."""

    path: str
    face: int
    label: str
    p_fake: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of one model; `robustness` is empty where no face was degraded.

    `measures_by_image` are the same values with intervals that resample images, not groups.
    """

    model: ModelFacts
    data: DataFacts
    resamples: int
    measures: dict[str, Estimate]
    measures_by_image: dict[str, Estimate]
    verdicts: Verdicts
    slices: dict[str, tuple[SliceRow, ...]]
    robustness: tuple[RobustnessRow, ...]
    time: Timing
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models side by side on the `compared` faces that both were given."""

    models: tuple[ModelFacts, ModelFacts]
    data: DataFacts
    compared: int
    resamples: int
    measures: dict[str, Difference]
    more_by_image: dict[str, Estimate]
    judging_ms_per_face: tuple[float, float]


def evaluation_json(found: Evaluation) -> bytes:
    """The evaluation as it is written."""
    return _dump(
        asdict(found)
        | {
            "model": _model(found.model),
            "data": _data(found.data),
            "robustness": [_robustness(row) for row in found.robustness],
            "mistakes": [asdict(mistake) | _path(mistake.path) for mistake in found.mistakes],
        }
    )


def comparison_json(found: Comparison) -> bytes:
    """The comparison as it is written."""
    return _dump(
        {
            "models": [_model(model) for model in found.models],
            "data": _data(found.data) | {"compared": found.compared},
            "resamples": found.resamples,
            "measures": {
                name: asdict(row) | {"clear": row.clear} for name, row in found.measures.items()
            },
            "more_by_image": {name: asdict(row) for name, row in found.more_by_image.items()},
            "judging_ms_per_face": found.judging_ms_per_face,
        }
    )


def _model(model: ModelFacts) -> dict[str, Any]:
    calibration = model.calibration.facts() | {"state": model.calibration.state}
    return asdict(model) | {"name": printable(model.name), "calibration": calibration}


def _data(data: DataFacts) -> dict[str, Any]:
    missed = [
        asdict(image) | _path(image.path) | {"why": printable(image.why)}
        for image in data.without_a_face
    ]
    return asdict(data) | {"without_a_face": missed}


def _path(name: str) -> dict[str, str]:
    path, data = in_json(name)
    return {"path": path, "path_bytes": data} if data else {"path": path}


def _robustness(row: RobustnessRow) -> dict[str, Any]:
    """The measures are keys of the row itself; "tpr_at_fpr_0.01" cannot be a field's name."""
    return {
        "family": row.family,
        "strength": row.strength,
        **{name: asdict(value) for name, value in row.measures.items()},
        "real_at_high": asdict(row.real_at_high),
        "fake_at_high": asdict(row.fake_at_high),
        "real_flagged": asdict(row.real_flagged),
        "real_between": asdict(row.real_between),
        "real_inconclusive": asdict(row.real_inconclusive),
    }


def _dump(facts: dict[str, Any]) -> bytes:
    header = {"schema_version": SCHEMA_VERSION, "tool": "fakeface", "tool_version": __version__}
    # NaN is no JSON: what is not defined has become None before (`bootstrap.number`)
    return (json.dumps(header | facts, indent=2, allow_nan=False) + "\n").encode()
