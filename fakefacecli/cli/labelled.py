"""What the measuring commands share: labelled images, and a model ready to judge their faces."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from fakefacecli.base.errors import ExitCode, NothingToDo
from fakefacecli.base.options import DecodeOptions, Frames, JudgeOptions, Precision
from fakefacecli.base.text import counted
from fakefacecli.cli.console import complain
from fakefacecli.cli.parse import refuse_if

if TYPE_CHECKING:
    from fakefacecli.evaluate.evaluation import MissedImage
    from fakefacecli.evaluate.run import Subject
    from fakefacecli.figures.results import Estimate
    from fakefacecli.labelled.data import LabelledImage
    from fakefacecli.models.judge import AnyCheckpoint


@contextlib.contextmanager
def open_model(
    options: JudgeOptions, faces: tuple[bool, float | None], stop: Callable[[], None]
) -> "Iterator[Subject]":
    """The model that `options` name, as `open_checkpoint` has it; ModelRefused for the model."""
    from fakefacecli.models.bundled import find_model

    with open_checkpoint(options, find_model(options.model), faces, stop) as subject:
        yield subject


@contextlib.contextmanager
def open_checkpoint(
    options: JudgeOptions,
    checkpoint: "AnyCheckpoint",
    faces: tuple[bool, float | None],
    stop: Callable[[], None],
    *,
    explains: bool = True,
) -> "Iterator[Subject]":
    """The model of `checkpoint` in float32; `faces` are --faces-only and --faces-scale.

    Raises UsageError for flags that contradict each other, ModelRefused for unsound weights.
    """
    from fakefacecli.evaluate.run import Subject
    from fakefacecli.labelled.faces import FaceReader
    from fakefacecli.scan.build import build_decoder, build_judge
    from fakefacecli.scan.classify import TorchClassifier
    from fakefacecli.scan.machine import default_workers
    from fakefacecli.scan.sizes import Sizes

    faces_only, scale = faces
    refuse_if({"--faces-scale goes with --faces-only": scale is not None and not faces_only})
    # figures must not depend on whether this machine's processor has bfloat16
    options = dataclasses.replace(options, precision=Precision.FP32)
    # with an explainer, evaluate draws overlays of mistakes
    judge = build_judge(options, checkpoint, stop, explains=explains)
    decode = DecodeOptions(default_workers(options.device), frames=Frames.FIRST)
    decoder = build_decoder(decode, Sizes(judge.lanes, judge.batch_size), stop)
    with contextlib.closing(decoder):
        classifier = judge.classifier
        # for mypy: build_judge always makes one, but the protocol of classifiers has no logits
        if not isinstance(classifier, TorchClassifier):
            raise TypeError(f"{type(classifier).__name__} found, wanted a TorchClassifier")
        ready = (scale or checkpoint.card.window.span) if faces_only else None
        reader = FaceReader(judge, decoder, ready, stop)
        yield Subject(checkpoint, classifier, reader, judge.device)


def labelled_images(
    data: str, models: Sequence[str], splits: Sequence[str], note: str = ""
) -> "list[LabelledImage]":
    """The images of the `splits` in `data`; says on stderr what is left out, followed by `note`.

    Images without a split get the one that the training of `models` put them into. Raises
    NothingToDo when no image is left.
    """
    from fakefacecli.labelled.data import read_data
    from fakefacecli.labelled.decisions import count_unsure
    from fakefacecli.train.split_file import with_division

    given = images = read_data(data)
    if unsure := count_unsure(data):
        complain(f"left out: {counted(unsure, 'face')} that somebody was unsure about")
    for model in models:
        found, divided = with_division(given, model)
        if divided:
            complain(f"{divided} images have the splits of the training of {model}")
        # an image that one of two models was trained on would be unfair to the other
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
    """The message about what `_of_splits` left out; "" when it left out nothing."""
    parts = ", ".join(f"{count} of split {name}" for name, count in sorted(left.items()))
    return f"left out: {parts}" if parts else ""


def estimate_words(found: "Estimate", by_image: "Estimate | None" = None) -> str:
    """A number and its interval; where there is none, that `by_image`."""
    if found.value is None:
        return "not defined"
    if found.low is not None:
        note = f"; {found.note}" if found.note else ""
        return f"{found.value:.3f}  ({found.low:.3f} to {found.high:.3f}{note})"
    if by_image is None or by_image.low is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f}  (by image {by_image.low:.3f} to {by_image.high:.3f})"


def report_missed(missed: "Sequence[MissedImage]", unread: str = "could not be read") -> ExitCode:
    """Say on stderr how many images gave no face, and return the exit code for that.

    `unread` describes those that could not be read.
    """
    unreadable = [image for image in missed if image.unreadable]
    faceless = [image for image in missed if not image.unreadable]
    for words, found in (("gave no face", faceless), (unread, unreadable)):
        if found:
            complain(
                f"{counted(len(found), 'image')} {words}, such as {found[0].path}: {found[0].why}"
            )
    return ExitCode.SOME_UNREADABLE if unreadable else ExitCode.COMPLETE
