"""Two models side by side on the same faces, as a folder of files."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fakefacecli.base.errors import NothingToDo
from fakefacecli.evaluate import bootstrap
from fakefacecli.evaluate.evaluation import Comparison, comparison_json
from fakefacecli.evaluate.measure import read_at
from fakefacecli.evaluate.output_folder import PAGE, PLOTS, filled
from fakefacecli.evaluate.run import Subject, data_facts, model_facts
from fakefacecli.evaluate.scored import Judged
from fakefacecli.evaluate.write import clustered, curves
from fakefacecli.figures import html
from fakefacecli.figures.metrics import Mask, Numbers
from fakefacecli.figures.plots import Curve
from fakefacecli.figures.results import Difference
from fakefacecli.models.judge import AnyCard

if TYPE_CHECKING:
    import pandas as pd


def compare(
    judged: Sequence[Judged], subjects: Sequence[Subject], resamples: int
) -> tuple[Comparison, list[Curve]]:
    """Both models' measures, their difference and its interval; and the curves to draw.

    Only faces that both models were given count: cards differ in what they look at, but the
    detector is the same. Raises NothingToDo when there is none.
    """
    cards = [subject.checkpoint.card for subject in subjects]
    both = _join(judged, cards)
    if both.empty:
        raise NothingToDo("no face that both models were given")
    fake = (both["label"] == "fake").to_numpy(bool)
    p = [both[name].to_numpy(np.float64) for name in ("p_fake_a", "p_fake_b")]
    # by group: what other groups might have given; by image: other images of these groups
    compared, by_image = (
        _differences(fake, p, cards, resamples, both[name].to_numpy(np.intp))
        for name in ("group_cluster", "image_cluster")
    )
    first, second = subjects
    found = Comparison(
        models=(model_facts(first), model_facts(second)),
        data=data_facts(judged[0]),
        compared=len(fake),
        resamples=resamples,
        measures=compared,
        more_by_image={name: row.more for name, row in by_image.items()},
        judging_ms_per_face=(_judging_ms(judged[0]), _judging_ms(judged[1])),
    )
    drawn = [
        Curve(f"{letter}: {card.name}", fake, values)
        for letter, card, values in zip("AB", cards, p, strict=True)
    ]
    return found, drawn


def _join(judged: Sequence[Judged], cards: Sequence[AnyCard]) -> "pd.DataFrame":
    """A row for each face that both models were given, in the first one's order.

    Columns: those of `Judged.table`, p_fake_a, p_fake_b, and the clusters by group and by image.
    """
    first, second = (one.table(card) for one, card in zip(judged, cards, strict=True))
    first["group_cluster"] = judged[0].clusters()
    first["image_cluster"] = judged[0].clusters(groups=False)
    # by image and number, not by place in the list: either model may have missed other faces
    key = ["path", "face"]
    theirs = second[[*key, "p_fake"]]
    return first.merge(theirs, on=key, suffixes=("_a", "_b"), validate="one_to_one")


def _judging_ms(judged: Judged) -> float:
    return 1000 * judged.judging_s / len(judged.faces)


def _differences(
    fake: Mask,
    p_fake: Sequence[Numbers],
    cards: Sequence[AnyCard],
    resamples: int,
    clusters: bootstrap.Clusters,
) -> dict[str, Difference]:
    found: dict[str, Difference] = {}
    sides = [read_at(p, card) for p, card in zip(p_fake, cards, strict=True)]
    for (first, some), (second, _) in zip(*sides, strict=True):
        found |= bootstrap.compare(fake, first, second, some, resamples, clusters)
    return found


def write_comparison(out: str, found: Comparison, of: Sequence[Curve]) -> None:
    """Fill the folder; the JSON comes last."""
    drawn = curves(of)
    page = html.render(
        "comparison",
        "Two models compared",
        found=found,
        clustered=clustered(found.data),
        plots=drawn,
    )
    with filled(out, comparison_json(found)) as place:
        for name, png in drawn.items():
            place.put(os.path.join(PLOTS, f"{name}.png"), png)
        place.put(PAGE, page.encode())
