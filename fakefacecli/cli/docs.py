"""`fakeface docs [TOPIC]`: the pages of fakefacecli/docs, in a terminal or for a pipe."""

import os
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import UsageError
from fakefacecli.cli.console import error_boundary, say

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_WIDEST = 100  # columns; longer lines of prose are hard to read
# cogapp's comments around generated tables, which are of no use to a reader
_MARKER = re.compile(r"^<!--.*-->\n+", re.MULTILINE)


@error_boundary
def docs(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC", help="A page; without it, a list of them.", show_default=False
        ),
    ] = None,
) -> None:
    """Show a page of the documentation; plain Markdown when stdout is no terminal."""
    pages = _pages()
    if topic is None:
        width = max(map(len, pages))
        say("".join(f"{name:{width}}  {_summary(page)}\n" for name, page in pages.items()))
        return
    if topic not in pages:
        raise UsageError(f"docs {topic}: no such page; there are {', '.join(pages)}")
    text = _MARKER.sub("", pages[topic].read_text("utf-8"))
    if sys.stdout.isatty():
        _show(text)
    else:
        say(text)


def _pages() -> "dict[str, Traversable]":
    from importlib import resources

    folder = resources.files("fakefacecli") / "docs"
    found = {
        page.name.removesuffix(".md"): page for page in folder.iterdir() if page.name[-3:] == ".md"
    }
    return dict(sorted(found.items()))


def _summary(page: "Traversable") -> str:
    """The first paragraph, one line on every page, in plain text."""
    # [0] is the heading
    return page.read_text("utf-8").split("\n\n")[1].replace("`", "")


def _show(text: str) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    # less shows colours with -R only; -F and -X: a short page needs no key to leave, and stays
    colours = "r" in os.environ.setdefault("LESS", "FRX").lower()
    console = Console()
    console.width = min(console.width, _WIDEST)
    with console.pager(styles=colours, links=False):  # links between files do not work here
        console.print(Markdown(text))
