"""HTML pages from templates: one file with its pictures inside, no script, nothing fetched."""

import base64
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fakefacecli.base.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

NAMES = {
    "accuracy": "accuracy at p_fake 0.5",
    "precision": "precision at 0.5",
    "recall": "recall at 0.5",
    "f1": "F1 at 0.5",
    "auc": "AUC",
    "ap": "average precision",
    "eer": "equal error rate",
    "tpr_at_fpr_0.01": "fakes found at 1 % false alarms",
    "tpr_at_fpr_0.005": "fakes found at 0.5 % false alarms",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "cllr": "Cllr, bits",
}
_IN_CARDS = {"accuracy": "accuracy_at_0.5"}  # where a card's name for a measure differs
LOWER_IS_BETTER = ("eer", "brier", "ece", "cllr")


def render(page: str, title: str, **content: object) -> str:
    """The page templates/PAGE.html.jinja of `content`.

    Everything in `content` is text, whatever it holds: the templates escape it. A name that a
    template wants and `content` lacks raises jinja2.UndefinedError.
    """
    template = _environment().get_template(f"{page}.html.jinja")
    words = {"names": NAMES, "lower_is_better": LOWER_IS_BETTER}
    return template.render(content, title=title, **words)


def card_figures(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a model card's `measured` says of other sets: by a title of the set, NAMES or ""."""
    return {
        f"the card: {name.replace('_', ' ')}": {
            key: figures.get(_IN_CARDS.get(key, key), "") for key in NAMES
        }
        for name, figures in card.items()
        if isinstance(figures, dict) and isinstance(figures.get("auc"), int | float)
    }


def environment_of(package: str) -> "Environment":
    """What makes pages of the templates in `package`; their content is text, and escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt name is an error, not an empty cell
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["printable"] = lambda value: printable(str(value))
    return environment


@functools.cache
def _environment() -> "Environment":
    environment = environment_of(__package__)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return environment
