"""`fakeface fuse`: a judge of several networks, fitted on faces that they were not trained on."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fakefacecli.base.errors import UsageError
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.evaluate.bootstrap import FEW_CLUSTERS, RESAMPLES, estimate, fewest
from fakefacecli.evaluate.calibrate import FittedOn, at_high, fitted_on, meaning
from fakefacecli.evaluate.fit import fit, probabilities
from fakefacecli.evaluate.fuse import Fitted, fit_fusion, fuse
from fakefacecli.evaluate.scored import Judged
from fakefacecli.evaluate.thresholds import Choice, choose
from fakefacecli.figures.metrics import MEASURES, Numbers
from fakefacecli.figures.results import Estimate
from fakefacecli.models.calibration import NONE, Calibration, Method
from fakefacecli.models.judge import JudgeCard, JudgeCheckpoint, Member
from fakefacecli.models.members import Candidate, as_member, shared_window

# unlike calibration: faces of sources that no network was trained on are what it is fitted for
SPLITS = ("", "val", "unseen")
FEW_FACES = 100  # of a class
SHOWN = ("auc", "tpr_at_fpr_0.01")
# rows of the figures that are of no member, whose names have no spaces
EQUAL, JUDGE = "equal weights", "the judge"
_NOTE = "each face judged by weights that were fitted on other groups"


@dataclass(frozen=True, slots=True)
class Fused:
    """The judge, the choice of thresholds, and SHOWN of each member, of equal weights and of it.

    The figures of the last two are by cross-validation. `left_out` faces were too small, turned too
    far or cut off; `few` says whether the faces or groups are too few for figures to rely on.
    """

    judge: JudgeCheckpoint
    choice: Choice
    fitted: Fitted
    figures: dict[str, dict[str, Estimate]]
    faces: int
    left_out: int
    few: bool


def unfitted(path: str, name: str, candidates: list[Candidate]) -> JudgeCheckpoint:
    """The judge that is to be written to `path`, with equal weights and without a calibration.

    Raises UsageError for networks that cannot be members of one judge.
    """
    rule = shared_window(candidates)
    members = tuple(
        Member(one.name, as_member(one, rule), 1 / len(candidates)) for one in candidates
    )
    cards = [member.checkpoint.card for member in members]
    card = JudgeCard(
        name=name,
        window=rule,
        bias=0.0,
        calibration=Calibration(NONE),
        thresholds=Thresholds(0.5, 0.5),
        min_face_px=max(card.min_face_px for card in cards),
        backbone=" + ".join(member.name for member in members),
        trained_on="; ".join(f"{c.name}: {c.trained_on}" for c in cards if c.trained_on),
    )
    return JudgeCheckpoint(path, "", card, members)


def fuse_judge(judge: JudgeCheckpoint, judged: Judged, target_fpr: float) -> Fused:
    """Fit weights, calibration and thresholds on the faces that a scan would judge.

    Calibration and thresholds are fitted to the logits that faces get by weights of other groups,
    as those of the final weights would be too good. Raises UsageError for a held-out or training
    face, and when faces or groups are too few.
    """
    used = _used(judge, judged)
    fake, facts = used.fake, fitted_on(used)
    logits = np.array([face.opinions for face in used.faces], np.float64)
    fitted = fit_fusion(fake, logits, used.clusters())
    calibration = fit(Method.PLATT, fake, fitted.apart, facts.words())
    choice = choose(fake, probabilities(calibration, fitted.apart), target_fpr)
    figures = _figures(judge, used, logits, fitted)
    return Fused(
        judge=_fitted_judge(judge, fitted, calibration, choice, facts, figures),
        choice=choice,
        fitted=fitted,
        figures=figures,
        faces=facts.faces,
        left_out=len(judged.faces) - facts.faces,
        few=fewest(fake, used.clusters()) < FEW_CLUSTERS or fewest(fake) < FEW_FACES,
    )


def _used(judge: JudgeCheckpoint, judged: Judged) -> Judged:
    """The faces that a scan would judge; UsageError for those that may not be fused on."""
    wrong = {face.image.split for face in judged.faces} - set(SPLITS)
    if wrong:
        raise UsageError(f"faces of split {', '.join(sorted(wrong))} found; fuse on val or unseen")
    least = judge.card.min_face_px
    kept = [face for face in judged.faces if face.face_px >= least and face.unfit is None]
    used = Judged(kept, judged.missed)
    fake = used.fake
    if not fake.any() or fake.all():
        raise UsageError(f"{(~fake).sum()} real and {fake.sum()} fake faces found, wanted both")
    return used


def _fitted_judge(
    judge: JudgeCheckpoint,
    fitted: Fitted,
    calibration: Calibration,
    choice: Choice,
    facts: FittedOn,
    figures: dict[str, dict[str, Estimate]],
) -> JudgeCheckpoint:
    # None: equal weights, for which JSON has no infinity
    strength = fitted.strength if math.isfinite(fitted.strength) else None
    ridge = {"strength": strength, "folds": fitted.folds}
    fused_on = {**asdict(facts), **ridge, **asdict(at_high(choice))}
    crossed = {"real": facts.real, "fake": facts.fake, **_card_figures(figures)}
    card = replace(
        judge.card,
        bias=fitted.fusion.bias,
        calibration=calibration,
        thresholds=choice.thresholds,
        meaning=meaning(choice),
        measured={"fused_on": fused_on, "cross_validated": crossed},
    )
    weights = fitted.fusion.weights.tolist()
    members = tuple(
        replace(member, weight=weight)
        for member, weight in zip(judge.members, weights, strict=True)
    )
    return replace(judge, card=card, members=members)


def _figures(
    judge: JudgeCheckpoint, used: Judged, logits: Numbers, fitted: Fitted
) -> dict[str, dict[str, Estimate]]:
    """SHOWN of each member by its own logits, of equal weights, and of the judge."""
    fake = used.fake
    columns = {member.name: logits[:, n] for n, member in enumerate(judge.members)}
    # nothing but a scale and a shift is fitted here, and neither changes the order
    columns[EQUAL] = fuse(fake, logits, math.inf).fused(logits)
    columns[JUDGE] = fitted.apart
    measures = {name: MEASURES[name] for name in SHOWN}
    plain = Calibration(NONE)
    return {
        name: estimate(fake, probabilities(plain, column), measures, RESAMPLES, used.clusters())
        for name, column in columns.items()
    }


def _card_figures(figures: dict[str, dict[str, Estimate]]) -> dict[str, Any]:
    values = {
        name: {key: found.value for key, found in row.items()} for name, row in figures.items()
    }
    judge, equal = values.pop(JUDGE), values.pop(EQUAL)
    return {**judge, "equal_weights": equal, "members": values, "note": _NOTE}
