"""decisions.csv, which the page of a report writes: what a person has decided about each face."""

import csv
import os
from collections.abc import Collection
from dataclasses import dataclass

from fakefacecli.base.errors import UsageError
from fakefacecli.base.text import exact

COLUMNS = ("path", "sha256", "face", "decision", "note", "time", "model")
UNSURE = "unsure"
_NEEDED = {"path", "face", "decision"}


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's word on face `number` of a file, from 1: fake, real or unsure.

    `sha256` is that of the file when it was judged, "" where it is not known.
    """

    path: str
    number: int
    word: str
    sha256: str = ""


def are_decisions(header: Collection[str]) -> bool:
    """Whether a CSV with these columns holds decisions."""
    return set(header) >= _NEEDED and "label" not in header


def read_decision(row: dict[str, str | None], folder: str, where: str) -> Decision:
    """The decision in a row; UsageError, which begins with `where`, for what is none.

    A path is the report's: escaped as there, and relative to the folder of the file or, if nothing
    is there, to the current one.
    """
    cells = {name: (row.get(name) or "").removeprefix("'").strip() for name in COLUMNS}
    word = cells["decision"].lower()
    if word not in ("fake", "real", UNSURE):
        raise UsageError(f"{where}: decision '{word}' found, wanted fake, real or unsure")
    if not cells["face"].isdecimal() or int(cells["face"]) < 1:
        raise UsageError(f"{where}: face '{cells['face']}' found, wanted a number from 1")
    try:
        name = exact((row.get("path") or "").removeprefix("'"))
    except ValueError as error:
        raise UsageError(f"{where}: the path is not written as in a report ({error})") from None
    places = (os.path.join(folder, name), name)
    path = next((place for place in places if name and os.path.isfile(place)), None)
    if path is None:
        raise UsageError(f"{where}: no such file: {places[0]}, nor {name} from the current folder")
    return Decision(path, int(cells["face"]), word, cells["sha256"].lower())


def count_unsure(data: str) -> int:
    """How many decisions of a CSV are `unsure`; 0 for what holds no decisions."""
    try:
        with open(data, newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            if not are_decisions(reader.fieldnames or ()):
                return 0
            return sum((row["decision"] or "").strip().lower() == UNSURE for row in reader)
    except (OSError, csv.Error, UnicodeDecodeError):  # read_data tells what is wrong
        return 0
