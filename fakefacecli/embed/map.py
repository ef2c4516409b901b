"""Maps of faces: a page with thumbnails under the pointer, a PNG, or the vectors as Parquet."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fakefacecli.base.options import Colour
from fakefacecli.base.text import printable
from fakefacecli.embed.vectors import Point
from fakefacecli.figures.figure import FAINT, FAKE, REAL, blank, plain, png
from fakefacecli.figures.html import render
from fakefacecli.figures.metrics import Numbers

SUFFIXES = (".html", ".png", ".parquet")
OTHERS, UNKNOWN = "all others", "(not known)"
# Okabe and Ito 2008, safe for the colour-blind, and three more
_GROUPS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#5c3566",
    "#8f5902",
    "#4e9a06",
)
_GREY = "#b4b9be"
_FIXED = {
    "real": REAL,
    "fake": FAKE,
    "flagged": FAKE,
    "inconclusive": "#f2b01e",
    "not_flagged": "#5e6e66",
    UNKNOWN: _GREY,
    OTHERS: _GREY,
}


@dataclass(frozen=True, slots=True)
class _Dot:
    """A face on the page: where, in per cent of the map, and what is shown under the pointer.

    `colours` has one for each thing that colours can mean.
    """

    left: float
    top: float
    colours: dict[str, str]
    thumb: bytes
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a colour of the map means, and how many faces have it."""

    name: str
    colour: str
    faces: int


def names(points: Sequence[Point], by: Colour) -> list[str]:
    """What each point is coloured by; rare groups are OTHERS."""
    found = [printable(str(getattr(point, by))) or UNKNOWN for point in points]
    if by != Colour.GROUP:
        return found
    counted = Counter(found)
    # more colours than these cannot be told apart
    common = [name for name, _ in counted.most_common() if name != UNKNOWN][: len(_GROUPS)]
    return [name if name in (*common, UNKNOWN) else OTHERS for name in found]


def colours(of: Sequence[str]) -> dict[str, str]:
    """A colour for each of the names, the most frequent first, OTHERS and UNKNOWN last."""
    order = sorted(Counter(of).items(), key=lambda item: (item[0] in (OTHERS, UNKNOWN), -item[1]))
    free = iter(_GROUPS)
    return {name: _FIXED.get(name) or next(free, _GREY) for name, _ in order}


def draw_map(points: Sequence[Point], at: Numbers, by: Colour, title: str) -> bytes:
    """The map as a PNG; `at` (n, 2) in 0..1."""
    figure, axes = blank(title, (8.6, 7.0))
    held = np.array(names(points, by), object)
    for name, colour in colours(held.tolist()).items():
        here = at[held == name]
        axes.scatter(
            here[:, 0],
            here[:, 1],
            22,
            color=colour,
            alpha=0.75,
            linewidths=0,
            label=f"{plain(name)} ({len(here)})",
        )
    axes.set_xticks([])
    axes.set_yticks([])
    figure.legend(loc="outside right upper", frameon=False, fontsize=8, title=by, labelcolor=FAINT)
    return png(figure)


def write_map(points: Sequence[Point], at: Numbers, by: Colour, title: str) -> str:
    """The map as a page without scripts; radio buttons choose what the colours mean."""
    held = {kind: names(points, kind) for kind in Colour}
    keys = {kind: colours(of) for kind, of in held.items()}
    legends = {
        kind: [_Entry(name, colour, held[kind].count(name)) for name, colour in key.items()]
        for kind, key in keys.items()
    }
    dots = [
        _dot(point, place, {kind: keys[kind][held[kind][n]] for kind in Colour})
        for n, (point, place) in enumerate(zip(points, at.tolist(), strict=True))
    ]
    return render("map", title, by=by, legends=legends, dots=dots)


def write_vectors(points: Sequence[Point], at: Numbers) -> bytes:
    """A Parquet table, a row for each face: what is known of it, x and y, and `vector`."""
    import pandas as pd

    def words(name: str) -> "pd.Series[str]":
        known = [printable(getattr(point, name)) or None for point in points]
        return pd.Series(known, dtype=object)  # null and not NaN where nothing is known

    table = pd.DataFrame(
        {
            "path": words("path"),
            "face": [point.number for point in points],
            **{name: words(name) for name in ("label", "group", "generator", "verdict")},
            "p_fake": [point.p_fake for point in points],
            "x": at[:, 0],
            "y": at[:, 1],
            "vector": [point.vector for point in points],
        }
    )
    held = io.BytesIO()
    table.to_parquet(held, index=False)
    return held.getvalue()


def _dot(point: Point, at: Sequence[float], colour: dict[str, str]) -> _Dot:
    known = (point.label, printable(point.generator), printable(point.group))
    lines = (
        printable(point.path),
        f"face {point.number}",
        *filter(None, known),
        f"p_fake {point.p_fake:.3f}, {point.verdict.replace('_', ' ')}",
    )
    # 2 % of rim on each side; up is more, as in the PNG
    return _Dot(2 + 96 * at[0], 98 - 96 * at[1], colour, point.thumb, lines)
