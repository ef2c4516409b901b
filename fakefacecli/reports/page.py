"""The HTML report: one file with its pictures, its data, its style and its script inside.

Nothing is fetched, and no text of a run is ever read as HTML or as a script: the template escapes
it, the data stand in an element that browsers do not run, and the page's own policy (Content
Security Policy Level 3) allows only the two blocks of style and script whose hashes it names.
"""

import base64
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import TYPE_CHECKING, Any

from fakefacecli.base.files import atomic_write
from fakefacecli.base.text import counted
from fakefacecli.figures.html import environment_of
from fakefacecli.reports.error_rates import PREVALENCE, Outlook, expect, rates_of
from fakefacecli.reports.page_data import PageData, gather
from fakefacecli.reports.page_pictures import Pictures, read_pictures
from fakefacecli.reports.page_words import WORDS
from fakefacecli.reports.rows import FORMULA, Row
from fakefacecli.reports.score_histogram import histogram_of

if TYPE_CHECKING:
    from jinja2 import Environment

# joined in this order: each uses what stands before it
_SCRIPTS = ("parts", "words", "decisions", "face", "gallery", "table", "odds", "page")
# in JSON the same characters, but nothing that could end or open an element, or a line of a script
_INERT = {
    ord(char): f"\\u{ord(char):04x}" for char in ("<", ">", "&", "'", "\u2028", "\u2029", "\x7f")
}
ERRORS_SHOWN = 200


def write_page(
    path: str,
    header: Mapping[str, Any] | None,
    rows: Sequence[Row],
    folder: str,
    card: Mapping[str, Any] | None = None,
) -> None:
    """Write the report of `rows`, each as a JSON report has it, to `path`, whole or not at all.

    `header` is the JSON report's `run`, None if unknown; `card` the model's card as a mapping, None
    if unknown. Overlay cells are paths relative to `folder`; a picture that is not there is named
    on the page. Raises CannotWrite.
    """
    with atomic_write(path, "w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(page_pieces(header, rows, folder, card))


def page_pieces(
    header: Mapping[str, Any] | None,
    rows: Sequence[Row],
    folder: str,
    card: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """The text of the page that `write_page` writes, piece by piece."""
    data = gather(rows)
    pictures = read_pictures(data, folder)
    rates = rates_of(card or {}, header or {}, rows)
    outlook = expect(rates, data.counts, PREVALENCE)
    style, script = _source("page.css"), _script()
    template = _environment().get_template("page.html.jinja")
    yield from template.generate(
        header=header,
        **_heading(header or {}),
        card=card,
        data=data,
        rates=rates,
        outlook=outlook,
        prevalence=PREVALENCE,
        histogram=histogram_of(rows),
        errors_shown=ERRORS_SHOWN,
        pictures=pictures,
        style=style,
        script=script,
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        words=WORDS,
        island=_island(data, pictures, outlook),
    )


def _heading(header: Mapping[str, Any]) -> dict[str, Any]:
    """What the head of the page says; a header of an older version may lack any of it."""
    return {
        "scanned": list((header.get("options") or {}).get("paths") or ()),
        "skipped": (header.get("counts") or {}).get("skipped") or {},
        "started": header.get("started"),
        "model_name": (header.get("model") or {}).get("name"),
    }


def _island(data: PageData, pictures: Pictures, outlook: Outlook | None) -> str:
    """The data that the script reads, as JSON in which nothing can end its element."""
    content = {
        "columns": data.columns,
        "same": data.same,
        "rows": data.rows,
        "review": data.review,
        "picture": pictures.number,
        "missing": pictures.missing,
        "words": WORDS,
        "formula": FORMULA,
        "outlook": outlook and asdict(outlook),
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False).translate(_INERT)


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _script() -> str:
    body = "".join(_source(f"{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


@functools.cache
def _source(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> "Environment":
    environment = environment_of(__package__)
    environment.filters["counted"] = counted
    environment.filters["tree"] = _tree
    environment.filters["percent"] = _percent
    environment.filters["about"] = _about
    return environment


def _tree(facts: Any) -> Any:
    """`facts` with every list of mappings as a mapping, by the names of its items or their places.

    The template can then show each of them, however deep, as a table of its own.
    """
    if isinstance(facts, Mapping):
        return {str(key): _tree(value) for key, value in facts.items()}
    if isinstance(facts, list) and facts and all(isinstance(item, Mapping) for item in facts):
        return {
            f"{place} {item.get('name', '')}".strip(): _tree(item)
            for place, item in enumerate(facts, 1)
        }
    return facts


def _percent(share: float) -> str:
    return f"{100 * share:.2g}\u00a0%" if share < 0.1 else f"{100 * share:.0f}\u00a0%"


def _about(number: float) -> str:
    """A number that is only expected: one decimal under 10, none from there."""
    return f"{number:.1f}" if number < 9.95 else f"{number:.0f}"
