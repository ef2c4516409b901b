"""Maps of faces: a page with thumbnails under the pointer, a PNG, or the vectors as Parquet."""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fakefacecli.base.errors import UsageError
from fakefacecli.base.text import printable
from fakefacecli.embed.vectors import Point
from fakefacecli.figures.figure import FAINT, FAKE, REAL, blank, plain, png
from fakefacecli.figures.html import page, paragraph, text
from fakefacecli.figures.metrics import Numbers

BY = ("label", "group", "verdict")
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
_STYLE = """<style>
.map { position: relative; width: min(100%, 60rem); aspect-ratio: 1; border: 1px solid #d5d9dd;
       margin: 1rem 0 }
.dot { position: absolute; width: .6rem; height: .6rem; margin: -.3rem; border-radius: 50%;
       opacity: .8; outline-offset: 2px }
.dot span { display: none; position: absolute; left: .9rem; top: .2rem; background: #fff;
            border: 1px solid #5c626a; padding: .3rem; font-size: .75rem; line-height: 1.3;
            width: 13rem; overflow-wrap: anywhere }
.dot.far span { left: auto; right: .9rem } .dot.low span { top: auto; bottom: .2rem }
.dot img { display: block; width: 5rem; height: 5rem }
.dot:hover, .dot:focus { z-index: 9; opacity: 1 }
.dot:hover span, .dot:focus span { display: block }
.key { display: none } .key i { display: inline-block; width: .7rem; height: .7rem;
       border-radius: 50%; margin: 0 .3rem 0 1rem }
"""


def names(points: Sequence[Point], by: str) -> list[str]:
    """What each point is coloured by, one of BY; rare groups are OTHERS."""
    found = [printable(str(getattr(point, by))) or UNKNOWN for point in points]
    if by != "group":
        return found
    counted = Counter(found)
    common = [name for name, _ in counted.most_common() if name != UNKNOWN][: len(_GROUPS)]
    return [name if name in (*common, UNKNOWN) else OTHERS for name in found]


def colours(of: Sequence[str]) -> dict[str, str]:
    """A colour for each of the names, the most frequent first, OTHERS and UNKNOWN last."""
    order = sorted(Counter(of).items(), key=lambda item: (item[0] in (OTHERS, UNKNOWN), -item[1]))
    free = iter(_GROUPS)
    return {name: _FIXED.get(name) or next(free, _GREY) for name, _ in order}


def draw_map(points: Sequence[Point], at: Numbers, by: str, title: str) -> bytes:
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


def write_map(points: Sequence[Point], at: Numbers, by: str, title: str) -> str:
    """The map as a page without scripts; radio buttons choose what the colours mean."""
    held = {kind: names(points, kind) for kind in BY}
    keys = {kind: colours(of) for kind, of in held.items()}
    style = [_STYLE]
    for kind in BY:
        style.append(f"#by-{kind}:checked ~ .map .dot {{ background: var(--{kind}) }}")
        style.append(f"#by-{kind}:checked ~ .key-{kind} {{ display: block }}")
    buttons = [
        f'<input type="radio" name="by" id="by-{kind}"{" checked" if kind == by else ""}>'
        f'<label for="by-{kind}"> {kind} </label>'
        for kind in BY
    ]
    legends = [
        f'<p class="key key-{kind}">'
        + "".join(
            f'<i style="background:{colour}"></i>{text(name)} ({held[kind].count(name)})'
            for name, colour in keys[kind].items()
        )
        + "</p>"
        for kind in BY
    ]
    dots = [
        _dot(point, place, {kind: keys[kind][held[kind][n]] for kind in BY})
        for n, (point, place) in enumerate(zip(points, at.tolist(), strict=True))
    ]
    return page(
        title,
        [
            "\n".join([*style, "</style>"]),
            paragraph(
                f"{len(points)} faces. Neighbours look alike to the model; distances and the "
                "sizes of clusters mean little. Point at a face to see it.",
                "faint",
            ),
            "<div>colour by",
            *buttons,
            *legends,
            '<div class="map">',
            *dots,
            "</div></div>",
        ],
    )


def check_parquet() -> None:
    """UsageError when pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UsageError(
            "pyarrow is not installed; pip install 'fakefacecli[parquet]' to write .parquet"
        ) from None


def write_vectors(points: Sequence[Point], at: Numbers) -> bytes:
    """A Parquet table, a row a face: what is known of it, x and y, and `vector`."""
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "path": [printable(point.path) for point in points],
        "face": [point.number for point in points],
        **{
            name: [printable(getattr(point, name)) or None for point in points]
            for name in ("label", "group", "generator", "verdict")
        },
        "p_fake": [point.p_fake for point in points],
        "x": at[:, 0],
        "y": at[:, 1],
        "vector": [point.vector for point in points],
    }
    held = io.BytesIO()
    pq.write_table(pa.table(columns), held)
    return held.getvalue()


def _dot(point: Point, at: Sequence[float], colour: dict[str, str]) -> str:
    x, y = 2 + 96 * at[0], 98 - 96 * at[1]
    kind = "dot" + (" far" if x > 70 else "") + (" low" if y > 70 else "")
    style = ";".join(f"--{name}:{value}" for name, value in colour.items())
    known = [point.label, printable(point.generator), printable(point.group)]
    words = [
        printable(point.path),
        f"face {point.number}",
        *filter(None, known),
        f"p_fake {point.p_fake:.3f}, {point.verdict.replace('_', ' ')}",
    ]
    picture = base64.b64encode(point.thumb).decode()
    return (
        f'<div class="{kind}" tabindex="0" style="left:{x:.2f}%;top:{y:.2f}%;{style}"><span>'
        f'<img alt="" src="data:image/jpeg;base64,{picture}">'
        f"{'<br>'.join(map(text, words))}</span></div>"
    )
