"""The faces of an evaluation in slices: by split, group, generator, size and JPEG quality."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fakefacecli.base.text import printable
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.evaluate.bootstrap import Clusters, estimate
from fakefacecli.evaluate.scored import Judged, JudgedFace
from fakefacecli.evaluate.thresholds import share
from fakefacecli.figures.metrics import MEASURES, Mask, Numbers
from fakefacecli.figures.results import SliceRow
from fakefacecli.models.judge import AnyCard

SIZES = (64, 96, 128, 160, 224, 320)  # px, where one class of face sizes ends and the next begins
QUALITIES = (50, 75, 90)
FEWEST = 5  # faces of a class; with fewer an AUC has no interval


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What is known of all n faces, each (n,); `groups` and `images` are clusters."""

    fake: Mask
    p_fake: Numbers
    labels: np.ndarray[Any, Any]
    groups: Clusters
    images: Clusters

    def drawn(self, rows: Mask) -> Clusters:
        """The clusters (n,) to resample of `rows`: groups, or images where a class has one group.

        A single cluster has no spread, and so no interval. In a slice of one group only its images
        could have been others, so the images are resampled.
        """
        drawn = self.groups.copy()
        for kind in (False, True):
            members = rows & (self.fake == kind)
            if len(np.unique(self.groups[members])) == 1:
                drawn[members] = len(self.fake) + self.images[members]  # above all groups' numbers
        return np.asarray(drawn[rows], np.intp)


def slices(
    judged: Judged, card: AnyCard, thresholds: Thresholds, resamples: int
) -> dict[str, tuple[SliceRow, ...]]:
    """The faces by split, group, generator, size and JPEG quality.

    A slice without real (or fake) faces is compared with all real (or fake) ones for its AUC, which
    has no interval where a class has fewer than FEWEST faces: all resamples look alike then.
    """
    columns = _Columns(
        judged.fake,
        judged.p_fake(card),
        np.array([str(v.label) for v in judged.verdicts(card, thresholds)]),
        judged.clusters(),
        judged.clusters(groups=False),
    )
    return {
        dimension: tuple(
            _slice(name, members, columns, resamples) for name, members in _parts(judged, name_of)
        )
        for dimension, name_of in DIMENSIONS.items()
    }


def _slice(name: str, members: Mask, of: _Columns, resamples: int) -> SliceRow:
    fake, p, labels = of.fake, of.p_fake, of.labels
    alone = not (fake[members].any() and (~fake[members]).any())
    # with one class there is no AUC: take in all faces of the other
    against = members | (fake != fake[members].any()) if alone else members
    plain = {"accuracy": MEASURES["accuracy"]}
    here = estimate(fake[members], p[members], plain, resamples, of.drawn(members))
    few = min((members & (fake == kind)).sum() for kind in set(fake[members].tolist())) < FEWEST
    auc, often = {"auc": MEASURES["auc"]}, 0 if few else resamples
    both = estimate(fake[against], p[against], auc, often, of.drawn(against))
    real_flagged, fake_flagged = (
        share(int((labels[rows] == "flagged").sum()), int(rows.sum()))
        for rows in (members & ~fake, members & fake)
    )
    return SliceRow(
        name=name,
        real=int((members & ~fake).sum()),
        fake=int((members & fake).sum()),
        real_flagged=real_flagged,
        fake_flagged=fake_flagged,
        inconclusive=int((labels[members] == "inconclusive").sum()),
        accuracy=here["accuracy"],
        auc=both["auc"],
        auc_against_all_others=bool(alone),
    )


def _parts(judged: Judged, name_of: Callable[[JudgedFace], str]) -> Iterator[tuple[str, Mask]]:
    import pandas as pd

    names = pd.Series([name_of(face) for face in judged.faces])
    places = {str(name): rows for name, rows in names.groupby(names).indices.items()}
    for name in sorted(places, key=_in_order):
        members = np.zeros(len(names), bool)
        members[places[name]] = True
        yield name, members


def size_class(face: JudgedFace) -> str:
    """In which of the SIZES classes a face falls."""
    return _class(face.face_px, SIZES, " px")


def quality_class(face: JudgedFace) -> str:
    """In which of the QUALITIES classes its file's JPEG quality falls."""
    return "not a JPEG" if face.quality is None else _class(face.quality, QUALITIES, "")


def _class(value: float, edges: tuple[int, ...], unit: str) -> str:
    below = [edge for edge in edges if edge <= value]
    if not below:
        return f"under {edges[0]}{unit}"
    first = below[-1]
    if first == edges[-1]:
        return f"{first}{unit} and more"
    return f"{first} to {edges[edges.index(first) + 1] - 1}{unit}"


def _in_order(name: str) -> tuple[bool, int, str]:
    """Numbers by size, "under" first; other names by the alphabet."""
    first = name.split(maxsplit=1)[0] if name else ""
    return not name.startswith("under"), int(first) if first.isdecimal() else 0, name


DIMENSIONS: dict[str, Callable[[JudgedFace], str]] = {
    "split": lambda face: face.image.split or "(none)",
    "group": lambda face: printable(face.image.group) or "(none)",
    "generator": lambda face: (
        printable(face.image.generator) or ("(not stated)" if face.image.fake else "(real)")
    ),
    "face size": size_class,
    "JPEG quality": quality_class,
}
