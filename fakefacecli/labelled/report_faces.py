"""The faces of a finished scan, cut out of their images again by the boxes in its report."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.records import Box, Face, ImageRef, Unreadable
from fakefacecli.base.text import exact, from_json, printable
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace, Missed, face_in_box
from fakefacecli.scan.crop import cut

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".json", ".jsonl")
_FACE = ("face", "x1", "y1", "x2", "y2")
_TURNED = ("roll", "turn")
_NEEDED = ("path", "status", *_FACE, "verdict", "sha256")


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """An image of a report: its exact path, its file's hash, and its faces by their numbers."""

    path: str
    sha256: str
    faces: tuple[tuple[int, Face], ...]


def is_report(path: str) -> bool:
    """Whether `path` is a file that a scan wrote, and not a CSV of labels."""
    if not (os.path.isfile(path) and path.lower().endswith(SUFFIXES)):
        return False
    if not path.lower().endswith(".csv"):
        return True
    with open(path, newline="", encoding="utf-8", errors="replace") as handle:
        return "p_fake" in handle.readline()


def read_report(path: str) -> list[ScannedImage]:
    """The images of a report that hold a face, in its order.

    Raises UsageError for what is no report of fakeface, NothingToDo when it holds no face.
    """
    try:
        table = _read_table(path)
        missing = [name for name in _NEEDED if name not in table]
        if missing and len(table):
            raise UsageError(f"{path}: no column {missing[0]}; wanted a report of fakeface scan")
        images = _images(table) if len(table) else []
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a report of fakeface scan ({error})") from error
    if not images:
        raise NothingToDo(f"{path}: no face in it")
    return images


def _read_table(path: str) -> "pd.DataFrame":
    """The rows of a report, their paths as in a CSV; all cells of a CSV are text."""
    import pandas as pd

    if path.lower().endswith(".csv"):
        # a face in a folder called "NA" is not a missing value
        table = pd.read_csv(path, dtype=str, na_filter=False)
        if not isinstance(table.index, pd.RangeIndex):  # pandas took the first cells for names
            raise ValueError("rows with more cells than columns")
        # the apostrophe that keeps spreadsheets from running a cell, see reports.rows.guarded
        return pd.DataFrame({name: table[name].str.removeprefix("'") for name in table})
    with open(path, encoding="utf-8") as handle:
        if path.lower().endswith(".json"):
            rows = json.load(handle)["rows"]
        else:
            rows = [row for line in handle if "run" not in (row := json.loads(line))]
    if not isinstance(rows, list):
        raise TypeError("no list of rows")
    for row in rows:
        # pandas cannot group by names that are not UTF-8
        row["path"] = printable(from_json(row["path"], row.get("path_bytes")))
    return pd.DataFrame(rows, dtype=object)  # numbers as they are: a gap makes no 1 a 1.0


def _images(table: "pd.DataFrame") -> list[ScannedImage]:
    # reports of single networks had no roll before, and none had a turn
    table = table.assign(**{name: 0 for name in _TURNED if name not in table})
    faces = table[table["face"].map(bool).astype(bool)]  # an empty cell, or null: no face
    return [
        ScannedImage(
            path=exact(of["path"].iloc[0]),
            sha256=of["sha256"].iloc[0],
            faces=tuple(
                (int(number), face_in_box(_box(*corners), float(roll), int(turn)))
                for number, *corners, roll, turn in of[[*_FACE, *_TURNED]].itertuples(
                    index=False, name=None
                )
            ),
        )
        for _, of in faces.groupby("path", sort=False, dropna=False)
    ]


def check_images(report: str, images: list[ScannedImage]) -> None:
    """Raise NothingToDo when not one of the images is there, as from another folder."""
    # one is enough: single images that are gone are reported one by one
    if any(os.path.lexists(image.path) for image in images):
        return
    first, faces = images[0].path, sum(len(image.faces) for image in images)
    if os.path.isabs(first):
        remedy = "they have been moved or removed since the scan"
    else:
        remedy = "the report's paths are relative: run it in the folder where the scan ran"
    raise NothingToDo(
        f"{report}: {faces} faces in it, but none of their {len(images)} images is "
        f"there, such as {first}; {remedy}"
    )


def reread(images: list[ScannedImage], reader: FaceReader) -> Iterator[FoundFace | Missed]:
    """Every face of the report; an image that is gone or has changed is missed."""
    refs = (ImageRef(n, image.path, image.path) for n, image in enumerate(images))
    for item in reader.decoder.decode(refs):
        reader.stop()
        scanned = images[item.ref.index]
        image = LabelledImage(scanned.path, False, "", "")
        if isinstance(item, Unreadable):
            yield Missed(image, item.message, unreadable=True)
        # in a picture that was replaced or edited the box may show no face, or another one
        elif scanned.sha256 != item.facts.sha256:
            yield Missed(image, "the file is not the one that was scanned", unreadable=True)
        else:
            for number, face in scanned.faces:
                crop = cut(item, face, number, reader.judge.window)
                yield FoundFace(image, item, crop, face.box.longer_side)


def _box(*corners: Any) -> Box:
    # reports come from anywhere: a huge box would be cut out as a huge array
    left, top, right, bottom = map(float, corners)
    if not max(map(abs, (left, top, right, bottom))) < 1e6:  # NaN fails too
        raise ValueError("a box that no picture has")
    return Box(left, top, right, bottom)
