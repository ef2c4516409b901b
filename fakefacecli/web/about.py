"""The tab that says what a score means, how often a model is wrong, and what it is not for."""

from collections.abc import Sequence
from typing import Any

from fakefacecli.models.judge import AnyCheckpoint, members_of
from fakefacecli.models.judge_file import card_facts
from fakefacecli.reports.error_rates import PREVALENCE, Rate, rates_of, wrong_share
from fakefacecli.web.answer import render


def draw_about(checkpoints: Sequence[AnyCheckpoint]) -> str:
    """The HTML of the tab, with the error rates that the cards of the models state."""
    return render("about", models=[_model(checkpoint) for checkpoint in checkpoints])


def _model(checkpoint: AnyCheckpoint) -> dict[str, Any]:
    card = checkpoint.card
    rates = rates_of(card_facts(checkpoint), {}, [])
    return {
        "name": card.name,
        "networks": len(members_of(checkpoint)),
        "thresholds": card.thresholds,
        "calibrated": card.calibration.calibrated,
        "min_face_px": card.min_face_px,
        "why_none": rates.why_none,
        "prevalence": f"{100 * PREVALENCE:g} %",
        "sets": [
            {
                "words": one.words,
                "real": _percent(one.real),
                "fake": _percent(one.fake),
                "wrong": f"{100 * wrong_share(PREVALENCE, one.real.value, one.fake.value):.0f} %",
            }
            for one in rates.sets
        ],
    }


def _percent(rate: Rate) -> str:
    """A share with its interval: 1.4 % (0.5 to 3.1) of 431."""
    low, high = 100 * rate.low, 100 * rate.high
    return f"{100 * rate.value:.1f} % ({low:.1f} to {high:.1f}) of {rate.faces:,}"
