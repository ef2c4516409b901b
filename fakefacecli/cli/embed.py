"""`fakeface embed`: a map of faces as a model sees them."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import ExitCode, NothingToDo, UsageError
from fakefacecli.base.files import atomic_write
from fakefacecli.base.options import DEFAULT_NETWORK, Colour, JudgeOptions, Projection
from fakefacecli.base.text import counted
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.flags import Device, FacesOnly, FacesScale, MinFace, Model, takes
from fakefacecli.cli.labelled import open_model, report_missed
from fakefacecli.cli.parse import refuse_if

if TYPE_CHECKING:
    from fakefacecli.embed.vectors import Point
    from fakefacecli.evaluate.run import Subject
    from fakefacecli.labelled.faces import FoundFace, Missed
    from fakefacecli.labelled.report_faces import ScannedImage

VECTORS = ".parquet"  # the one --out that is no map
_AT_ONCE = 64  # faces: only so many are held with their pixels, of all others the vectors


@dataclass(frozen=True, slots=True)
class EmbedFlags:
    """What was typed after `fakeface embed`."""

    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA|REPORT", help="Labelled images, or a report of fakeface scan."
        ),
    ]
    out: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="A map .html or .png, vectors .parquet. Repeatable."),
    ]
    model: Model = DEFAULT_NETWORK
    colour: Annotated[
        Colour | None,
        typer.Option(help="What colours mean (label; verdict for a report)."),
    ] = None
    projection: Annotated[Projection, typer.Option(help="auto: UMAP if installed, else t-SNE.")] = (
        Projection.AUTO
    )
    faces_only: FacesOnly = False
    faces_scale: FacesScale = None
    min_face: MinFace = 40
    device: Device = "auto"


@error_boundary
@takes(EmbedFlags)
def embed(flags: EmbedFlags) -> ExitCode:
    """Draw a map of faces by the model's penultimate features, or write these vectors."""
    from fakefacecli.embed.vectors import check_projection
    from fakefacecli.labelled.report_faces import check_images, is_report, read_report
    from fakefacecli.models.bundled import find_network

    _check_out(flags.out)
    check_projection(flags.projection)
    report = is_report(flags.data)
    _check_report(flags, report)
    rows = read_report(flags.data) if report else []
    # before the model is loaded: a report from another folder is a common mistake
    if report:
        check_images(flags.data, rows)
    find_network(flags.model, "embed")
    options = JudgeOptions(flags.model, min_face_px=flags.min_face, device=flags.device)
    with (
        stoppable() as stop,
        open_model(options, (flags.faces_only, flags.faces_scale), stop) as subject,
    ):
        points, missed = _points(
            _of_report(rows, subject) if report else _of_data(flags.data, subject), subject
        )
        if not points:
            _report_missed(missed, report)
            raise NothingToDo(f"{flags.data}: no face could be taken from its images")
        stop()  # the last time: a projection cannot be stopped on the way
        by = flags.colour or (Colour.VERDICT if report else Colour.LABEL)
        name = subject.checkpoint.card.name
        _write(points, flags.out, by, flags.projection, name)
    drawn = any(not path.lower().endswith(VECTORS) for path in flags.out)
    complain(f"{counted(len(points), 'face')} {'on the map' if drawn else 'written'}")
    return _report_missed(missed, report)


def _check_report(flags: EmbedFlags, report: bool) -> None:
    other_colour = report and flags.colour not in {None, Colour.VERDICT}
    only_verdicts = (
        f"--colour {flags.colour}: a report knows verdicts alone; leave --colour out, or give DATA"
    )
    refuse_if(
        {
            "--faces-only goes with labelled images, not with a report": report
            and flags.faces_only,
            only_verdicts: other_colour,
        }
    )


def _points(
    items: "Iterator[tuple[FoundFace, str] | Missed]", subject: "Subject"
) -> "tuple[list[Point], list[Missed]]":
    """The vectors of the faces among `items`, and the images that gave none."""
    from fakefacecli.embed.vectors import Embedder

    embedder = Embedder(subject.classifier)
    points: list[Point] = []
    missed: list[Missed] = []
    # in parts: the network wants several faces at once, the memory not all of them
    while part := list(itertools.islice(items, _AT_ONCE)):
        faces = [item for item in part if isinstance(item, tuple)]
        missed += [item for item in part if not isinstance(item, tuple)]
        points += embedder.points([face for face, _ in faces], [label for _, label in faces])
    return points, missed


def _of_data(data: str, subject: "Subject") -> "Iterator[tuple[FoundFace, str] | Missed]":
    from fakefacecli.labelled.data import read_data
    from fakefacecli.labelled.faces import FoundFace, read_faces

    for item in read_faces(read_data(data), subject.reader):
        if isinstance(item, FoundFace):
            yield item, "fake" if item.image.fake else "real"
        else:
            yield item


def _of_report(
    images: "list[ScannedImage]", subject: "Subject"
) -> "Iterator[tuple[FoundFace, str] | Missed]":
    from fakefacecli.labelled.faces import FoundFace
    from fakefacecli.labelled.report_faces import reread

    for item in reread(images, subject.reader):
        yield (item, "") if isinstance(item, FoundFace) else item


def _report_missed(missed: "list[Missed]", report: bool) -> ExitCode:
    from fakefacecli.evaluate.run import missed_images

    unread = "could not be read as scanned" if report else "could not be read"
    return report_missed(missed_images(missed), unread)


def _write(
    points: "list[Point]", out: list[str], by: Colour, projection: Projection, model: str
) -> None:
    import numpy as np

    from fakefacecli.embed.map import draw_map, write_map, write_vectors
    from fakefacecli.embed.vectors import project

    at, how = project(np.stack([point.vector for point in points]), projection)
    title = f"{model}: {len(points)} faces, {how}"
    for path in out:
        ending = os.path.splitext(path)[1].lower()
        if ending == VECTORS:
            content = write_vectors(points, at)
        elif ending == ".png":
            content = draw_map(points, at, by, title)
        else:
            content = write_map(points, at, by, title).encode()
        with atomic_write(path) as handle:
            handle.write(content)
        complain(f"written {path}")


def _check_out(out: list[str]) -> None:
    from fakefacecli.embed.map import SUFFIXES
    from fakefacecli.scan.targets import check_file

    # realpath: two names may lead to one file, and the second would replace the first
    if len(set(map(os.path.realpath, out))) < len(out):
        raise UsageError("two --out name the same file; name each once")
    for path in out:
        ending = os.path.splitext(path)[1].lower()
        if ending not in SUFFIXES:
            wanted = ", ".join(SUFFIXES)
            raise UsageError(f"--out {path}: wanted a name that ends in {wanted}")
        check_file(path)
