"""A contact sheet of the flagged faces, for a person who looks through them."""

import heapq
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from fakefacecli.base.files import atomic_write
from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.options import ScanOptions
from fakefacecli.base.records import DecodedImage, Face, ImageRef, Unreadable
from fakefacecli.base.text import counted
from fakefacecli.base.verdicts import Label
from fakefacecli.overlay.mark import save_marked
from fakefacecli.overlay.sheet import COLOURS
from fakefacecli.overlay.tiles import THUMB_PX, Tile, draw_tiles
from fakefacecli.scan.build import build_decoder
from fakefacecli.scan.crop import cut

MOST_FACES = 400
_SPAN = 1.3  # of a face's box: the face with its hair


@dataclass(frozen=True, slots=True)
class Flagged:
    """A flagged face of an image, by its number in the report."""

    report: ImageReport
    number: int

    @property
    def key(self) -> tuple[int, int]:
        """What no other face of the run has: its image's index, and its number."""
        return self.report.ref.index, self.number

    @property
    def finding(self) -> FaceFinding:
        """What the report says of it."""
        return self.report.findings[self.number - 1]


def flagged_faces(reports: Iterable[ImageReport]) -> tuple[list[Flagged], int]:
    """The MOST_FACES flagged faces with the highest p_fake, and how many there are in all."""
    count = itertools.count()
    faces = (
        Flagged(report, number)
        for report in reports
        for number, finding in enumerate(report.findings, 1)
        if finding.verdict.label is Label.FLAGGED
    )
    # of equal scores the first; zip counts what passes by
    ranked = heapq.nlargest(
        MOST_FACES,
        zip(faces, count, strict=False),
        key=lambda pair: (pair[0].finding.verdict.fake_probability, -pair[1]),
    )
    return [face for face, _ in ranked], next(count)


def write_contact_sheet(
    path: str,
    reports: Iterable[ImageReport],
    options: ScanOptions,
    title: str,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Write the sheet to `path`, a PNG or JPEG by its suffix, whole or not at all; CannotWrite.

    The faces are cut out of their files again, in the decoder's own processes; one whose file has
    changed since is a grey tile. The names are those of the rows.
    """
    faces, all_of_them = flagged_faces(reports)
    shown = dict(_pictures(faces, options, stop))
    tiles = [
        _tile(face, shown.get((face.report.ref.index, face.number)), options) for face in faces
    ]
    more = f"; the {len(faces)} with the highest p_fake" if all_of_them > len(faces) else ""
    words = f"{counted(all_of_them, 'flagged face')}{more}. {title}. Evidence, not proof."
    sheet = draw_tiles(tiles, words)
    kind = "PNG" if os.path.splitext(path)[1].lower() == ".png" else "JPEG"
    with atomic_write(path) as handle:
        save_marked(sheet, handle, kind)


def _pictures(
    faces: list[Flagged], options: ScanOptions, stop: Callable[[], None]
) -> Iterator[tuple[tuple[int, int], Image.Image]]:
    """The cut faces by image index and number; those that cannot be had are left out."""
    by_image: dict[int, list[Flagged]] = {}
    for face in faces:
        by_image.setdefault(face.report.ref.index, []).append(face)
    if not by_image:
        return
    refs = [wanted[0].report.ref for wanted in by_image.values()]
    decoder = build_decoder(
        options.decode, stop=stop, follow_symlinks=options.source.follow_symlinks
    )
    with closing(decoder):
        for item in decoder.decode(refs):
            stop()
            for face in by_image[_ref_of(item).index]:
                if isinstance(item, DecodedImage) and (picture := _cut(item, face)):
                    yield face.key, picture


def _ref_of(item: DecodedImage | Unreadable | ImageRef) -> ImageRef:
    return item if isinstance(item, ImageRef) else item.ref


def _cut(photo: DecodedImage, face: Flagged) -> Image.Image | None:
    finding = face.finding
    frame = next((one for one in photo.all_frames if one.frame == finding.frame), None)
    if frame is None or photo.facts.sha256 != face.report.facts.sha256:
        return None
    # as it lies in the photograph; only the box is known, and needed
    bare = Face(finding.box, np.zeros((5, 2), np.float32), finding.detection_score)
    crop = cut(replace(frame, ref=photo.ref), bare, face.number, _SPAN)
    picture = Image.fromarray(crop.pixels)
    return picture.resize((THUMB_PX, THUMB_PX), Image.Resampling.BICUBIC)


def _tile(face: Flagged, picture: Image.Image | None, options: ScanOptions) -> Tile:
    ref, finding = face.report.ref, face.finding
    name = ref.name if options.redact_paths else os.path.basename(ref.path)
    number = f"face {face.number}" if len(face.report.findings) > 1 else ""
    below = " ".join(filter(None, (number, str(finding.verdict.reason).replace("_", " "))))
    p = f"{finding.verdict.fake_probability:.3f}"
    return Tile(picture, name, p, below, COLOURS[Label.FLAGGED], COLOURS[Label.FLAGGED])
