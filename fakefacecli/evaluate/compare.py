"""Two models side by side on the same faces, as a folder of files."""

import os
from collections.abc import Sequence

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
from fakefacecli.models.card import ModelCard


def compare(
    judged: Sequence[Judged], subjects: Sequence[Subject], resamples: int
) -> tuple[Comparison, list[Curve]]:
    """Both models' measures, their difference and its interval; and the curves to draw.

    Only faces that both models were given count: cards differ in what they look at, but the
    detector is the same. Raises NothingToDo when there is none.
    """
    keys = [[(face.image.path, face.number) for face in one.faces] for one in judged]
    common = set(keys[0]) & set(keys[1])
    if not common:
        raise NothingToDo("no face that both models were given")
    kept = [np.array([key in common for key in own]) for own in keys]
    fake = judged[0].fake[kept[0]]
    p = [
        one.p_fake(subject.checkpoint.card)[rows]
        for one, subject, rows in zip(judged, subjects, kept, strict=True)
    ]
    cards = [subject.checkpoint.card for subject in subjects]
    compared, by_image = (
        _differences(fake, p, cards, resamples, judged[0].clusters(by)[kept[0]])
        for by in (True, False)
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
    names = [subject.checkpoint.card.name for subject in subjects]
    drawn = [
        Curve(f"{letter}: {name}", fake, values)
        for letter, name, values in zip("AB", names, p, strict=True)
    ]
    return found, drawn


def _judging_ms(judged: Judged) -> float:
    return 1000 * judged.judging_s / len(judged.faces)


def _differences(
    fake: Mask,
    p_fake: Sequence[Numbers],
    cards: Sequence[ModelCard],
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
