"""What `fakeface inspect` found, as a tree for a terminal of 80 columns.

Every value may come from a stranger: each is made printable, and cut with its length said.
"""

import itertools
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from fakefacecli.base.text import counted, printable
from fakefacecli.cli.inspect_words import HOW_TO_READ

_LONGEST = 160  # characters of a value
_MOST_LINES = 60  # of one branch; --json has all
_CELLS = 8

_TITLES = {
    "file": "file",
    "header": "picture",
    "layout": "parts of the file",
    "jpeg": "JPEG",
    "recompression": "saved twice?",
    "metadata": "metadata",
    "provenance": "provenance",
    "c2pa": "C2PA",
}


def show(found: dict[str, Any]) -> None:
    """Print the tree of what `cli.inspect` found."""
    root = Tree(_text(found["path"]), guide_style="dim")
    sections = found["sections"]
    for name, title in _TITLES.items():
        section = sections.get(name, {})
        value = found["provenance"] if name == "provenance" else section.get("value")
        if section.get("error"):
            root.add(_text(title, "bold")).add(_text(section["error"]))
        elif value or (name == "header" and found["picture"]["error"] is None):
            branch = root.add(_text(title, "bold"))
            _SHOWN[name](branch, value or {}, found)
            _explain(branch, HOW_TO_READ.get(name))
    for name, picture in found["pictures"].items():
        branch = root.add(_text("error levels" if name == "ela" else "noise", "bold"))
        branch.add(_text(f"saved: {picture['path']}", cut=False))
        _explain(branch, (picture["how_to_read"], picture["how_not"]))
    Console(highlight=False).print(root)


def _explain(branch: Tree, words: tuple[str, str] | None) -> None:
    if words:
        branch.add(_text(f"how to read it: {words[0]}", "dim", cut=False))
        branch.add(_text(f"how not to: {words[1]}", "dim", cut=False))


def _text(value: object, style: str = "", *, cut: bool = True) -> Text:
    text = str(value)
    whole = f"... ({len(text):,} characters)" if cut and len(text) > _LONGEST else ""
    return Text(printable(text[:_LONGEST] if whole else text) + whole, style)


def _file(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    branch.add(_text(f"sha256: {value['sha256']}"))
    branch.add(_text(f"bytes: {value['bytes']:,}"))
    wrong = found["wrong_suffix"]
    more = f" (the name ends in {wrong}, which is another format's)" if wrong else ""
    branch.add(_text(f"container: {value['container'] or 'no known image format'}{more}"))


def _picture(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    shown = found["picture"]
    if value:
        branch.add(_text(f"stored: {value['width']} x {value['height']} px, {value['mode']}"))
    if shown["error"] is None:
        turned = "" if shown["orientation"] == 1 else f", orientation {shown['orientation']}"
        branch.add(_text(f"upright: {shown['width']} x {shown['height']} px{turned}"))
        if shown["frames"] > 1:
            branch.add(_text(f"pictures in the file: {shown['frames']}"))
        for caveat in shown["caveats"]:
            branch.add(_text(f"caveat: {caveat.replace('_', ' ')}"))
    else:
        branch.add(_text(f"not decoded: {shown['error']}"))
    if value and value["profile"]:
        branch.add(_text(f"colour profile: {value['profile']}"))


def _layout(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    # a PNG may have a thousand IDAT chunks in a row
    runs = [
        (kind, note, list(group))
        for (kind, note), group in itertools.groupby(
            value["parts"], key=lambda part: (part["kind"], part["note"])
        )
    ]
    for kind, note, group in runs[:_MOST_LINES]:
        many = f" x {len(group)}" if len(group) > 1 else ""
        size = sum(part["size"] for part in group)
        more = f" ({note})" if note else ""
        branch.add(_text(f"{kind}{many}: {size:,} bytes at {group[0]['start']:,}{more}"))
    _rest(branch, len(runs), value["noun"])
    if value["more"]:
        branch.add(
            _text(f"more than {len(value['parts']):,} {value['noun']}: the rest is left out")
        )
    if value["trailing"]:
        branch.add(_text(f"behind the end: {value['trailing']:,} bytes{_why(value)}"))


def _why(value: Any) -> str:
    listed = any("further pictures" in part["note"] for part in value["parts"])
    return " (the file lists further pictures, which stand there)" if listed else ""


def _rest(branch: Tree, count: int, noun: str) -> None:
    if count > _MOST_LINES:
        branch.add(_text(f"... and {count - _MOST_LINES:,} more {noun}; --json lists them"))


def _jpeg(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    frame = value["frame"]
    if frame:
        sampling = f", {frame['sampling']}" if frame["sampling"] else ""
        restart = f"every {frame['restart']} blocks" if frame["restart"] else "none"
        words = f"{frame['coding']}, {frame['bits']} bit, {counted(frame['scans'], 'scan')}"
        branch.add(_text(f"coding: {words}{sampling}"))
        branch.add(_text(f"restart markers: {restart}"))
    for table in value["tables"]:
        like = f"nearest to libjpeg's {table['kind']} table of quality {table['quality']}"
        how = "exactly" if table["libjpeg"] else f"not libjpeg's: {table['off']:g} off in the mean"
        name = f"quantisation table {table['number']} ({table['bits']} bit): {like} ({how})"
        steps = table["steps"]
        wide = len(str(max(steps)))
        rows = [steps[at : at + _CELLS] for at in range(0, len(steps), _CELLS)]
        lines = "\n".join(" ".join(f"{step:{wide}}" for step in row) for row in rows)
        # of numbers alone, so nothing in it needs to be made printable
        branch.add(_text(name, cut=False)).add(Text(lines))


def _recompression(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    if not value["checked"]:
        branch.add(_text(f"cannot be told: {value['why']}"))
    elif value["found"]:
        gain = f"it explains {value['gain']:.0%} of what one saving does not"
        branch.add(_text(f"yes: likely saved before at about quality {value['quality']} ({gain})"))
    else:
        branch.add(_text("no trace of it"))


def _metadata(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    places: dict[str, Tree] = {}
    for field in value[:_MOST_LINES]:
        place = field["place"]
        if place not in places:
            places[place] = branch.add(_text(place))
        places[place].add(_text(f"{field['name']}: {field['value']}"))
    _rest(branch, len(value), "fields")


def _provenance(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    for name, what in value.items():
        if what:
            branch.add(_text(f"{name.replace('_', ' ')}: {what}"))


def _manifests(branch: Tree, value: Any, found: dict[str, Any]) -> None:
    left = [_MOST_LINES * 2]
    _grow(branch, value, left)
    if left[0] <= 0:
        branch.add(_text("... and more; --json has all of it"))


def _grow(branch: Tree, value: Any, left: list[int]) -> None:
    pairs = value.items() if isinstance(value, dict) else enumerate(value, 1)
    for name, inner in pairs:
        left[0] -= 1
        if left[0] <= 0:
            return
        if isinstance(inner, dict | list):
            if inner:
                _grow(branch.add(_text(name)), inner, left)
        else:
            branch.add(_text(f"{name}: {inner}"))


_SHOWN = {
    "file": _file,
    "header": _picture,
    "layout": _layout,
    "jpeg": _jpeg,
    "recompression": _recompression,
    "metadata": _metadata,
    "provenance": _provenance,
    "c2pa": _manifests,
}
