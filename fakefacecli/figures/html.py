"""The page of an evaluation: one HTML file with its pictures inside, no script, nothing fetched."""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

from fakefacecli.figures.results import Difference, Estimate, RobustnessRow, SliceRow, Verdicts

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
IN_CARDS = {"accuracy": "accuracy_at_0.5"}  # where a card's name for a measure differs
LOWER_IS_BETTER = ("eer", "brier", "ece", "cllr")
_STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1f23; max-width: 76rem; margin: 2rem auto;
       padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { margin-top: 2.4rem; font-size: 1.25rem }
p, li { max-width: 48rem } .faint { color: #5c626a }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid #d5d9dd;
         white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere }
th { font-weight: 600; color: #5c626a; vertical-align: bottom }
small { color: #5c626a } .pictures { display: flex; flex-wrap: wrap; gap: 1rem }
.pictures img { width: 35rem; max-width: 100% } img { max-width: 100%; height: auto }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, parts: Sequence[str]) -> str:
    """A whole document; `parts` are HTML already, `title` is not."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{text(title)}</h1>",
            *parts,
            "</body></html>\n",
        ]
    )


def text(value: object) -> str:
    """Anything as text that no browser takes for markup."""
    return html.escape(str(value), quote=True)


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it."""
    return f"<h2>{text(title)}</h2>\n" + "\n".join(parts)


def paragraph(words: str, kind: str = "") -> str:
    """Words of any origin."""
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """`head` is text; the cells of `rows` are HTML already (`text`, `estimate`)."""
    lines = ["".join(f"<th>{text(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>\n{body}\n</table></div>'


def estimate(found: Estimate, decimals: int = 3) -> str:
    """A value with its interval as a cell; a dash where it is not defined."""
    if found.value is None:
        return "<small>not defined</small>"
    return f"{found.value:.{decimals}f} {interval(found, decimals)}".rstrip()


def interval(found: Estimate, decimals: int = 3) -> str:
    """The interval alone; nothing where it is not defined."""
    if found.low is None or found.high is None:
        return ""
    return f"<small>{found.low:.{decimals}f} to {found.high:.{decimals}f}</small>"


def picture(data: bytes, alt: str, kind: str = "png") -> str:
    """An image inside the page."""
    held = base64.b64encode(data).decode()
    return f'<img alt="{text(alt)}" src="data:image/{kind};base64,{held}">'


def pictures(of: Sequence[str]) -> str:
    """Several pictures side by side where there is room."""
    return f'<div class="pictures">{"".join(of)}</div>'


def measures_table(
    found: Mapping[str, Estimate], by_image: Mapping[str, Estimate], card: Mapping[str, Any]
) -> str:
    """All measures, beside what `card`, a model card's figures by set, says of other sets.

    `by_image` are the same with intervals that leave groups out.
    """
    sets = {
        name: figures
        for name, figures in card.items()
        if isinstance(figures, dict) and isinstance(figures.get("auc"), int | float)
    }
    rows = [
        [text(NAMES[name]), estimate(found[name]), interval(by_image[name])]
        + [text(figures.get(IN_CARDS.get(name, name), "")) for figures in sets.values()]
        for name in NAMES
    ]
    heads = ["measure", "here, with 95 % interval", "the interval by image"]
    heads += [f"the card: {name.replace('_', ' ')}" for name in sets]
    return table(heads, rows)


def verdicts_table(found: Verdicts) -> str:
    """Verdicts by label, and what a flag is worth."""
    columns = ("flagged", "inconclusive", "not_flagged")
    rows = [
        [
            text(label),
            text(counts.faces),
            f"{counts.flagged}, {estimate(counts.flagged_share)}",
            f"{counts.inconclusive}, {estimate(counts.inconclusive_share)}",
            f"{counts.not_flagged}, {estimate(counts.not_flagged_share)}",
        ]
        for label, counts in (("real", found.real), ("fake", found.fake))
    ]
    worth = [
        [text(f"{100 * float(part):g} %"), estimate(value)]
        for part, value in found.precision_at_prevalence.items()
    ]
    return (
        table(["label", "faces", *(c.replace("_", " ") for c in columns)], rows)
        + "<p>If this part of all faces were fakes, this part of the flagged ones would be:</p>"
        + table(["fakes among all faces", "fakes among the flagged"], worth)
    )


def slices_table(name: str, rows: Sequence[SliceRow]) -> str:
    """The slices of one dimension."""
    head = [
        name,
        "real",
        "fake",
        "real flagged",
        "fakes flagged",
        "inconclusive",
        "accuracy at 0.5",
        "AUC",
    ]
    return table(
        head,
        [
            [
                *(text(cell) for cell in (row.name, row.real, row.fake)),
                *(
                    estimate(share) if share.value is not None else ""
                    for share in (row.real_flagged, row.fake_flagged)
                ),
                text(row.inconclusive),
                estimate(row.accuracy),
                estimate(row.auc) + ("*" if row.auc_against_all_others else ""),
            ]
            for row in rows
        ],
    )


def robustness_table(rows: Sequence[RobustnessRow]) -> str:
    """The degradations."""
    head = [
        "what was done",
        "AUC",
        "accuracy at 0.5",
        "recall at 0.5",
        "fakes found at 1 % false alarms",
        "real at HIGH or above",
        "fakes at HIGH or above",
    ]
    names = ("auc", "accuracy", "recall", "tpr_at_fpr_0.01")
    return table(
        head,
        [
            [
                text(row.name),
                *(estimate(row.measures[name]) for name in names),
                estimate(row.real_at_high),
                estimate(row.fake_at_high),
            ]
            for row in rows
        ],
    )


def comparison_table(found: Mapping[str, Difference], by_image: Mapping[str, Estimate]) -> str:
    """Two models' measures; `found` maps names to first, second and more (an estimate).

    `by_image` maps names to that estimate with an interval that leaves groups out.
    """
    rows = []
    for name, row in found.items():
        verdict = ""
        if row.clear:
            better = ((row.more.value or 0) > 0) != (name in LOWER_IS_BETTER)
            verdict = "B is better" if better else "A is better"
        sides = ["" if side is None else f"{side:.3f}" for side in (row.first, row.second)]
        more = estimate(row.more), interval(by_image[name])
        rows.append([text(NAMES[name]), *sides, *more, text(verdict)])
    heads = ["measure", "A", "B", "B less A", "the interval by image", "clear at 95 %"]
    return table(heads, rows)
