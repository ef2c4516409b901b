"""Putting an evaluation into its folder: JSON, scores, pictures, and the page that shows them."""

import io
import os
from collections.abc import Sequence

from PIL import Image

from fakefacecli.evaluate import pictures
from fakefacecli.evaluate.bootstrap import FEW_CLUSTERS
from fakefacecli.evaluate.evaluation import DataFacts, Evaluation, evaluation_json
from fakefacecli.evaluate.output_folder import MISTAKES, PAGE, PLOTS, SCORES, Place, filled
from fakefacecli.evaluate.run import Subject, Wanted
from fakefacecli.evaluate.scored import Judged
from fakefacecli.figures import html, plots
from fakefacecli.figures.plots import Curve
from fakefacecli.figures.robustness import draw_real_faces, draw_robustness
from fakefacecli.reports.rows import guarded

_SHOWN_PX = 900  # width of an overlay inside the page


def write_evaluation(
    out: str, found: Evaluation, judged: Judged, subject: Subject, wanted: Wanted
) -> None:
    """Fill the folder; the JSON comes last, so that a folder with one is whole."""
    card = subject.checkpoint.card
    curve = Curve(card.name, judged.fake, judged.p_fake(card))
    drawn = {
        "scores": plots.draw_scores(curve, subject.thresholds),
        "confusion": plots.draw_confusion(found.verdicts),
        **curves([curve]),
    }
    if found.robustness:
        drawn["robustness"] = draw_robustness(found.robustness)
        drawn["real-faces"] = draw_real_faces(found.robustness)
    # read again before the folder is touched: an error here leaves an earlier result in place
    alarms, misses = pictures.mistakes(judged, card, wanted.mistakes)
    sample = pictures.sample(judged, wanted.sample)
    places = (*alarms, *misses, *sample)
    shown = pictures.look_again(places, judged, card, subject.thresholds, subject.reader)
    if sample:
        drawn["predictions"] = _png(pictures.grid([shown[n] for n in sample if n in shown]))
    with filled(out, evaluation_json(found)) as place:
        for name, data in drawn.items():
            place.put(os.path.join(PLOTS, f"{name}.png"), data)
        overlays = {
            word: _overlays(place, word, [shown[n] for n in wrong if n in shown], subject)
            for word, wrong in (("false-alarm", alarms), ("missed-fake", misses))
        }
        place.put(SCORES, _scores(judged, subject).encode())
        page = html.render(
            "evaluation",
            f"{found.model.name}, evaluated",
            found=found,
            card_sets=html.card_figures(found.model.card_measured),
            clustered=clustered(found.data),
            plots=drawn,
            overlays=overlays,
        )
        place.put(PAGE, page.encode())


def curves(of: Sequence[Curve]) -> dict[str, bytes]:
    """The plots that take several models; those that need both classes only where both are."""
    drawn = {"reliability": plots.draw_reliability(of)}
    if of[0].fake.any() and not of[0].fake.all():
        drawn |= {"roc": plots.draw_roc(of), "det": plots.draw_det(of)}
    return drawn


def _overlays(
    place: Place, word: str, shown: Sequence[pictures.Shown], subject: Subject
) -> list[bytes]:
    """Write each overlay whole; give smaller ones back for the page."""
    small = []
    model = subject.checkpoint.card.name
    for number, sheet in enumerate(pictures.sheets(shown, subject.reader, model), 1):
        held = io.BytesIO()
        sheet.save(held, "JPEG", quality=90, subsampling=0)
        place.put(os.path.join(MISTAKES, f"{word}-{number:02d}.jpg"), held.getvalue())
        # the page carries its pictures inside, so it gets smaller ones
        held = io.BytesIO()
        height = round(sheet.height * _SHOWN_PX / sheet.width)
        sheet.resize((_SHOWN_PX, height), Image.Resampling.LANCZOS).save(held, "JPEG", quality=80)
        small.append(held.getvalue())
    return small


def _scores(judged: Judged, subject: Subject) -> str:
    """A CSV with a row for each face; text is guarded as in a report."""
    card = subject.checkpoint.card
    table = judged.table(card)
    table["verdict"] = [str(found.label) for found in judged.verdicts(card, subject.thresholds)]
    # Series.round scales before it rounds: its last digit may differ from that of a report
    for name, digits in (("face_px", 1), ("logit", 6), ("p_fake", 6)):
        table[name] = [round(number, digits) for number in table[name].tolist()]
    for name in ("path", "group", "generator"):
        table[name] = table[name].map(guarded)
    return table.to_csv(index=False, lineterminator="\n")


ALONE = "a class of a single group has no interval: it does not show what another would give"


def clustered(data: DataFacts) -> str:
    """Sentences that say what the intervals of a set resample, and what they do not show."""
    real, fake = data.clusters.real, data.clusters.fake
    words = (
        "Intervals of the measures: percentile bootstrap of groups, or of images where no group is "
        f"known, real and fake ones apart: {real} of real faces, {fake} of fakes. "
    )
    # a class without faces does not count
    fewest = min(real or fake, fake or real)
    if fewest == 1:
        words += f"{ALONE[0].upper()}{ALONE[1:]}. "
    elif fewest < FEW_CLUSTERS:
        words += f"With fewer than {FEW_CLUSTERS} in a class intervals are rough. "
    return words + (
        "By image: what other images of the same groups might give, which says nothing of other "
        "groups. Slices of one group are resampled by image."
    )


def _png(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()
