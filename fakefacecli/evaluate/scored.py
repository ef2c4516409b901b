"""Labelled faces with the logits a model gave them, plain and degraded."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Reason, Thresholds, Verdict
from fakefacecli.evaluate.bootstrap import Clusters
from fakefacecli.evaluate.degrade import Degradation
from fakefacecli.evaluate.fit import probabilities
from fakefacecli.evaluate.grid import Scored, judge_degraded
from fakefacecli.evidence.jpeg import read_quality
from fakefacecli.figures.metrics import Mask, Numbers
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FoundFace, Missed
from fakefacecli.models.judge import AnyCard
from fakefacecli.scan.classify import TorchClassifier, unfit, verdict_of

if TYPE_CHECKING:
    import pandas as pd

_AT_ONCE = 64  # faces


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """Face `number` of an image: its size in px, the JPEG quality of its file, its logits.

    `sha256` is that of the file. `unfit` is why a scan would not judge the face whatever its logit,
    if it would not. `degraded` has the same of each degradation, in their order. `opinions` are
    the logits of a judge's members; of a single network, its own.
    """

    image: LabelledImage
    number: int
    face_px: float
    quality: int | None
    sha256: str
    logit: float
    degraded: tuple[Scored, ...] = ()
    unfit: Reason | None = None
    opinions: tuple[float, ...] = ()

    def scored(self, degradation: int | None = None) -> Scored:
        """The face as it is, or under a degradation, counted from 0."""
        if degradation is None:
            return Scored(self.face_px, self.logit, self.unfit)
        return self.degraded[degradation]


@dataclass(slots=True)
class Judged:
    """All faces of a set, the images without one, and the seconds that finding and judging took.

    Judging counts the plain faces only.
    """

    faces: list[JudgedFace] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    reading_s: float = 0.0
    judging_s: float = 0.0

    @property
    def fake(self) -> Mask:
        """Which faces are fakes, (n,)."""
        return np.array([face.image.fake for face in self.faces], bool)

    def sha256(self) -> str:
        """What set this is: the sha256 of all files' hashes, labels and face numbers, sorted."""
        # without paths, sorted: a copy of the set in another folder or order is the same set
        lines = sorted(f"{f.sha256} {int(f.image.fake)} {f.number}\n" for f in self.faces)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def logits(self, degradation: int | None = None) -> Numbers:
        """The plain logits (n,), or those of a degradation, counted from 0."""
        return np.array([face.scored(degradation).logit for face in self.faces], np.float64)

    def clusters(self, groups: bool = True) -> Clusters:
        """A number for each face (n,), the same for faces that are not independent of each other.

        These are the faces of one group, or of one image where no group is known, and everywhere
        if `groups` is false.
        """
        images = [face.image for face in self.faces]
        # the flag comes first, as a group may be named like another image's path
        names = [
            (bool(groups and i.group), i.group if groups and i.group else i.path) for i in images
        ]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], np.intp)

    def p_fake(self, card: AnyCard, degradation: int | None = None) -> Numbers:
        """The card's probabilities (n,) of those logits."""
        return probabilities(card.calibration, self.logits(degradation))

    def table(self, card: AnyCard) -> "pd.DataFrame":
        """A row for each face, in order; paths and names are escaped (`printable`).

        Columns: path, face, label, group, generator, split, face_px, jpeg_quality (NA where the
        file is no JPEG), sha256, logit, p_fake.
        """
        import pandas as pd

        images = [face.image for face in self.faces]
        return pd.DataFrame(
            {
                "path": [printable(image.path) for image in images],
                "face": [face.number for face in self.faces],
                "label": ["fake" if image.fake else "real" for image in images],
                "group": [printable(image.group) for image in images],
                "generator": [printable(image.generator) for image in images],
                "split": [image.split for image in images],
                "face_px": [face.face_px for face in self.faces],
                "jpeg_quality": pd.array([face.quality for face in self.faces], dtype="Int64"),
                "sha256": [face.sha256 for face in self.faces],
                "logit": self.logits(),
                "p_fake": self.p_fake(card),
            }
        )

    def verdicts(
        self, card: AnyCard, thresholds: Thresholds, degradation: int | None = None
    ) -> list[Verdict]:
        """What a scan says of each face, as it is or under a degradation."""
        seen = [face.scored(degradation) for face in self.faces]
        return [
            verdict_of(p, thresholds, face.face_px, card.min_face_px, face.unfit)
            for face, p in zip(seen, self.p_fake(card, degradation).tolist(), strict=True)
        ]


def score_faces(
    found: Iterable[FoundFace | Missed],
    classifier: TorchClassifier,
    degradations: Sequence[Degradation] = (),
    stop: Callable[[], None] = lambda: None,
) -> Judged:
    """Judge every face; no pixels are kept. `stop` is called between steps and may raise.

    Faces are degraded on all cores while those before them are judged.
    """
    judged = Judged()
    for batch in _batches(found, judged):
        crops = [face.crop for face in batch]
        started = time.monotonic()
        said = classifier.opinions(crops)
        # the plain faces alone: this is the time that a scan takes
        judged.judging_s += time.monotonic() - started
        rows = judge_degraded(batch, classifier, degradations, stop)
        for face, opinions, row in zip(batch, said, rows, strict=True):
            judged.faces.append(
                JudgedFace(
                    image=face.image,
                    number=face.crop.number,
                    face_px=face.face_px,
                    quality=read_quality(face.image.path),
                    sha256=face.photo.facts.sha256 or "",
                    logit=classifier.fused(opinions),
                    opinions=opinions,
                    degraded=row,
                    unfit=unfit(face.crop, classifier.card.window),
                )
            )
    return judged


def _batches(found: Iterable[FoundFace | Missed], judged: Judged) -> Iterator[list[FoundFace]]:
    faces = iter(found)
    while True:
        started = time.monotonic()
        part = list(itertools.islice(faces, _AT_ONCE))
        judged.reading_s += time.monotonic() - started
        if not part:
            return
        judged.missed += [item for item in part if isinstance(item, Missed)]
        if batch := [item for item in part if isinstance(item, FoundFace)]:
            yield batch
