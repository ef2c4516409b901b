"""What a card says of honest pictures that were edited, as a table for `fakeface models info`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fakefacecli.base.text import printable

if TYPE_CHECKING:
    from rich.table import Table

EDITS = "edits"  # where in a card's `measured` it stands
_COUNTS = ("real", "flagged", "between")


def edits_table(measured: Mapping[str, Any]) -> "Table | None":
    """A row for each edit: its real faces, how many were flagged, how many between the thresholds.

    A card states them as `edits: {name: {real, flagged, between}}`, numbers of faces. None where it
    states none, or not in this form: what is in `measured` is free.
    """
    from rich.table import Table
    from rich.text import Text

    rows = measured.get(EDITS)
    if not isinstance(rows, Mapping) or not rows or not all(map(_is_row, rows.values())):
        return None
    heads = ("real faces", "flagged", "between the thresholds")
    table = Table("honest pictures, edited", *heads, title_justify="left")
    for name, row in rows.items():
        real, flagged, between = (row[key] for key in _COUNTS)
        shares = (f"{part} ({100 * part / real:.1f} %)" for part in (flagged, between))
        table.add_row(Text(printable(str(name))), str(real), *shares)
    return table


def _is_row(row: Any) -> bool:
    if not isinstance(row, Mapping) or any(type(row.get(key)) is not int for key in _COUNTS):
        return False
    real, flagged, between = (row[key] for key in _COUNTS)
    return bool(real > 0 <= flagged <= real and 0 <= between <= real)
