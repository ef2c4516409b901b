"""Judging faces under every degradation: all cores degrade while the model judges."""

import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fakefacecli.base.records import FaceCrop
from fakefacecli.base.threads import ahead
from fakefacecli.base.verdicts import Reason
from fakefacecli.evaluate.degrade import Degradation
from fakefacecli.labelled.faces import FoundFace
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.classify import TorchClassifier, unfit
from fakefacecli.scan.machine import usable_cores


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scan would go by: a face's size in px, its logit, and why it is not to be judged."""

    face_px: float
    logit: float
    unfit: Reason | None = None


def judge_degraded(
    batch: Sequence[FoundFace],
    classifier: TorchClassifier,
    degradations: Sequence[Degradation],
    stop: Callable[[], None],
) -> list[tuple[Scored, ...]]:
    """For each face of a batch what is said of it under each degradation."""
    rule = classifier.card.window
    pieces = ((cell, face) for cell in degradations for face in batch)
    rows: list[tuple[Scored, ...]] = [()] * len(batch)
    # at most two cells' crops at a time: one is judged while the next is made
    with contextlib.closing(
        ahead(lambda piece: piece[0](piece[1], rule), pieces, usable_cores(), len(batch))
    ) as made:
        for _ in degradations:
            stop()
            crops = list(itertools.islice(made, len(batch)))
            logits = classifier.logits(crops)
            rows = [
                (*row, _scored(face, crop, logit, rule))
                for row, face, crop, logit in zip(rows, batch, crops, logits, strict=True)
            ]
    return rows


def _scored(found: FoundFace, crop: FaceCrop, logit: float, rule: WindowRule) -> Scored:
    grown = crop.face.box.longer_side / found.crop.face.box.longer_side
    return Scored(found.face_px * grown, logit, unfit(crop, rule))
