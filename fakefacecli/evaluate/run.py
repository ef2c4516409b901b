"""`fakeface evaluate`: a model measured on labelled images, as a folder of files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fakefacecli import __version__
from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.records import Thresholds
from fakefacecli.base.text import printable
from fakefacecli.evaluate import measure, pictures
from fakefacecli.evaluate.bootstrap import RESAMPLES
from fakefacecli.evaluate.degrade import GRID
from fakefacecli.evaluate.scored import Judged, score_faces
from fakefacecli.evaluate.slices import slices
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, Missed, read_faces
from fakefacecli.models.checkpoint import Checkpoint
from fakefacecli.scan.classify import TorchClassifier

Facts = dict[str, Any]
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an evaluation is to hold: `mistakes` of each kind and `sample` faces are shown."""

    grid: bool = True
    mistakes: int = 12
    sample: int = 40
    resamples: int = RESAMPLES


@dataclass(frozen=True, slots=True)
class Subject:
    """A model on the bench: its checkpoint, its parts ready to use, the device they run on."""

    checkpoint: Checkpoint
    classifier: TorchClassifier
    reader: FaceReader
    device: str

    @property
    def thresholds(self) -> Thresholds:
        """Those a scan would use."""
        return self.classifier.thresholds


def score_images(images: Sequence[LabelledImage], subject: Subject, grid: bool) -> Judged:
    """Find and judge every face; NothingToDo when there is none."""
    found = read_faces(images, subject.reader)
    judged = score_faces(found, subject.classifier, GRID if grid else (), subject.reader.stop)
    if not judged.faces:
        why = "; ".join(sorted({missed.why for missed in judged.missed})[:3])
        raise NothingToDo(f"no face in {len(images)} labelled images ({why})")
    return judged


def evaluate(judged: Judged, subject: Subject, wanted: Wanted) -> Facts:
    """Everything that is said of the model, fit for JSON."""
    card, thresholds = subject.checkpoint.card, subject.thresholds
    facts: Facts = {
        "schema_version": SCHEMA_VERSION,
        "tool": "fakeface",
        "tool_version": __version__,
        "model": model_facts(subject),
        "data": data_facts(judged),
        "resamples": wanted.resamples,
        "measures": measure.measures(judged, card, wanted.resamples),
        "measures_by_image": measure.measures(judged, card, wanted.resamples, groups=False),
        "verdicts": measure.verdicts(judged, card, thresholds, wanted.resamples),
        "slices": slices(judged, card, thresholds, wanted.resamples),
        "robustness": [],
        "time": {
            "device": subject.device,
            "reading_ms_per_image": 1000 * judged.reading_s / _images(judged),
            "judging_ms_per_face": 1000 * judged.judging_s / len(judged.faces),
        },
    }
    if wanted.grid:
        facts["robustness"] = measure.robustness(judged, card, GRID, wanted.resamples)
    alarms, misses = pictures.mistakes(judged, card, wanted.mistakes)
    verdicts = judged.verdicts(card, thresholds)
    facts["mistakes"] = [
        {
            "path": printable(judged.faces[place].image.path),
            "face": judged.faces[place].number,
            "label": "fake" if judged.faces[place].image.fake else "real",
            "p_fake": verdicts[place].fake_probability,
            "verdict": str(verdicts[place].label),
        }
        for place in (*alarms, *misses)
    ]
    return facts


def model_facts(subject: Subject) -> Facts:
    """What was measured."""
    card = subject.checkpoint.card
    return {
        "name": printable(card.name),
        "sha256": subject.checkpoint.sha256,
        "backbone": card.backbone,
        "calibration": card.calibration.facts() | {"state": card.calibration.state},
        "thresholds": asdict(subject.thresholds),
        "min_face_px": card.min_face_px,
        "card_measured": dict(card.measured),
    }


def data_facts(judged: Judged) -> Facts:
    """What it was measured on: `sha256` tells the set of files and labels.

    `clusters` are the groups that intervals resample, an image without one being its own.
    """
    fake, clusters = judged.fake, judged.clusters()
    splits = Counter(face.image.split or "(none)" for face in judged.faces)
    return {
        "sha256": judged.sha256(),
        "faces": len(judged.faces),
        "real": int((~fake).sum()),
        "fake": int(fake.sum()),
        "clusters": {
            "real": len(np.unique(clusters[~fake])),
            "fake": len(np.unique(clusters[fake])),
        },
        "splits": dict(sorted(splits.items())),
        "without_a_face": missed_facts(judged.missed),
    }


def missed_facts(missed: Sequence[Missed]) -> list[Facts]:
    """A row an image that gave no face."""
    return [
        {"path": printable(lost.image.path), "why": lost.why, "unreadable": lost.unreadable}
        for lost in missed
    ]


def _images(judged: Judged) -> int:
    return len({face.image.path for face in judged.faces}) + len(judged.missed)
