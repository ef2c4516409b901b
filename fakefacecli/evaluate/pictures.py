"""Faces to look at: the most confident mistakes with their overlays, and a grid of predictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from fakefacecli.base.records import ImageRef
from fakefacecli.base.verdicts import Thresholds, Verdict
from fakefacecli.evaluate.scored import Judged
from fakefacecli.labelled.faces import FaceReader, FoundFace, read_faces
from fakefacecli.models.judge import AnyCard
from fakefacecli.overlay.lettering import shorten, showable, typeface
from fakefacecli.overlay.sheet import COLOURS, FAINT, INK, PAPER, draw_overlay

_THUMB, _LINES, _GAP = 150, 42, 10  # px
_COLUMNS = 8
RIGHT_RIM, WRONG_RIM, OPEN_RIM = (46, 125, 80), (179, 38, 30), (200, 204, 208)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A face to look at again: its place among the judged faces, the verdict, its pixels."""

    place: int
    verdict: Verdict
    found: FoundFace


def mistakes(judged: Judged, card: AnyCard, most: int) -> tuple[list[int], list[int]]:
    """Places of the real faces with the highest p_fake and the fakes with the lowest.

    At most `most` each, the worst first, and only those on the wrong side of 0.5.
    """
    p, fake = judged.p_fake(card), judged.fake
    # stable: where p_fake ties, the same faces give the same pictures
    alarms = [int(n) for n in np.argsort(-p, kind="stable") if not fake[n] and p[n] >= 0.5]
    misses = [int(n) for n in np.argsort(p, kind="stable") if fake[n] and p[n] < 0.5]
    return alarms[:most], misses[:most]


def sample(judged: Judged, most: int, seed: int = 0) -> list[int]:
    """Places of `most` faces drawn at random, real and fake ones in turn while both last."""
    chance = np.random.default_rng(seed)
    fake = judged.fake
    piles = [list(chance.permutation(np.flatnonzero(fake == kind))) for kind in (False, True)]
    drawn: list[int] = []
    while any(piles) and len(drawn) < most:
        drawn += [int(pile.pop()) for pile in piles if pile][: most - len(drawn)]
    return drawn


def look_again(
    places: Sequence[int],
    judged: Judged,
    card: AnyCard,
    thresholds: Thresholds,
    reader: FaceReader,
) -> dict[int, Shown]:
    """Read the images of these faces once more, for their pixels; one that changed is left out."""
    # the pixels of all faces of a set would not fit into memory
    verdicts = judged.verdicts(card, thresholds)
    wanted = {
        (judged.faces[place].image.path, judged.faces[place].number): place for place in places
    }
    images = {judged.faces[place].image.path: judged.faces[place].image for place in places}
    shown = {}
    for found in read_faces(list(images.values()), reader):
        if isinstance(found, FoundFace):
            place = wanted.get((found.image.path, found.crop.number))
            if place is not None:
                shown[place] = Shown(place, verdicts[place], found)
    return shown


def sheets(shown: Sequence[Shown], reader: FaceReader, model: str) -> Iterator[Image.Image]:
    """The overlay of each, as `fakeface explain` draws it."""
    explainer = reader.judge.explainer
    for item in shown:
        photo, crop = item.found.photo, item.found.crop
        if explainer is not None:
            verdict = item.verdict
            if not verdict.opinions:  # scores are kept without them
                [again] = reader.judge.classifier.classify([crop])
                verdict = replace(verdict, opinions=again.opinions)
            [heat] = explainer.explain([crop], [verdict])
            name = item.found.image.path
            ref = ImageRef(photo.ref.index, name, name.rsplit("/", 1)[-1])
            yield draw_overlay(
                replace(photo, ref=ref), replace(crop, ref=ref), heat, verdict, model
            )


def grid(shown: Sequence[Shown]) -> Image.Image:
    """Thumbnails with label, p_fake and verdict; a green rim is right, a red one wrong, RGB."""
    rows = -(-len(shown) // _COLUMNS)
    columns = min(_COLUMNS, max(1, len(shown)))
    wide, high = _THUMB + _GAP, _THUMB + _LINES + _GAP
    sheet = Image.new("RGB", (columns * wide + _GAP, max(1, rows) * high + _GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, item in enumerate(shown):
        row, column = divmod(number, _COLUMNS)
        left, top = _GAP + column * wide, _GAP + row * high
        _thumb(sheet, pen, item, (left, top))
    return sheet


def thumbnail(found: FoundFace, px: int) -> Image.Image:
    """What the model looks at, (px, px)."""
    return Image.fromarray(found.crop.pixels).resize((px, px), Image.Resampling.BICUBIC)


def _thumb(sheet: Image.Image, pen: ImageDraw.ImageDraw, item: Shown, at: tuple[int, int]) -> None:
    (left, top), fake = at, item.found.image.fake
    label, p = item.verdict.label, item.verdict.fake_probability
    rim = OPEN_RIM  # "inconclusive" is neither right nor wrong
    if label != "inconclusive":
        rim = RIGHT_RIM if (label == "flagged") == fake else WRONG_RIM
    pen.rectangle((left - 4, top - 4, left + _THUMB + 3, top + _THUMB + 3), fill=rim)
    sheet.paste(thumbnail(item.found, _THUMB), (left, top))
    name = item.found.image.generator if fake else ""
    label_text = shorten(showable(f"fake {name}" if fake else "real"), 14, _THUMB - 44)
    pen.text((left, top + _THUMB + 7), label_text, fill=INK, font=typeface(14))
    pen.text(
        (left + _THUMB, top + _THUMB + 7), f"{p:.3f}", fill=INK, font=typeface(14), anchor="ra"
    )
    words = str(label).replace("_", " ")
    colour = COLOURS[label] if label == "flagged" else FAINT
    pen.text((left, top + _THUMB + 24), words, fill=colour, font=typeface(14))
