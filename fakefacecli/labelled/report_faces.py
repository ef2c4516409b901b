"""The faces of a finished scan, cut out of their images again: no detection, the report's boxes."""

import csv
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.records import Box, Face, ImageRef, Unreadable
from fakefacecli.base.text import exact, printable
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace, Missed
from fakefacecli.scan.crop import cut

Row = Mapping[str, Any]

SUFFIXES = (".csv", ".json", ".jsonl")
_NEEDED = ("path", "status", "face", "x1", "y1", "x2", "y2", "verdict", "sha256")


def is_report(path: str) -> bool:
    """Whether `path` is a file that a scan wrote; a CSV of labels is none."""
    if not (os.path.isfile(path) and path.lower().endswith(SUFFIXES)):
        return False
    if not path.lower().endswith(".csv"):
        return True
    with open(path, newline="", encoding="utf-8", errors="replace") as handle:
        return "p_fake" in handle.readline()


def read_report(path: str) -> list[Row]:
    """The rows of a report that hold a face, paths as they were.

    Raises UsageError for what is no report of fakeface, NothingToDo when it holds no face.
    """
    where = printable(path)
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            if path.lower().endswith(".csv"):
                rows = [
                    {name: _unguarded(cell or "") for name, cell in row.items()}
                    for row in csv.DictReader(handle)
                ]
            elif path.lower().endswith(".json"):
                rows = json.load(handle)["rows"]
            else:
                rows = [row for line in handle if "run" not in (row := json.loads(line))]
        missing = [name for row in rows[:1] for name in _NEEDED if name not in row]
        if missing:
            raise UsageError(f"{where}: no column {missing[0]}; wanted a report of fakeface scan")
        faces: list[Row] = [{**row, "path": exact(row["path"])} for row in rows if row["face"]]
        for row in faces:
            _box(row)
    except OSError as error:
        raise UsageError(f"{where}: {(error.strerror or 'unreadable').lower()}") from error
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise UsageError(f"{where}: not a report of fakeface scan ({error})") from error
    if not faces:
        raise NothingToDo(f"{where}: no face in it")
    return faces


def check_images(report: str, rows: list[Row]) -> None:
    """Raise NothingToDo when not one image of the rows is there, as from another folder."""
    paths = list(dict.fromkeys(row["path"] for row in rows))
    if any(map(os.path.lexists, paths)):
        return
    if os.path.isabs(paths[0]):
        remedy = "they have been moved or removed since the scan"
    else:
        remedy = "the report's paths are relative: run it in the folder where the scan ran"
    raise NothingToDo(
        f"{printable(report)}: {len(rows)} faces in it, but none of their {len(paths)} images is "
        f"there, such as {printable(paths[0])}; {remedy}"
    )


def reread(rows: list[Row], reader: FaceReader) -> Iterator[tuple[FoundFace, Row] | Missed]:
    """Every face of the report with its row; an image that is gone or has changed is missed."""
    images = [list(of) for _, of in itertools.groupby(rows, key=lambda row: row["path"])]
    refs = (ImageRef(n, of[0]["path"], of[0]["path"]) for n, of in enumerate(images))
    for item in reader.decoder.decode(refs):
        reader.stop()
        of = images[item.ref.index]
        image = LabelledImage(of[0]["path"], False, "", "")
        if isinstance(item, Unreadable):
            yield Missed(image, item.message, unreadable=True)
        elif of[0]["sha256"] != item.facts.sha256:
            yield Missed(image, "the file is not the one that was scanned", unreadable=True)
        else:
            for row in of:
                box = _box(row)
                centre = [[(box.left + box.right) / 2, (box.top + box.bottom) / 2]]
                face = Face(box, np.tile(np.array(centre, np.float32), (5, 1)), 1.0)
                crop = cut(item, face, int(row["face"]), reader.judge.crop_scale)
                yield FoundFace(image, item, crop, box.longer_side), row


def _box(row: Row) -> Box:
    left, top, right, bottom = (float(row[name]) for name in ("x1", "y1", "x2", "y2"))
    if not max(map(abs, (left, top, right, bottom))) < 1e6:  # NaN fails too
        raise ValueError("a box that no picture has")
    return Box(left, top, right, bottom)


def _unguarded(cell: str) -> str:
    """A CSV cell without the apostrophe that keeps spreadsheets from running it."""
    return cell[1:] if cell.startswith("'") else cell
