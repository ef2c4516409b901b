"""The option tables of the documentation, made from the commands themselves.

cog puts them between the markers in README.md and fakefacecli/docs/*.md:

    python -m cogapp -r README.md fakefacecli/docs/*.md
"""

import inspect
import typing
from collections.abc import Iterator
from enum import Enum
from types import UnionType
from typing import Annotated, Any

from typer.main import get_command

from fakefacecli.cli.app import app

HEAD = ("| option | meaning |", "| --- | --- |")


def options(command: str, panel: str | None = None) -> str:
    """The table of the options and arguments of `command`, such as "scan" or "state prune".

    `panel` takes only those under this heading of the help; "" is those under none.
    """
    found = commands()[command]
    params = [
        param
        for param in found.params
        if panel is None or (getattr(param, "rich_help_panel", None) or "") == panel
    ]
    assert params, f"fakeface {command} has no options under {panel!r}"
    types = types_of(found.callback)
    lines = [*HEAD, *(row(param, types[param.name]) for param in params)]
    return "\n" + "\n".join(lines) + "\n\n"


def commands() -> dict[str, Any]:
    """Every command that does something, by its words after `fakeface`; "" is fakeface itself."""

    def walk(command: Any, words: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", {})
        if not inner or not words:
            yield words, command
        for name, child in inner.items():
            yield from walk(child, f"{words} {name}".strip())

    return dict(walk(get_command(app), ""))


def types_of(function: Any) -> dict[str, Any]:
    """The type of each parameter, `Annotated` and None taken off."""
    parameters = inspect.signature(function).parameters
    return {name: _without_none(_bare(found.annotation)) for name, found in parameters.items()}


def row(param: Any, kind: Any) -> str:
    """One line of a table; | inside a cell is escaped, as in any table of Markdown."""
    value = param.metavar or _value_of(kind)
    if param.param_type_name == "argument":
        names = f"`{value}`"
    else:
        shown = "" if kind is bool else f" {value}"
        flags = [f"`{flag}{shown}`" for flag in (*param.opts, *param.secondary_opts)]
        names = ", ".join(flags)
    words = [part for part in (param.help or "", *_facts(param, kind)) if part]
    return f"| {_cell(names)} | {_cell(' '.join(words))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _facts(param: Any, kind: Any) -> Iterator[str]:
    if param.required:
        yield "Required."
    if kind is bool:
        if param.secondary_opts and isinstance(param.default, bool):
            yield f"Default: `{(param.opts if param.default else param.secondary_opts)[0]}`."
    elif param.default not in (None, ()) and not callable(param.default):
        default = param.default.value if isinstance(param.default, Enum) else param.default
        yield f"Default: `{default}`."
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None and high is not None:
        yield f"From {low:,} to {high:,}."
    elif low is not None:
        yield f"{low:,} or more."
    elif high is not None:
        yield f"At most {high:,}."


def _value_of(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return {int: "N", float: "X"}.get(kind, "TEXT")


def _bare(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (UnionType, typing.Union):
        [hint] = [part for part in typing.get_args(hint) if part is not type(None)]
    if typing.get_origin(hint) is list:
        [hint] = typing.get_args(hint)
    return hint
