"""`fakeface calibrate`: the same weights with a card whose probabilities and thresholds are new."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.text import counted, printable
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.evaluate.fit import fit, probabilities
from fakefacecli.evaluate.run import data_facts
from fakefacecli.evaluate.scored import Judged
from fakefacecli.evaluate.thresholds import BAND, MISSED, Choice, choose
from fakefacecli.figures.results import Estimate
from fakefacecli.models.calibration import Calibration, Method
from fakefacecli.models.card import ModelCard
from fakefacecli.models.checkpoint import Checkpoint, save, sha256_of

# held-out faces are kept for measuring, and scores of faces it has learnt from are too certain
SPLITS = ("", "val")
FACTS = "calibrated_on"  # where in a card's `measured` the facts stand
_CALIBRATED = re.compile(r"\.c[0-9a-f]{6}\Z")  # the end of a name that `_name` made
_BEFORE = "before this calibration: "


@dataclass(frozen=True, slots=True)
class FittedOn:
    """What a card says of the faces that its calibration and thresholds were fitted on."""

    sha256: str
    faces: int
    real: int
    fake: int
    without_a_face: int
    unreadable: int
    splits: dict[str, int]
    groups: list[str]

    def words(self) -> str:
        """The same in a line, without what was left out."""
        known = f" of {counted(len(self.groups), 'group')}" if self.groups else ""
        faces = f"{self.faces} faces ({self.real} real, {self.fake} fake)"
        return f"{faces}{known}, set {self.sha256[:16]}"


@dataclass(frozen=True, slots=True)
class AtHigh:
    """What a card says of its threshold HIGH: the shares of real and fake faces that reach it."""

    target_fpr: float
    fpr: Estimate
    tpr: Estimate
    interval: str = "95 %, Clopper and Pearson; on the faces the threshold was chosen on"


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The new card, the choice of thresholds, and how many faces were too small to count."""

    card: ModelCard
    choice: Choice
    faces: int
    too_small: int


def recalibrate(card: ModelCard, judged: Judged, method: Method, target_fpr: float) -> Recalibrated:
    """Fit `method` and choose thresholds on the judged faces that are large enough for the card.

    Raises UsageError for a held-out or training face, and when the faces are too few.
    """
    wrong = {face.image.split for face in judged.faces} - set(SPLITS)
    if wrong:
        raise UsageError(f"faces of split {', '.join(sorted(wrong))} found; calibrate on val")
    # a scan judges no smaller faces: they must not shape the curve, nor the thresholds
    kept = [face for face in judged.faces if face.face_px >= card.min_face_px]
    used = Judged(kept, judged.missed)
    facts = fitted_on(used)
    # thresholds come after the calibration, as they are probabilities of the new one
    calibration = fit(method, used.fake, used.logits(), facts.words())
    choice = choose(used.fake, probabilities(calibration, used.logits()), target_fpr)
    new = replace(
        card,
        name=_name(card, calibration, choice.thresholds),
        calibration=calibration,
        thresholds=choice.thresholds,
        meaning=meaning(choice),
        measured={FACTS: {**asdict(facts), **asdict(at_high(choice))}, **_older(card)},
    )
    return Recalibrated(new, choice, len(kept), len(judged.faces) - len(kept))


def fitted_on(used: Judged) -> FittedOn:
    """The facts of the faces `used`, and of the images that gave none."""
    about = data_facts(used)
    return FittedOn(
        sha256=about.sha256,
        faces=about.faces,
        real=about.real,
        fake=about.fake,
        without_a_face=len(about.without_a_face),
        unreadable=sum(missed.unreadable for missed in about.without_a_face),
        splits=about.splits,
        groups=sorted({printable(face.image.group) for face in used.faces if face.image.group}),
    )


def at_high(choice: Choice) -> AtHigh:
    """The facts of the threshold that was chosen."""
    return AtHigh(choice.target_fpr, choice.flagged_real, choice.flagged_fake)


def _older(card: ModelCard) -> dict[str, Any]:
    """What `card` says was measured, renamed: its numbers are of another calibration."""
    return {
        key if key.startswith(_BEFORE) else _BEFORE + key: value
        for key, value in card.measured.items()
        if key.removeprefix(_BEFORE) != FACTS
    }


def write_checkpoint(path: str, checkpoint: Checkpoint, card: ModelCard) -> None:
    """Save the weights of `checkpoint`, as they are, under a new card.

    Raises ModelRefused when its file has changed, CannotWrite when `path` cannot be written.
    """
    import safetensors.torch

    state = safetensors.torch.load_file(checkpoint.path)
    # after reading: so these weights are the ones that the faces were judged with
    if sha256_of(checkpoint.path) != checkpoint.sha256:
        raise ModelRefused(f"{checkpoint.path}: the file changed while it was read; try again")
    save(path, state, card)


def _name(card: ModelCard, calibration: Calibration, thresholds: Thresholds) -> str:
    """The name of `card` and six digits that change with the calibration and the thresholds.

    People tell models apart by their names, so two calibrations must not share one.
    """
    what = json.dumps([calibration.facts(), asdict(thresholds)], sort_keys=True)
    digest = hashlib.sha256(what.encode()).hexdigest()
    base = _CALIBRATED.sub("", card.name) if FACTS in card.measured else card.name
    return f"{base}.c{digest[:6]}"


def meaning(choice: Choice) -> str:
    """What a card says of its thresholds."""
    found = choice.flagged_real
    return (
        f"high: at most {100 * choice.target_fpr:g} % of the real faces reach it "
        f"({100 * (found.value or 0):.2f} % did; 95 % interval {100 * (found.low or 0):.2f} "
        f"to {100 * (found.high or 0):.2f} %), and on average no more of new ones like them; low: "
        f"at most {100 * MISSED:g} % of the fakes lie below it, and it is at most {BAND:g} of high"
    )
