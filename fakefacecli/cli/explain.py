"""`fakeface explain IMAGE`: every face of one image, with its evidence."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import ExitCode, NothingToDo
from fakefacecli.base.files import atomic_write
from fakefacecli.base.options import (
    DEFAULT_MODEL,
    DecodeOptions,
    Detectors,
    Explain,
    JudgeOptions,
    SourceOptions,
    Stability,
    Turns,
)
from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import DetectorName, Status
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.parse import parse_thresholds, refuse_empty

if TYPE_CHECKING:
    from PIL.Image import Image

    from fakefacecli.base.findings import ImageReport
    from fakefacecli.base.protocols import Detector
    from fakefacecli.base.records import DecodedImage, Face
    from fakefacecli.models.judge import AnyCheckpoint


class _NumberedPictures:
    """A PictureWriter: the first face's picture is `out`, the next have -2, -3... in the name."""

    def __init__(self, out: str, image: str):
        self.image = image
        self.stem, self.suffix = os.path.splitext(out)
        self.paths: list[str] = []

    def require_room(self, count: int) -> None:
        """Raise CannotWrite if one of `count` pictures would replace what is no overlay of ours."""
        from fakefacecli.scan.targets import check_picture

        for number in range(1, count + 1):
            check_picture(self._path(number), self.image)

    def write(self, name: str, picture: "Image") -> None:
        from fakefacecli.overlay.mark import save_marked

        path = self._path(len(self.paths) + 1)
        with atomic_write(path) as handle:
            save_marked(picture, handle, "PNG" if self.suffix.lower() == ".png" else "JPEG")
        self.paths.append(path)

    def _path(self, number: int) -> str:
        return self.stem + (f"-{number}" if number > 1 else "") + self.suffix


class _RoomCheckingDetector:
    """A Detector that checks, once it has found the faces, that their pictures can be written.

    Only then is their number known, and no picture has been written yet.
    """

    def __init__(self, detector: "Detector", pictures: _NumberedPictures):
        self.detector = detector
        self.pictures = pictures

    def detect(self, images: "Sequence[DecodedImage]") -> "list[tuple[Face, ...]]":
        found = self.detector.detect(images)
        self.pictures.require_room(sum(map(len, found)))
        return found


@dataclass(frozen=True, slots=True)
class ExplainFlags:
    """What was typed after `fakeface explain`."""

    image: Annotated[str, typer.Argument(metavar="IMAGE", help="One image.", show_default=False)]
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The picture (default: IMAGE's name + .overlay.jpg, here); "
            "further faces get -2, -3... before the suffix. Only overlays are replaced.",
        ),
    ] = None
    model: flags.Model = DEFAULT_MODEL
    threshold: Annotated[str | None, flags.threshold("As in scan.")] = None
    min_face: Annotated[int, flags.min_face("Smallest face looked for, px, as in scan.")] = 40
    detector: flags.Detector = Detectors.BOTH
    turns: flags.LookTurned = Turns.AUTO
    stability: Annotated[Stability, flags.stability()] = Stability.FLAGGED
    device: flags.Device = "auto"


@error_boundary
@flags.takes(ExplainFlags)
def explain(given: ExplainFlags) -> ExitCode:
    """Save an overlay of every face of one image and print a table."""
    from fakefacecli.models.bundled import find_model
    from fakefacecli.scan.targets import check_picture

    image = given.image
    refuse_empty({"IMAGE": image, "--out": given.out, "--model": given.model})
    # a folder would be walked like a scan's, and have many reports
    if os.path.isdir(image):
        raise NothingToDo(f"{image} is a folder; explain takes one image")
    target = given.out or f"{os.path.basename(image)}.overlay.jpg"
    check_picture(target, image)
    pictures = _NumberedPictures(target, image)
    options = JudgeOptions(
        given.model,
        parse_thresholds(given.threshold),
        given.min_face,
        given.device,
        detector=given.detector,
        turns=given.turns,
    )
    checkpoint = find_model(options.model)
    report = _explained(image, pictures, options, checkpoint, given.stability)
    if report.status is Status.ERROR:
        complain(f"{image}: {report.code}: {report.message}")
        return ExitCode.SOME_UNREADABLE
    _table(report, pictures.paths)
    _contributions(report, checkpoint)
    return ExitCode.COMPLETE


def _explained(
    image: str,
    pictures: _NumberedPictures,
    options: JudgeOptions,
    checkpoint: "AnyCheckpoint",
    stability: Stability,
) -> "ImageReport":
    """Judge the image as a scan would, and write an overlay of every face."""
    from fakefacecli.scan.build import build_decoder, build_judge, made_stable
    from fakefacecli.scan.pipeline import Stages, scan
    from fakefacecli.scan.source import PathSource

    # unlike in a scan: who names a single link means the picture it leads to
    items = list(PathSource(SourceOptions((image,), follow_symlinks=True)))
    with stoppable() as stop:
        judge = build_judge(options, checkpoint, stop, explains=True)
        judge = made_stable(judge, stability)
        # one image is one batch: more lanes would only start threads
        judge = replace(judge, detector=_RoomCheckingDetector(judge.detector, pictures), lanes=1)
        decoder = build_decoder(DecodeOptions(workers=1), stop=stop, follow_symlinks=True)
        with contextlib.closing(decoder):
            [report] = scan(items, Stages(decoder, judge, Explain.ALL, pictures), 1, stop)
    return report


def _table(report: "ImageReport", paths: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not report.findings:
        console.print(Text(printable(f"{report.ref.path}: no face found")))
        return
    table = Table("face", "box", "size", "p_fake", "verdict", "reason")
    for number, finding in enumerate(report.findings, 1):
        box, verdict = finding.box, finding.verdict
        table.add_row(
            str(number),
            f"{box.left:.0f},{box.top:.0f} {box.right:.0f},{box.bottom:.0f}",
            f"{box.longer_side:.0f} px",
            f"{verdict.fake_probability:.4f}",
            # with spaces, where a narrow terminal can break them
            str(verdict.label).replace("_", " "),
            str(verdict.reason).replace("_", " "),
        )
    console.print(table)
    for number, path in enumerate(paths, 1):
        console.print(Text(printable(f"face {number}: {path}")), soft_wrap=True)
    alone = [
        str(number)
        for number, finding in enumerate(report.findings, 1)
        if finding.detector is DetectorName.CENTERFACE
    ]
    if alone:
        console.print(f"Found by CenterFace alone: face {', '.join(alone)}.")
    console.print("A verdict is evidence, not proof.")


def _contributions(report: "ImageReport", checkpoint: "AnyCheckpoint") -> None:
    """What each network of a judge added to the faces' scores; nothing of a single network."""
    from rich.console import Console
    from rich.table import Table

    from fakefacecli.models.judge import contributions, member_names, members_of
    from fakefacecli.overlay.bars import amount_text

    if not report.findings or not (names := member_names(checkpoint)):
        return
    parts = [(m.name, m.weight, m.checkpoint.card) for m in members_of(checkpoint)]
    table = Table("face", *names)
    for number, finding in enumerate(report.findings, 1):
        row = contributions(parts, finding.verdict.opinions)
        table.add_row(str(number), *map(amount_text, row))
    console = Console(highlight=False)
    console.print("What each network added to the score (above 0: for fake):")
    console.print(table)
