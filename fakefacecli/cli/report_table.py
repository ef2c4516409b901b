"""How two reports differ, for people: a table that fits 80 columns."""

from collections.abc import Sequence

from fakefacecli.base.text import counted, printable
from fakefacecli.reports.diff import Change, Kind

_WORDS = {
    Kind.VERDICT: "with another verdict",
    Kind.APPEARED: "new",
    Kind.VANISHED: "gone",
    Kind.IMAGE: "with another result",
    Kind.IMAGE_APPEARED: "new",
    Kind.IMAGE_VANISHED: "gone",
}
_OF_IMAGES = (Kind.IMAGE, Kind.IMAGE_APPEARED, Kind.IMAGE_VANISHED)


def print_changes(changes: Sequence[Change], before: Sequence[str]) -> None:
    """Print the lines `before`, a table of the changes, and their numbers, to standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for line in before:
        console.print(Text(printable(line)))
    table = Table()
    table.add_column("image", overflow="fold")
    table.add_column("face", no_wrap=True)
    table.add_column("before", no_wrap=True)
    table.add_column("now", no_wrap=True)
    for change in changes:
        face = change.old_face if change.new_face is None else change.new_face
        table.add_row(
            Text(_name(change)),
            "image" if face is None else str(face),
            *_sides(change),
        )
    if changes:
        console.print(table)
    console.print(Text(summary(changes)))


def summary(changes: Sequence[Change]) -> str:
    """How many faces and images differ, in one line."""
    counts = {kind: sum(change.kind is kind for change in changes) for kind in Kind}
    parts = [
        f"{counted(number, 'image' if kind in _OF_IMAGES else 'face')} {_WORDS[kind]}"
        for kind, number in counts.items()
        if number
    ]
    return ", ".join(parts) or "no verdict has changed"


def _name(change: Change) -> str:
    notes = {"changed": "another file now", "moved": f"was {printable(change.old_path or '')}"}
    note = notes.get(change.file or "")
    return printable(change.path) + (f" ({note})" if note else "")


def _sides(change: Change) -> tuple[str, str]:
    absent = "not there"
    old = _side(change.old_verdict, change.old_p_fake, change.old_status, change.old_error_code)
    new = _side(change.new_verdict, change.new_p_fake, change.new_status, change.new_error_code)
    return old or absent, new or absent


def _side(verdict: str | None, p_fake: float | None, status: str | None, error: str | None) -> str:
    """What a report says of it; "" where it says nothing. At most 19 letters."""
    if verdict:
        score = "" if p_fake is None else f" {p_fake:.4f}"
        return verdict.replace("_", " ") + score
    return printable(error or status or "").replace("_", " ")
