"""The division of a training, kept beside its checkpoint: whoever measures must know it.

Without it nobody could tell the faces that a model learnt from those that it never saw.
"""

import contextlib
import csv
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fakefacecli.base.errors import UsageError
from fakefacecli.base.files import atomic_write
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.train.log import log_path
from fakefacecli.train.split import Division

_COLUMNS = ("path", "label", "group", "split", "generator", "face_px")


def division_path(model: str) -> str:
    """Where the division of the training that made `model` lies, if there was one."""
    return log_path(model, ".split.csv")


def write_division(
    out: str, images: Iterable[LabelledImage], division: Division, start: str | None = None
) -> None:
    """A row an image and the side it went to, a CSV as `read_data` takes it; CannotWrite.

    Images left out on both sides are not in it, those of test and held_out are, and so are those
    that the model `start`, from which the training began, had learnt from.
    """
    sides = {face.image.path: "val" for face in division.val}
    sides |= {face.image.path: "train" for face in division.train}
    rows: dict[str, tuple[str, ...]] = {}
    for image in images:
        split = sides.get(image.path, image.split)
        if image.path in sides or split in ("test", "held_out"):
            row = ("fake" if image.fake else "real", image.group, split, image.generator)
            rows[os.path.realpath(image.path)] = (*row, str(image.face_px or ""))
    for path, earlier in (_rows(start) if start else {}).items():
        if earlier["split"] == "train":
            rows.setdefault(path, tuple(earlier.get(name) or "" for name in _COLUMNS[1:]))
    with atomic_write(
        division_path(out), "w", encoding="utf-8", newline="", errors="surrogateescape"
    ) as handle:
        writer = csv.writer(handle)
        writer.writerow(_COLUMNS)
        writer.writerows((path, *row) for path, row in rows.items())


def keep_division(model: str, copy: str) -> None:
    """Put the division of `model` beside its `copy` too; CannotWrite."""
    with (
        contextlib.suppress(FileNotFoundError),
        open(division_path(model), "rb") as before,
        atomic_write(division_path(copy)) as handle,
    ):
        shutil.copyfileobj(before, handle)


def with_division(images: Sequence[LabelledImage], model: str) -> tuple[list[LabelledImage], int]:
    """`images`, those without a split in that of the training of `model`; and how many those are.

    An image is known by its path, links resolved. Raises UsageError when another kind of file
    bears the division's name.
    """
    kept = {path: row["split"] for path, row in _rows(model).items()}
    found = [image.split or kept.get(os.path.realpath(image.path), "") for image in images]
    told = sum(split != image.split for split, image in zip(found, images, strict=True))
    return [replace(image, split=split) for split, image in zip(found, images, strict=True)], told


def _rows(model: str) -> dict[str, dict[str, str]]:
    """The rows of the division of `model` by path; none where there is no such file."""
    path = division_path(model)
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as handle:
            rows = {row["path"]: row for row in csv.DictReader(handle, strict=True)}
    except FileNotFoundError:
        return {}
    except (OSError, csv.Error, KeyError):
        rows = {"": {}}
    if any(row.get("split") is None or row.get("label") is None for row in rows.values()):
        raise UsageError(
            f"{path}: not the division of a training, which it would be by its name; "
            "move it away from the model"
        )
    return rows
