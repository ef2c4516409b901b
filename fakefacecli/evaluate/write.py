"""Putting an evaluation into its folder: JSON, scores, pictures, and the page that shows them."""

import csv
import io
import os
from collections.abc import Sequence

from PIL import Image

from fakefacecli.base.text import printable
from fakefacecli.evaluate import pictures
from fakefacecli.evaluate.bootstrap import FEW_CLUSTERS
from fakefacecli.evaluate.evaluation import DataFacts, Evaluation, evaluation_json
from fakefacecli.evaluate.output_folder import MISTAKES, PAGE, PLOTS, SCORES, Place, filled
from fakefacecli.evaluate.run import Subject, Wanted
from fakefacecli.evaluate.scored import Judged
from fakefacecli.figures import html, plots
from fakefacecli.figures.plots import Curve
from fakefacecli.reports.rows import guarded

_SHOWN_PX = 900  # width of an overlay inside the page
COLUMNS = (
    *("path", "face", "label", "group", "generator", "split", "face_px", "jpeg_quality"),
    *("sha256", "logit", "p_fake", "verdict"),
)


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
        drawn["robustness"] = plots.draw_robustness(found.robustness)
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
        place.put(PAGE, _page(found, drawn, overlays).encode())


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
        held = io.BytesIO()
        height = round(sheet.height * _SHOWN_PX / sheet.width)
        sheet.resize((_SHOWN_PX, height), Image.Resampling.LANCZOS).save(held, "JPEG", quality=80)
        small.append(held.getvalue())
    return small


def _scores(judged: Judged, subject: Subject) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    verdicts = judged.verdicts(subject.checkpoint.card, subject.thresholds)
    for face, verdict in zip(judged.faces, verdicts, strict=True):
        image = face.image
        row = (
            *(printable(image.path), face.number, "fake" if image.fake else "real"),
            *(printable(image.group), printable(image.generator), image.split),
            *(round(face.face_px, 1), face.quality, face.sha256, round(face.logit, 6)),
            *(round(verdict.fake_probability, 6), str(verdict.label)),
        )
        writer.writerow([guarded(cell) for cell in row])
    return text.getvalue()


def _page(found: Evaluation, drawn: dict[str, bytes], overlays: dict[str, list[bytes]]) -> str:
    model, data, time = found.model, found.data, found.time
    order = ("roc", "det", "reliability", "scores", "confusion")
    parts = [
        html.paragraph(
            f"{data.faces} faces, {data.real} real and {data.fake} fake; set "
            f"{data.sha256[:12]}; model {model.sha256[:12]}, "
            f"{model.calibration.state}, "
            f"LOW {model.thresholds.low:.4g}, HIGH {model.thresholds.high:.4g}. "
            f"{time.judging_ms_per_face:.1f} ms to judge a face on {time.device}, "
            f"{time.reading_ms_per_image:.1f} ms to read an image. A verdict is evidence, not "
            "proof.",
            "faint",
        ),
        html.section(
            "Measures",
            html.measures_table(found.measures, found.measures_by_image, model.card_measured),
            html.paragraph(clustered(data), "faint"),
            html.paragraph(VERDICTS, "faint"),
            html.paragraph(EVEN, "faint"),
        ),
        html.section("Verdicts", html.verdicts_table(found.verdicts)),
        html.section(
            "Curves",
            html.pictures([html.picture(drawn[name], name) for name in order if name in drawn]),
        ),
    ]
    if found.robustness:
        parts.append(
            html.section(
                "Robustness",
                html.picture(drawn["robustness"], "robustness"),
                html.robustness_table(found.robustness),
            )
        )
    parts += [
        html.section(f"By {name}", html.slices_table(name, rows), html.paragraph(AGAINST, "faint"))
        for name, rows in found.slices.items()
    ]
    titles = {
        "false-alarm": "Real faces most surely called fake",
        "missed-fake": "Fakes most surely called real",
    }
    for word, title in titles.items():
        held = [
            html.picture(data, f"{word} {n}", "jpeg") for n, data in enumerate(overlays[word], 1)
        ]
        parts.append(html.section(title, html.pictures(held) if held else html.paragraph("None.")))
    if "predictions" in drawn:
        parts.append(
            html.section(
                "Predictions on faces drawn at random",
                html.picture(drawn["predictions"], "predictions"),
            )
        )
    if data.without_a_face:
        parts.append(
            html.section(
                "Images without a face",
                html.table(
                    ["image", "why"],
                    [[html.text(row.path), html.text(row.why)] for row in data.without_a_face],
                ),
            )
        )
    return html.page(f"{model.name}, evaluated", parts)


ALONE = "a class of a single group has no interval: it does not show what another would give"
EVEN = (
    "Cllr needs to know the share of fakes that p_fake takes for granted: that of the faces the "
    "model was calibrated on where its card says it, otherwise even odds are assumed."
)
VERDICTS = (
    "Intervals of shares of verdicts: Clopper and Pearson; they take faces for independent. The "
    "measures look at p_fake alone; verdicts also call a face inconclusive that is too small for "
    "the model."
)


def clustered(data: DataFacts) -> str:
    """Words for what the intervals of a set resample, and what that leaves unsaid."""
    real, fake = data.clusters.real, data.clusters.fake
    words = (
        "Intervals of the measures: percentile bootstrap of groups, or of images where no group is "
        f"known, real and fake ones apart: {real} of real faces, {fake} of fakes. "
    )
    fewest = min(real or fake, fake or real)
    if fewest == 1:
        words += f"{ALONE[0].upper()}{ALONE[1:]}. "
    elif fewest < FEW_CLUSTERS:
        words += f"With fewer than {FEW_CLUSTERS} in a class intervals are rough. "
    return words + (
        "By image: what other images of the same groups might give, which says nothing of other "
        "groups. Slices of one group are resampled by image."
    )


AGAINST = "* its fakes against all real faces, or its real faces against all fakes."


def _png(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()
