"""The division of a training, kept beside its checkpoint, for those who measure the model later.

Without it nobody could tell the faces that a model learnt from apart from those it never saw.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fakefacecli.base.errors import UsageError
from fakefacecli.base.files import atomic_write
from fakefacecli.labelled.data import KEPT_OUT, LABELS, SPLITS, LabelledImage
from fakefacecli.models.bundled import BUNDLED
from fakefacecli.train.log import log_path
from fakefacecli.train.split import Division

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("path", "label", "group", "split", "generator", "face_px")


def division_path(model: str) -> str:
    """Where the division of the training that made `model` lies, if there was one."""
    return log_path(model, ".split.csv")


def write_division(
    out: str, images: Iterable[LabelledImage], division: Division, start: str | None = None
) -> None:
    """Write a row for each image with the side it went to, as `read_data` takes it; CannotWrite.

    Images left out on both sides are not in it, those of KEPT_OUT are, and so are those that
    the model `start`, from which the training began, had learnt from.
    """
    import pandas as pd

    sides = {face.image.path: "val" for face in division.val}
    sides |= {face.image.path: "train" for face in division.train}
    rows = []
    for image in images:
        split = sides.get(image.path, image.split)
        if image.path in sides or split in KEPT_OUT:
            rows.append(_row(image, split))
    table = pd.DataFrame(rows, columns=_COLUMNS, dtype=object)
    if start:
        table = pd.concat([table, _rows_of_training(start)])
    # the first of equal paths stays: what this training did with an image
    _write(table, out)


def keep_division(model: str, copy: str) -> None:
    """Put the division of `model` beside its `copy` too; CannotWrite."""
    with (
        contextlib.suppress(FileNotFoundError),
        open(_path_of_named(model), "rb") as before,
        atomic_write(division_path(copy)) as handle,
    ):
        shutil.copyfileobj(before, handle)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a model was trained on: the real paths of images, and the groups that have a name."""

    paths: frozenset[str]
    groups: frozenset[str]


def learnt_by(model: str) -> Learnt:
    """What the division of `model` says it learnt from; nothing where it has none."""
    learnt = _rows_of_training(model)
    return Learnt(frozenset(learnt["path"]), frozenset(learnt["group"]) - {""})


def join_divisions(models: Iterable[str], images: Iterable[LabelledImage], out: str) -> None:
    """Write beside `out` what any of the `models` learnt from, and the `images` in their splits.

    Images of no split are val: a judge was fitted on them, its members were trained on the others.
    Raises CannotWrite.
    """
    import pandas as pd

    learnt = map(_rows_of_training, models)
    rows = [_row(image, image.split or "val") for image in images]
    table = pd.concat([*learnt, pd.DataFrame(rows, columns=_COLUMNS, dtype=object)])
    _write(table, out)


def with_division(images: Sequence[LabelledImage], model: str) -> tuple[list[LabelledImage], int]:
    """`images`, those without a split in that of the training of `model`; and how many those are.

    An image is known by its path, links resolved. Raises UsageError when another kind of file
    has the division's name.
    """
    division = _read(model)
    kept = dict(zip(division["path"], division["split"], strict=True))
    splits = [image.split or kept.get(os.path.realpath(image.path), "") for image in images]
    found = [replace(image, split=split) for image, split in zip(images, splits, strict=True)]
    return found, sum(new != old for new, old in zip(found, images, strict=True))


def _row(image: LabelledImage, split: str) -> tuple[str, ...]:
    label, px = "fake" if image.fake else "real", str(image.face_px or "")
    path = os.path.realpath(image.path)
    return path, label, image.group, split, image.generator, px


def _write(table: "pd.DataFrame", out: str) -> None:
    """Of rows with equal paths the first is written."""
    with atomic_write(
        division_path(out), "w", encoding="utf-8", newline="", errors="surrogateescape"
    ) as handle:
        table.drop_duplicates("path").to_csv(handle, index=False, lineterminator="\r\n")


def _path_of_named(model: str) -> str:
    """Where the division of a --model or --init lies: a bundled model's is beside its own file."""
    # the bundled name is no path: a file called so in the current folder is somebody else's
    return division_path(BUNDLED[model].path if model in BUNDLED else model)


def _rows_of_training(model: str) -> "pd.DataFrame":
    """The rows of the images that `model` learnt from, with all of _COLUMNS."""
    division = _read(model).reindex(columns=_COLUMNS, fill_value="")
    return division[division["split"] == "train"]


def _read(model: str) -> "pd.DataFrame":
    """The division of `model`, all cells text; no row where there is no such file."""
    import pandas as pd

    path = _path_of_named(model)
    try:
        # object, for str cannot hold a name that is not UTF-8
        table = pd.read_csv(
            path, dtype=object, keep_default_na=False, encoding_errors="surrogateescape"
        )
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame(columns=_COLUMNS, dtype=object)
    except (OSError, pd.errors.ParserError):
        table = pd.DataFrame()
    if not (
        {"path", "label", "split"} <= {*table.columns}
        and table["label"].isin([*LABELS]).all()
        and table["split"].isin(SPLITS).all()
    ):
        raise UsageError(
            f"{path}: not the division of a training, which it would be by its name; "
            "move it away from the model"
        )
    return table
