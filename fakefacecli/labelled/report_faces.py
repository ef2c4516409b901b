"""The faces of a finished scan, cut out of their images again by the boxes in its report."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.records import Box, Face, ImageRef, Unreadable
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace, Missed, face_in_box
from fakefacecli.reports import read
from fakefacecli.reports.rows import Row
from fakefacecli.scan.crop import cut

SUFFIXES = tuple(f".{name}" for name in read.READABLE)
_CORNERS = ("x1", "y1", "x2", "y2")
_NEEDED = ("path", "status", "face", *_CORNERS, "verdict", "sha256")


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
    report = read.read_report(path)
    missing = [name for name in _NEEDED if name not in report.columns]
    if missing and report.rows:
        raise UsageError(f"{path}: no column {missing[0]}; wanted a report of fakeface scan")
    try:
        images = _images(report.rows)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: not a report of fakeface scan ({error})") from error
    if not images:
        raise NothingToDo(f"{path}: no face in it")
    return images


def _images(rows: Sequence[Row]) -> list[ScannedImage]:
    faces: dict[str, list[Row]] = {}
    for row in rows:
        if row["face"] is not None:
            faces.setdefault(row["path"], []).append(row)
    return [
        ScannedImage(path, of[0]["sha256"], tuple((row["face"], _face(row)) for row in of))
        for path, of in faces.items()
    ]


def _face(row: Row) -> Face:
    box = _box(*(row[name] for name in _CORNERS))
    # reports of single networks had no roll before, and none had a turn
    return face_in_box(box, row["roll"] or 0.0, row["turn"] or 0)


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


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    # reports come from anywhere: a huge box would be cut out as a huge array
    if not max(map(abs, (left, top, right, bottom))) < 1e6:  # NaN fails too
        raise ValueError("a box that no picture has")
    return Box(left, top, right, bottom)
