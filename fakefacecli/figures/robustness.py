"""What degradations do, as dots with intervals: one row for each, a PNG."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fakefacecli.figures.figure import MODELS, percent, png, sheet
from fakefacecli.figures.results import Estimate, RobustnessRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OFF = (-0.14, 0.14)  # of a row's height: two dots in it, one above the other


def draw_robustness(rows: Sequence[RobustnessRow]) -> bytes:
    """AUC, and fakes found at 1 % false alarms, for each degradation."""
    return _draw(
        "Robustness",
        rows,
        {
            "AUC": [row.measures["auc"] for row in rows],
            "fakes found at 1 % false alarms": [row.measures["tpr_at_fpr_0.01"] for row in rows],
        },
    )


def draw_real_faces(rows: Sequence[RobustnessRow]) -> bytes:
    """The shares of real faces that a scan flags, and leaves open, for each degradation."""
    return _draw(
        "Real faces",
        rows,
        {
            "flagged": [row.real_flagged for row in rows],
            "inconclusive": [row.real_inconclusive for row in rows],
        },
        shares=True,
    )


def _draw(
    title: str,
    rows: Sequence[RobustnessRow],
    columns: dict[str, list[Estimate]],
    shares: bool = False,
) -> bytes:
    figure, axes = sheet(title, "", "", (8.2, 0.36 * len(rows) + 1.5))
    for (words, column), colour, off in zip(columns.items(), MODELS, _OFF, strict=True):
        _dots(axes, column, words, colour, off)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    if shares:
        axes.set_xlim(-0.01, 1.01)
        axes.xaxis.set_major_formatter(percent())
    else:
        axes.set_xlim(right=1.01)
    axes.grid(visible=False, axis="y")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return png(figure)


def _dots(axes: "Axes", column: Sequence[Estimate], words: str, colour: str, off: float) -> None:
    held = [(at, found) for at, found in enumerate(column) if found.value is not None]
    line: dict[str, Any] = {
        "color": colour,
        "alpha": 0.45,
        "linewidth": 3,
        "solid_capstyle": "round",
    }
    for at, found in held:
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [at + off] * 2, **line)
    axes.scatter(
        [found.value or 0.0 for _, found in held],
        [at + off for at, _ in held],
        28,
        color=colour,
        zorder=3,
        label=words,
    )
    if held and held[0][0] == 0:  # the faces as they are, to compare with
        axes.axvline(held[0][1].value or 0.0, color=colour, linewidth=0.8, linestyle=":")
