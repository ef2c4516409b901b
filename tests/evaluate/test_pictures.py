"""The sheets of mistakes: drawn with what each network of a judge said."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fakefacecli.base.records import FaceCrop, Heatmap
from fakefacecli.base.verdicts import Contribution, Opinion, Verdict
from fakefacecli.evaluate.pictures import Shown, sheets
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace
from fakefacecli.models.card import WindowRule
from fakefacecli.overlay.sheet import SHEET_PX
from fakefacecli.scan.crop import cut
from fakefacecli.scan.pipeline import Judge
from tests import builders


class Saying(builders.FakeClassifier):
    """Says as a judge of one more network does, what each of them said."""

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]:
        said = (Opinion("wide", 2.0), Opinion("near", -1.0))
        return [replace(verdict, opinions=said) for verdict in super().classify(crops)]


class Adding:
    """An Explainer whose contributions are the opinions it is given."""

    def explain(self, crops: Sequence[FaceCrop], verdicts: Sequence[Verdict]) -> list[Heatmap]:
        return [
            Heatmap(
                np.ones((crop.side, crop.side), np.float32),
                tuple(Contribution(said.member, 1.0, said.logit) for said in verdict.opinions),
            )
            for crop, verdict in zip(crops, verdicts, strict=True)
        ]


def test_a_mistake_of_a_judge_is_drawn_with_the_bars_of_its_networks() -> None:
    photo = builders.image(size=(40, 40))
    crop = cut(photo, builders.face(side=20), 1, 1.3)
    image = LabelledImage("in/a.jpg", True, "group", "val", "generator")
    shown = Shown(0, builders.verdict(0.3), FoundFace(image, photo, crop, 20))
    judge = Judge(builders.FakeDetector(), Saying(), WindowRule(1.3), Adding())
    [sheet] = sheets([shown], FaceReader(judge, builders.FakeDecoder()), "a judge")
    assert sheet.size[1] > SHEET_PX[1] + 2 * 28
