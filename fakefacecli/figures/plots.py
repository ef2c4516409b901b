"""The curves of an evaluation, each a PNG; nothing here opens a window or keeps global state."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fakefacecli.base.verdicts import Thresholds
from fakefacecli.figures.figure import (
    FAINT,
    FAKE,
    INK,
    MODELS,
    REAL,
    no_ticks,
    percent,
    plain,
    png,
    sheet,
)
from fakefacecli.figures.metrics import ECE_BINS, Mask, Numbers, auc, count, roc
from fakefacecli.figures.results import Verdicts

_TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # of the DET plot


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One model's answers: `fake` and `p_fake`, (n,)."""

    name: str
    fake: Mask
    p_fake: Numbers


def draw_roc(curves: Sequence[Curve]) -> bytes:
    """True over false positive rate; the false ones on a scale that shows the small rates."""
    figure, axes = sheet("ROC", "real faces called fake", "fakes found")
    for curve, colour in zip(curves, MODELS, strict=False):
        counts = count(curve.fake, curve.p_fake)
        fpr, tpr = (rates[0] for rates in roc(counts))
        name = f"{plain(curve.name)}: AUC {auc(counts)[0]:.3f}"
        axes.step(fpr, tpr, _line(colour), where="post", color=colour, linewidth=2, label=name)
    even = np.linspace(0, 1, 2001)  # a curve where the scale is not even
    axes.plot(even, even, color=FAINT, linewidth=1, linestyle=":", label="chance")
    axes.set_xscale("symlog", linthresh=0.01, linscale=0.6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.set_xticks((0, 0.005, 0.01, 0.1, 0.5, 1), ("0", "0.5 %", "1 %", "10 %", "50 %", "100 %"))
    axes.xaxis.set_minor_locator(no_ticks())
    axes.yaxis.set_major_formatter(percent())
    axes.legend(loc="lower right", frameon=False)
    return png(figure)


def draw_det(curves: Sequence[Curve]) -> bytes:
    """Misses over false alarms on normal deviates (Martin et al. 1997): lower left is better."""
    from scipy.stats import norm

    figure, axes = sheet("DET", "real faces called fake", "fakes missed")
    for curve, colour in zip(curves, MODELS, strict=False):
        fpr, tpr = (rates[0] for rates in roc(count(curve.fake, curve.p_fake)))
        # on this scale 0 and 1 are infinitely far away
        inside = (fpr > 0) & (fpr < 1) & (tpr > 0) & (tpr < 1)
        axes.plot(
            norm.ppf(fpr[inside]),
            norm.ppf(1 - tpr[inside]),
            _line(colour),
            color=colour,
            linewidth=2,
            label=plain(curve.name),
        )
    places = norm.ppf(_TICKS)
    words = [f"{100 * tick:g} %" for tick in _TICKS]
    axes.set_xticks(places, words, rotation=45)
    axes.set_yticks(places, words)
    axes.set_xlim(places[0], places[-1])
    axes.set_ylim(places[0], places[-1])
    axes.plot(places, places, color=FAINT, linewidth=1, linestyle=":", label="equal error rate")
    axes.legend(loc="upper right", frameon=False)
    return png(figure)


def draw_reliability(curves: Sequence[Curve]) -> bytes:
    """The share of fakes over p_fake, in the bins of the ECE; on the diagonal both are equal."""
    figure, axes = sheet(
        "Reliability",
        "p_fake, mean of its bin (a dot's area: its share of the faces)",
        "share of fakes",
    )
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":", label="perfectly calibrated")
    for curve, colour in zip(curves, MODELS, strict=False):
        where = np.minimum((curve.p_fake * ECE_BINS).astype(int), ECE_BINS - 1)
        bins = [where == place for place in range(ECE_BINS) if (where == place).any()]
        x = [curve.p_fake[members].mean() for members in bins]
        y = [curve.fake[members].mean() for members in bins]
        sizes = [12 + 260 * members.mean() for members in bins]
        axes.plot(x, y, color=colour, linewidth=1, alpha=0.6)
        axes.scatter(x, y, sizes, color=colour, alpha=0.85, label=plain(curve.name))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    legend = axes.legend(loc="upper left", frameon=False)
    # a legend copies the first dot's size, which may be tiny
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([40])
    return png(figure)


def draw_scores(curve: Curve, thresholds: Thresholds) -> bytes:
    """How many real and fake faces got which p_fake, and where the thresholds lie."""
    figure, axes = sheet(f"Scores: {curve.name}", "p_fake", "faces")
    edges = np.linspace(0, 1, 41)
    for members, colour, name in ((~curve.fake, REAL, "real"), (curve.fake, FAKE, "fake")):
        held = curve.p_fake[members]
        axes.hist(held, edges.tolist(), color=colour, alpha=0.35)
        axes.hist(
            held,
            edges.tolist(),
            color=colour,
            histtype="step",
            linewidth=1.6,
            label=f"{name} ({len(held)})",
        )
    # single faces on the wrong side must be seen beside hundreds on the right one
    axes.set_yscale("symlog", linthresh=10)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top * 1.6)
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.yaxis.set_minor_locator(no_ticks())
    for at, name, side in ((thresholds.low, "LOW", "left"), (thresholds.high, "HIGH", "right")):
        axes.axvline(at, color=INK, linewidth=1, linestyle="--")
        axes.text(
            at + (0.012 if side == "left" else -0.012),
            top * 1.2,
            f"{name} {at:.3f}",
            ha=side,
            va="center",
            fontsize=8,
            color=INK,
        )
    axes.set_xlim(0, 1)
    axes.legend(loc="center", frameon=False)
    return png(figure)


def draw_confusion(found: Verdicts) -> bytes:
    """Verdicts by label."""
    columns = ("not_flagged", "inconclusive", "flagged")
    figure, axes = sheet("Verdicts", "verdict", "label")
    rows = (found.real, found.fake)
    faces = [(row.not_flagged, row.inconclusive, row.flagged) for row in rows]
    shares = np.array(
        [
            [
                part.value or 0.0
                for part in (row.not_flagged_share, row.inconclusive_share, row.flagged_share)
            ]
            for row in rows
        ]
    )
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), part in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            f"{faces[row][column]}\n{100 * part:.1f} %",
            ha="center",
            va="center",
            fontsize=13,
            color="white" if part > 0.55 else INK,
        )
    axes.set_xticks(range(3), [name.replace("_", " ") for name in columns])
    axes.set_yticks(range(2), ["real", "fake"])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    return png(figure)


def _line(colour: str) -> str:
    """The second model's line is broken, so that an equal first one shows below it."""
    return "-" if colour == MODELS[0] else "--"
