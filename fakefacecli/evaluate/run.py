"""`fakeface evaluate`: a model measured on labelled images, as a folder of files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.evaluate import measure, pictures
from fakefacecli.evaluate.bootstrap import RESAMPLES
from fakefacecli.evaluate.degrade import GRID
from fakefacecli.evaluate.evaluation import (
    ClassCounts,
    DataFacts,
    Evaluation,
    MissedImage,
    Mistake,
    ModelFacts,
    Timing,
)
from fakefacecli.evaluate.scored import Judged, score_faces
from fakefacecli.evaluate.slices import slices
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, Missed, read_faces
from fakefacecli.models.judge import AnyCheckpoint
from fakefacecli.scan.classify import TorchClassifier


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an evaluation is to hold: `mistakes` of each kind and `sample` faces are shown."""

    grid: bool = True
    mistakes: int = 12
    sample: int = 40
    resamples: int = RESAMPLES


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is measured: its checkpoint, its parts ready to use, the device they run on."""

    checkpoint: AnyCheckpoint
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


def evaluate(judged: Judged, subject: Subject, wanted: Wanted) -> Evaluation:
    """Measure the model on faces it has judged, in all the ways that are reported."""
    card, thresholds, resamples = subject.checkpoint.card, subject.thresholds, wanted.resamples
    return Evaluation(
        model=model_facts(subject),
        data=data_facts(judged),
        resamples=resamples,
        measures=measure.measures(judged, card, resamples),
        measures_by_image=measure.measures(judged, card, resamples, groups=False),
        verdicts=measure.verdicts(judged, card, thresholds, resamples),
        slices=slices(judged, card, thresholds, resamples),
        robustness=(
            measure.robustness(judged, card, thresholds, GRID, resamples) if wanted.grid else ()
        ),
        time=Timing(
            device=subject.device,
            reading_ms_per_image=1000 * judged.reading_s / _images(judged),
            judging_ms_per_face=1000 * judged.judging_s / len(judged.faces),
        ),
        mistakes=_mistakes(judged, subject, wanted.mistakes),
    )


def _mistakes(judged: Judged, subject: Subject, most: int) -> tuple[Mistake, ...]:
    card = subject.checkpoint.card
    alarms, misses = pictures.mistakes(judged, card, most)
    verdicts = judged.verdicts(card, subject.thresholds)
    return tuple(
        Mistake(
            path=judged.faces[place].image.path,
            face=judged.faces[place].number,
            label="fake" if judged.faces[place].image.fake else "real",
            p_fake=verdicts[place].fake_probability,
            verdict=str(verdicts[place].label),
        )
        for place in (*alarms, *misses)
    )


def model_facts(subject: Subject) -> ModelFacts:
    """The model that was measured."""
    card = subject.checkpoint.card
    return ModelFacts(
        name=card.name,
        sha256=subject.checkpoint.sha256,
        backbone=card.backbone,
        calibration=card.calibration,
        thresholds=subject.thresholds,
        min_face_px=card.min_face_px,
        card_measured=dict(card.measured),
    )


def data_facts(judged: Judged) -> DataFacts:
    """The faces that it was measured on."""
    fake, clusters = judged.fake, judged.clusters()
    splits = Counter(face.image.split or "(none)" for face in judged.faces)
    return DataFacts(
        sha256=judged.sha256(),
        faces=len(judged.faces),
        real=int((~fake).sum()),
        fake=int(fake.sum()),
        clusters=ClassCounts(
            real=len(np.unique(clusters[~fake])), fake=len(np.unique(clusters[fake]))
        ),
        splits=dict(sorted(splits.items())),
        without_a_face=missed_images(judged.missed),
    )


def missed_images(missed: Sequence[Missed]) -> tuple[MissedImage, ...]:
    """The images that gave no face, and why."""
    return tuple(MissedImage(lost.image.path, lost.why, lost.unreadable) for lost in missed)


def _images(judged: Judged) -> int:
    return len({face.image.path for face in judged.faces}) + len(judged.missed)
