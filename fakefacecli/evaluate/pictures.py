"""Faces to look at: the most confident mistakes with their overlays, and a grid of predictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from fakefacecli.base.records import ImageRef
from fakefacecli.base.verdicts import Thresholds, Verdict
from fakefacecli.evaluate.scored import Judged
from fakefacecli.labelled.faces import FaceReader, FoundFace, read_faces
from fakefacecli.models.judge import AnyCard
from fakefacecli.overlay.sheet import COLOURS, FAINT, draw_overlay
from fakefacecli.overlay.tiles import NO_RIM, THUMB_PX, Tile, draw_tiles

RIGHT_RIM, WRONG_RIM = (46, 125, 80), (179, 38, 30)


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
    return draw_tiles([_tile(item) for item in shown])


def thumbnail(found: FoundFace, px: int) -> Image.Image:
    """What the model looks at, (px, px)."""
    return Image.fromarray(found.crop.pixels).resize((px, px), Image.Resampling.BICUBIC)


def _tile(item: Shown) -> Tile:
    fake, label = item.found.image.fake, item.verdict.label
    rim = NO_RIM  # "inconclusive" is neither right nor wrong
    if label != "inconclusive":
        rim = RIGHT_RIM if (label == "flagged") == fake else WRONG_RIM
    name = item.found.image.generator if fake else ""
    return Tile(
        thumbnail(item.found, THUMB_PX),
        f"fake {name}" if fake else "real",
        f"{item.verdict.fake_probability:.3f}",
        str(label).replace("_", " "),
        rim,
        COLOURS[label] if label == "flagged" else FAINT,
    )
