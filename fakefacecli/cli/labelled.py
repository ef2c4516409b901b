"""What the measuring commands share: flags, and a model ready to be given labelled faces."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakefacecli.base.errors import ExitCode, NothingToDo
from fakefacecli.base.text import counted
from fakefacecli.cli.console import complain

if TYPE_CHECKING:
    from fakefacecli.evaluate.run import Subject
    from fakefacecli.labelled.data import LabelledImage

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A folder with real/ and fake/, or a CSV with path and label."
    ),
]
FacesOnly = Annotated[bool, typer.Option("--faces-only", help="The images are ready face crops.")]
FacesScale = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        max=4.0,
        help="With --faces-only: a crop's side over the face's box (the model's own).",
    ),
]
MinFace = Annotated[int, typer.Option(min=12, max=2000, help="Smallest face, px.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda|cuda:N|mps", help="As in scan.")]


@contextlib.contextmanager
def open_model(
    model: str,
    faces: tuple[bool, float | None],
    min_face: int,
    device: str,
    stop: Callable[[], None],
) -> "Iterator[Subject]":
    """The model `--model` names; `faces` are --faces-only and --faces-scale.

    Raises UsageError for flags that contradict each other, ModelRefused for the model.
    """
    from fakefacecli.base.options import Precision, ScanOptions, SourceOptions
    from fakefacecli.cli.parse import refuse_idle
    from fakefacecli.evaluate.run import Subject
    from fakefacecli.labelled.faces import FaceReader
    from fakefacecli.models.bundled import find_model
    from fakefacecli.scan.build import build, default_workers
    from fakefacecli.scan.classify import TorchClassifier

    faces_only, scale = faces
    refuse_idle({"--faces-scale goes with --faces-only": scale is not None and not faces_only})
    checkpoint = find_model(model)
    options = ScanOptions(
        SourceOptions(),
        model=model,
        min_face_px=min_face,
        device=device,
        precision=Precision.FP32,
        workers=default_workers(),
    )
    stages, where = build(options, checkpoint, stop, explains=True)
    with contextlib.closing(stages.decoder):
        classifier = stages.classifier
        if not isinstance(classifier, TorchClassifier):
            raise TypeError(f"{type(classifier).__name__} found, wanted a TorchClassifier")
        ready = (scale or checkpoint.card.crop_scale) if faces_only else None
        yield Subject(checkpoint, classifier, FaceReader(stages, ready, stop), where)


def labelled_images(
    data: str, models: Sequence[str], splits: Sequence[str], note: str = ""
) -> "list[LabelledImage]":
    """The images of the `splits` in `data`; says what is left out, and `note` with it.

    Images without a split have that of the training of `models`. Raises NothingToDo when none is
    left.
    """
    from fakefacecli.labelled.data import read_data
    from fakefacecli.train.split_file import with_division

    given = images = read_data(data)
    for model in models:
        found, told = with_division(given, model)
        if told:
            complain(f"{told} images go by the splits of the training of {model}")
        # what one model has learnt from is no measure of another against it either
        images = [
            new if new.split == "train" or not old.split else old
            for old, new in zip(images, found, strict=True)
        ]
    kept, left = _of_splits(images, splits)
    if words := _left_out(left):
        complain(words + note)
    if not kept:
        names = ", ".join(name or "none" for name in splits)
        raise NothingToDo(f"{data}: no image of the splits {names}")
    return kept


def _of_splits(
    images: "Sequence[LabelledImage]", wanted: Sequence[str]
) -> "tuple[list[LabelledImage], dict[str, int]]":
    """The images of the splits `wanted` ("" for those of none), and how many others by split."""
    kept = [image for image in images if image.split in wanted]
    left: dict[str, int] = {}
    for image in images:
        if image.split not in wanted:
            left[image.split or "no"] = left.get(image.split or "no", 0) + 1
    return kept, left


def _left_out(left: dict[str, int]) -> str:
    """Words for what `_of_splits` left out; nothing if that was nothing."""
    parts = ", ".join(f"{count} of split {name}" for name, count in sorted(left.items()))
    return f"left out: {parts}" if parts else ""


def told_missed(missed: Sequence[Mapping[str, Any]], unread: str = "could not be read") -> ExitCode:
    """Say which images gave no face (rows of `without_a_face`); the exit code that follows.

    `unread` are the words for those that could not be looked at."""
    unreadable = [row for row in missed if row["unreadable"]]
    faceless = [row for row in missed if not row["unreadable"]]
    for words, found in (("gave no face", faceless), (unread, unreadable)):
        if found:
            complain(
                f"{counted(len(found), 'image')} {words}, such as {found[0]['path']}: "
                f"{found[0]['why']}"
            )
    return ExitCode.SOME_UNREADABLE if unreadable else ExitCode.COMPLETE
