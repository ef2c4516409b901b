"""An empty figure for a plot: size, colours, axes; nothing opens a window."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, RULE = "#1c1f23", "#5c626a", "#d5d9dd"
REAL, FAKE = "#2b6c8f", "#b3261e"
MODELS = ("#3b4cc0", "#d97706")  # apart for the colour-blind too
_SIZE, _DPI = (5.6, 4.6), 130


def blank(title: str, size: tuple[float, float]) -> "tuple[Figure, Axes]":
    """A titled figure of `size` inches without a grid."""
    figure, axes = sheet(title, "", "", size)
    axes.grid(visible=False)
    return figure, axes


def sheet(
    title: str, across: str, up: str, size: tuple[float, float] = _SIZE
) -> "tuple[Figure, Axes]":
    """A titled figure of `size` inches with a grid and axes named `across` and `up`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    # not pyplot: it keeps every figure, and picks a backend that may need a screen
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(plain(title), loc="left", fontsize=13, fontweight="bold", color=INK)
    axes.set_xlabel(across, color=FAINT)
    axes.set_ylabel(up, color=FAINT)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, labelsize=9)
    for spine in axes.spines.values():
        spine.set_color(RULE)
    return figure, axes


def plain(name: str) -> str:
    """A name that matplotlib shows unchanged; between two $ it would typeset a formula."""
    return name.replace("$", r"\$")


def percent() -> Any:
    """Ticks as whole per cents."""
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0, decimals=0)


def no_ticks() -> Any:
    """A locator that sets no ticks."""
    from matplotlib.ticker import NullLocator

    return NullLocator()


def png(figure: "Figure") -> bytes:
    """The figure as a file's bytes."""
    held = io.BytesIO()
    # without matplotlib's version in it the same data give the same bytes
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()
