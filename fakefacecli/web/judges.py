"""Judging one image for the page: the stages of a scan, with what they saw kept beside the report.

One image is judged at a time, whoever asks: each model is loaded once, and the memory that pictures
take is that of one.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from fakefacecli.base.errors import UsageError
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import (
    DecodeOptions,
    EvidenceOptions,
    Explain,
    JudgeOptions,
    SourceOptions,
)
from fakefacecli.base.protocols import Classifier, Decoder, Explainer
from fakefacecli.base.records import (
    DecodedImage,
    FaceCrop,
    FaceView,
    Heatmap,
    ImageRef,
    Unreadable,
)
from fakefacecli.base.verdicts import Contribution, Thresholds, Verdict
from fakefacecli.models.bundled import find_model
from fakefacecli.models.judge import AnyCheckpoint, contributions, member_names, members_of
from fakefacecli.scan.build import build_decoder, build_judge, made_stable
from fakefacecli.scan.classify import TorchClassifier
from fakefacecli.scan.pipeline import Judge, Stages, scan
from fakefacecli.scan.source import PathSource

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """A face that was judged, where the evidence lies, and what each network added."""

    crop: FaceCrop
    verdict: Verdict
    heat: Heatmap
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """An image, its report and its faces; no `image` where it could not be read.

    `judging_ms` is the time of the networks that judge, for all faces together.
    """

    report: ImageReport
    image: DecodedImage | None
    faces: tuple[SeenFace, ...]
    model: str
    judging_ms: float


@dataclass
class _Kept:
    """What passed through the stages of one scan."""

    images: list[DecodedImage] = field(default_factory=list)
    faces: list[tuple[FaceCrop, Verdict, Heatmap]] = field(default_factory=list)
    judging_s: float = 0.0


class _KeepingDecoder:
    """A Decoder that keeps the pictures."""

    def __init__(self, decoder: Decoder, kept: _Kept):
        self.decoder = decoder
        self.kept = kept

    def decode(self, items: Iterable[ImageRef | T]) -> Iterator[DecodedImage | Unreadable | T]:
        for answer in self.decoder.decode(items):
            if isinstance(answer, DecodedImage):
                self.kept.images.append(answer)
            yield answer

    def close(self) -> None:
        self.decoder.close()


class _TimedClassifier:
    """A Classifier that keeps the time it took."""

    def __init__(self, classifier: Classifier, kept: _Kept):
        self.classifier = classifier
        self.kept = kept

    def classify(self, crops: Sequence[FaceView]) -> list[Verdict]:
        began = time.perf_counter()
        verdicts = self.classifier.classify(crops)
        self.kept.judging_s += time.perf_counter() - began
        return verdicts


class _KeepingExplainer:
    """An Explainer that keeps the faces with their heat."""

    def __init__(self, explainer: Explainer, kept: _Kept):
        self.explainer = explainer
        self.kept = kept

    def explain(self, crops: Sequence[FaceCrop], verdicts: Sequence[Verdict]) -> list[Heatmap]:
        heats = self.explainer.explain(crops, verdicts)
        self.kept.faces += zip(crops, verdicts, heats, strict=True)
        return heats


class _NoPictures:
    """A PictureWriter that writes nothing: the page draws its own."""

    def write(self, name: str, picture: "Image") -> None:
        return


class Judges:
    """The models of a page, each loaded when it is first asked; several threads may call.

    `stop` is called between steps and may raise. `close` ends the decoder's process.
    """

    def __init__(
        self, models: Sequence[str], options: JudgeOptions, stop: Callable[[], None] = lambda: None
    ):
        # by the names that their cards give: a path of the server is nobody's concern
        found = [(find_model(model), model) for model in models]
        self.checkpoints = {checkpoint.card.name: checkpoint for checkpoint, _ in found}
        self.files = {checkpoint.card.name: model for checkpoint, model in found}
        self.options = options
        self.stop = stop
        self._loaded: dict[str, Judge] = {}
        self._one_at_a_time = threading.Lock()
        self._decoder = build_decoder(
            DecodeOptions(workers=1), stop=stop, evidence=EvidenceOptions()
        )

    def checkpoint(self, model: object) -> AnyCheckpoint:
        """The model of this name; UsageError for one that the page does not offer."""
        found = self.checkpoints.get(model) if isinstance(model, str) else None
        if found is None:
            raise UsageError(f"no such model here; choose one of {', '.join(self.checkpoints)}")
        return found

    def warm_up(self) -> None:
        """Load the first model, so that nobody waits for it later."""
        with self._one_at_a_time:
            self._judge(next(iter(self.checkpoints)))

    def examine(self, path: str, model: str, thresholds: Thresholds | None) -> Examined:
        """Judge the image at `path` as a scan would; a broken one has a report that says so.

        Raises UsageError for a model that is not offered.
        """
        checkpoint = self.checkpoint(model)
        # a folder would be walked: whoever calls may name any path that the page has handed out
        if not os.path.isfile(path) or os.path.islink(path):
            raise UsageError("the image is not here any more; choose it again")
        [item] = PathSource(SourceOptions((path,)))
        kept = _Kept()
        with self._one_at_a_time:
            judge = self._for_one(self._judge(model), checkpoint, thresholds, kept)
            decoder = _KeepingDecoder(self._decoder, kept)
            stages = Stages(decoder, judge, Explain.ALL, _NoPictures())
            [report] = scan([item], stages, 1, self.stop)
        parts = [(m.name, m.weight, m.checkpoint.card) for m in members_of(checkpoint)]
        of_several = bool(member_names(checkpoint))
        faces = tuple(
            SeenFace(
                crop,
                verdict,
                heat,
                contributions(parts, verdict.opinions) if of_several else (),
            )
            for crop, verdict, heat in kept.faces
        )
        image = kept.images[0] if kept.images else None
        return Examined(report, image, faces, model, 1000 * kept.judging_s)

    def close(self) -> None:
        """End the decoder."""
        with contextlib.suppress(RuntimeError):
            self._decoder.close()

    def _judge(self, model: str) -> Judge:
        if model not in self._loaded:
            checkpoint = self.checkpoints[model]
            judge = build_judge(self.options, checkpoint, self.stop, explains=True)
            # one image is one batch: more lanes would only start threads
            self._loaded[model] = replace(judge, lanes=1)
        return self._loaded[model]

    def _for_one(
        self,
        judge: Judge,
        checkpoint: AnyCheckpoint,
        thresholds: Thresholds | None,
        kept: _Kept,
    ) -> Judge:
        """The judge with these thresholds, which keeps what it sees."""
        own = judge.classifier
        if thresholds is not None and isinstance(own, TorchClassifier):
            own = TorchClassifier(own.members, checkpoint.card, thresholds)
        stable = made_stable(replace(judge, classifier=own), EvidenceOptions().stability)
        assert judge.explainer is not None  # noqa: S101 - `_judge` asked for one
        return replace(
            stable,
            classifier=_TimedClassifier(stable.classifier, kept),
            explainer=_KeepingExplainer(judge.explainer, kept),
        )
