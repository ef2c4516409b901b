"""Labelled images: folders `real/` and `fake/`, or a CSV with the columns path and label.

This is the only place that reads labels.
"""

import csv
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import Unreadable
from fakefacecli.labelled.decisions import UNSURE, Decision, are_decisions, read_decision
from fakefacecli.scan.source import PathSource

# of these no training learns: test and held_out are for measuring alone; unseen, of sources that
# no network was trained on, may also be fused on
KEPT_OUT = ("test", "held_out", "unseen")
SPLITS = ("train", "val", *KEPT_OUT)
LABELS = {"real": False, "fake": True}
_PATH_COLUMNS = ("path", "file")
_LISTING = "labels.csv"
CACHE_ENDING = ".faces"  # a folder of faces that training has cut out, perhaps beside the data


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image file whose origin is known.

    Images of one `group` (a generator, a person, a source) belong together and are never split;
    "" means that nothing is known. `split` is one of SPLITS, or "" where none was given.
    `generator` is what made a fake; `face_px` the longer side of the face's box in the picture that
    a ready crop was cut from; "" and None where they are not known. `outside` is the share of a
    ready crop that lay beyond that picture, in [0, 1]. `face` is the number of the face that is
    meant, None for every face; `sha256` that of the file when it was labelled.
    """

    path: str
    fake: bool
    group: str
    split: str
    generator: str = ""
    face_px: float | None = None
    outside: float = 0.0
    face: int | None = None
    sha256: str = ""


def read_data(data: str) -> list[LabelledImage]:
    """The labelled images of `data`, in the order of the CSV or of their names.

    `data` is a folder that holds `real/` and `fake/`, or folders named after SPLITS with those
    below; a folder between a class and its files is the group. Or it is a CSV (or a
    folder with a labels.csv): path (from the CSV's own folder), label (real or fake), optionally
    group, split, generator, face_px and outside; or a decisions.csv, whose `unsure` faces are left
    out. Raises NothingToDo when there is no image,
    UsageError for what cannot be understood, naming the file and the row.
    """
    listing = os.path.join(data, _LISTING)
    if os.path.isdir(data):
        found = _read_csv(listing) if os.path.isfile(listing) else _read_folders(data)
    elif os.path.isfile(data):
        found = _read_csv(data)
    else:
        raise NothingToDo(f"no such file or folder: {data}; wanted labelled images")
    if not found:
        raise NothingToDo(f"{data}: no labelled image in it")
    return found


def _read_folders(root: str) -> list[LabelledImage]:
    here = _folders_in(root)
    splits = [name for name in SPLITS if name in here]
    classes = [name for name in LABELS if name in here]
    # neither both nor none of them, and nothing else: a folder that is passed over in silence could
    # be a misspelt class
    strange = sorted(here - {*SPLITS, *LABELS})
    if strange or bool(splits) == bool(classes):
        found = ", ".join(sorted(here)) or "no folder"
        raise UsageError(
            f"{root}: {found} found, wanted real and fake, or {', '.join(SPLITS)} with "
            f"those below, or a {_LISTING}"
        )
    images: list[LabelledImage] = []
    for split in splits or [""]:
        folder = os.path.join(root, split) if split else root
        inside = _folders_in(folder)
        if not inside or not inside <= set(LABELS):
            raise UsageError(f"{folder}: wanted the folders real and fake in it")
        for name in sorted(inside):
            images += _images_below(os.path.join(folder, name), LABELS[name], split)
    return images


def _folders_in(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            # hidden folders (.git, .cache) are no part of the data
            names = {entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."}
            return {name for name in names if not name.endswith(CACHE_ENDING)}
    except OSError as error:
        raise _unreadable(folder, error) from error


def _images_below(folder: str, fake: bool, split: str) -> Iterator[LabelledImage]:
    for item in PathSource(SourceOptions((folder,), follow_symlinks=True)):
        # unlike in a scan, where it is a row: figures must not silently lack a folder
        if isinstance(item, Unreadable):
            raise UsageError(f"{item.ref.path}: {item.message}")
        yield LabelledImage(item.path, fake, os.path.dirname(item.name), split)


def _read_csv(path: str) -> list[LabelledImage]:
    images: list[LabelledImage] = []
    rows: dict[tuple[str, int | None], int] = {}
    try:
        # -sig: Excel begins a file in UTF-8 with a byte order mark
        with open(path, newline="", encoding="utf-8-sig") as handle:
            # not pandas, which cannot tell in which line a row ends: errors name that line
            reader = csv.DictReader(handle, strict=True)
            read = _reader_of_rows(path, reader.fieldnames or ())
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                image = read(row, where)
                if image is None:
                    continue
                # a file that is there twice would count twice, and could be in two splits
                key = (os.path.normpath(image.path), image.face)
                before = rows.setdefault(key, reader.line_num)
                if before != reader.line_num:
                    what = "file" if image.face is None else "face"
                    raise UsageError(
                        f"{where}: {image.path} is in line {before} already; name each {what} once"
                    )
                images.append(image)
    except OSError as error:
        raise _unreadable(path, error) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a CSV in UTF-8 ({error})") from error
    return images


def _reader_of_rows(
    path: str, header: Sequence[str]
) -> Callable[[dict[str, str | None], str], LabelledImage | None]:
    """What reads a row of this CSV; it gives None for one that is left out."""
    folder = os.path.dirname(path)
    if are_decisions(header):
        return lambda row, where: _decided(read_decision(row, folder, where))
    column = _path_column(path, header)
    return lambda row, where: _read_row(row, column, folder, where)


def _decided(decision: Decision) -> LabelledImage | None:
    if decision.word == UNSURE:
        return None
    fake = LABELS[decision.word]
    return LabelledImage(decision.path, fake, "", "", face=decision.number, sha256=decision.sha256)


def _path_column(path: str, header: Sequence[str]) -> str:
    column = next((name for name in _PATH_COLUMNS if name in header), None)
    if column is None or "label" not in header:
        found = ", ".join(header) or "nothing"
        raise UsageError(
            f"{path}: columns {found} found, wanted path and label, optionally group and split, "
            "or the columns of a decisions.csv"
        )
    return column


def _read_row(row: dict[str, str | None], column: str, folder: str, where: str) -> LabelledImage:
    name, label = row[column] or "", (row["label"] or "").strip().lower()
    group, split = row.get("group") or "", (row.get("split") or "").strip().lower()
    if label not in LABELS:
        raise UsageError(f"{where}: label '{label}' found, wanted real or fake")
    if split and split not in SPLITS:
        known = ", ".join(SPLITS)
        raise UsageError(f"{where}: split '{split}' found, wanted {known} or nothing")
    image = os.path.join(folder, name)
    if not name or not os.path.isfile(image):
        raise UsageError(f"{where}: no such file: {image}")
    return LabelledImage(
        image,
        LABELS[label],
        group.strip(),
        split,
        generator=(row.get("generator") or "").strip(),
        face_px=_pixels(row.get("face_px"), where),
        outside=_share(row.get("outside"), where),
    )


def _pixels(text: str | None, where: str) -> float | None:
    found = _number(text)
    if found is not None and not 0 < found < math.inf:
        raise UsageError(f"{where}: face_px '{text or ''}' found, wanted pixels")
    return found


def _share(text: str | None, where: str) -> float:
    found = _number(text)
    if found is not None and not 0 <= found <= 1:
        raise UsageError(f"{where}: outside '{text or ''}' found, wanted a share from 0 to 1")
    return found or 0.0


def _number(text: str | None) -> float | None:
    """The number in a cell, NaN for what is none; None for an empty cell."""
    if not (text or "").strip():
        return None
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _unreadable(path: str, error: OSError) -> UsageError:
    return UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}")
