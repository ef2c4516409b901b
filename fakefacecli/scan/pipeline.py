"""The scan: the only place where the stages meet."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from fakefacecli.base.device import own_stream, uploads_kept
from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.memory import JUDGING_BYTES, Memory, default_limit
from fakefacecli.base.options import Explain
from fakefacecli.base.protocols import Classifier, Decoder, Detector, Explainer, PictureWriter
from fakefacecli.base.records import DecodedImage, FaceView, ImageRef, Unreadable
from fakefacecli.base.threads import in_lanes
from fakefacecli.base.verdicts import Status, Verdict
from fakefacecli.models.window import WindowRule
from fakefacecli.overlay.writer import draw_overlay, overlay_name
from fakefacecli.scan.crop import cut
from fakefacecli.scan.cut_there import Found, cut_there, on_host

# Of all images that are judged, or wait for it, at one time: the pixels of 16 photographs of 3
# megapixels. A batch ends at its share of these, because 16 pictures of 100 megapixels are 5 GB
MOST_PIXELS = 48_000_000
_OVERLAYS_AT_ONCE = 16  # a heatmap is as large as its face's crop

Item = ImageRef | Unreadable | ImageReport


@dataclass(frozen=True, slots=True)
class Judge:
    """A model at work: finds the faces of pictures, cuts them out, judges and explains them.

    `lanes` batches are judged at the same time, each on a thread of its own: with more than one,
    several threads call the parts at once. `device` is torch's name of it. `batch_size` images of
    `most_pixels` at most are judged, or wait for it, at one time: it is of all lanes together.
    With `cuts_there` faces are cut out on the device, which all networks must be able to read from.
    """

    detector: Detector
    classifier: Classifier
    window: WindowRule
    explainer: Explainer | None = None
    model_name: str = ""
    device: str = "cpu"
    precision: str = "fp32"
    lanes: int = 1
    batch_size: int = 16
    most_pixels: int = MOST_PIXELS
    cuts_there: bool = False

    def cut_out(self, found: Sequence[Found]) -> Sequence[FaceView]:
        """The windows of these faces, in order, where the networks read them."""
        if self.cuts_there:
            return cut_there(found, self.window, self.device)
        return [cut(*one, self.window) for one in found]


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of a scan, ready to use; built once per process."""

    decoder: Decoder
    judge: Judge
    explain: Explain = Explain.NONE
    overlays: PictureWriter | None = None
    memory: Memory | None = None


def scan(
    items: Iterable[Item], stages: Stages, batch_size: int, stop: Callable[[], None] = lambda: None
) -> Iterator[ImageReport]:
    """Turn refs into reports: exactly one per item, in the order the items came.

    What needs no judging (an `Unreadable`, or an `ImageReport` of an earlier run) keeps its place.
    `stop` is called between steps and may raise. Raises CannotWrite when an overlay cannot be
    written.
    """
    lanes, most = stages.judge.lanes, stages.judge.most_pixels
    memory = stages.memory or Memory(default_limit())
    # what waits between decoding and judging is not counted: a quarter of the memory at most, as if
    # it were judged
    most = min(most, max(1, memory.limit // 4 // JUDGING_BYTES))
    # --batch-size counts the images of all lanes together; a lane's batch is its part of them. The
    # pixels are divided so that each lane can work on a batch, and all but one have the next ready
    images_each, pixels_each = -(-batch_size // lanes), most // (2 * lanes - 1)
    batches = _batches(stages.decoder.decode(items), images_each, pixels_each)
    work = partial(_within, memory, stages=stages, stop=stop)
    for reports in in_lanes(work, batches, lanes, _pixels, most):
        yield from reports


Decoded = DecodedImage | Unreadable | ImageReport


def _batches(
    items: Iterator[Decoded], most_items: int, most_pixels: int
) -> Iterator[list[Decoded]]:
    """The items in order, in batches within both limits; a picture above `most_pixels` is alone."""
    batch: list[Decoded] = []
    pixels = 0
    for item in items:
        more = _pixels([item])
        if pixels and pixels + more > most_pixels:
            yield batch
            batch, pixels = [], 0
        pixels += more
        batch.append(item)
        # at once when it is full: while it waited for the next picture, that waited for memory
        if len(batch) == most_items or pixels >= most_pixels:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _pixels(batch: Sequence[Decoded]) -> int:
    return sum(
        frame.width * frame.height
        for item in batch
        if isinstance(item, DecodedImage)
        for frame in item.all_frames
    )


def _within(
    memory: Memory, batch: Sequence[Decoded], stages: Stages, stop: Callable[[], None]
) -> list[ImageReport]:
    """`_judge_batch`, once there is memory for it."""
    kept = uploads_kept() if stages.judge.cuts_there else nullcontext()
    with memory.held(_pixels(batch) * JUDGING_BYTES, stop), own_stream(stages.judge.device), kept:
        return _judge_batch(batch, stages, stop)


def _judge_batch(
    batch: Sequence[Decoded], stages: Stages, stop: Callable[[], None]
) -> list[ImageReport]:
    """The reports on a batch, in its order, also on items that are no pictures."""
    stop()
    started = time.perf_counter()
    images = [item for item in batch if isinstance(item, DecodedImage)]
    judge = stages.judge
    frames = [frame for image in images for frame in image.all_frames]
    faces = judge.detector.detect(frames)
    stop()
    # all faces of the batch at once: most images have one, and networks are faster with many
    all_found: list[Found] = []
    numbers: Counter[int] = Counter()
    for frame, found in zip(frames, faces, strict=True):
        for face in found:
            numbers[frame.ref.index] += 1
            all_found.append((frame, face, numbers[frame.ref.index]))
    flat = judge.cut_out(all_found)
    judged = list(zip(flat, judge.classifier.classify(flat), strict=True))
    stop()
    names = _explain(frames, judged, stages, stop)
    # a batch is judged as a whole, so each of its images gets the mean time
    each_ms = 1000 * (time.perf_counter() - started) / max(1, len(images))
    reports = {
        image.ref.index: _report(
            image, [pair for pair in judged if pair[0].ref is image.ref], names, each_ms
        )
        for image in images
    }
    return [
        item
        if isinstance(item, ImageReport)
        else unreadable_report(item)
        if isinstance(item, Unreadable)
        else reports[item.ref.index]
        for item in batch
    ]


Judged = tuple[FaceView, Verdict]


def _explain(
    frames: Sequence[DecodedImage],
    judged: Sequence[Judged],
    stages: Stages,
    stop: Callable[[], None],
) -> dict[tuple[int, int], str]:
    """Write the overlays asked for; their names by image index and face number."""
    names: dict[tuple[int, int], str] = {}
    explainer = stages.judge.explainer
    if stages.overlays is None or explainer is None or stages.explain is Explain.NONE:
        return names
    by_frame = {(frame.ref.index, frame.frame): frame for frame in frames}
    chosen = [
        (on_host(face), verdict) for face, verdict in judged if stages.explain.covers(verdict.label)
    ]
    for start in range(0, len(chosen), _OVERLAYS_AT_ONCE):
        part = chosen[start : start + _OVERLAYS_AT_ONCE]
        heats = explainer.explain([crop for crop, _ in part], [verdict for _, verdict in part])
        for (crop, verdict), heat in zip(part, heats, strict=True):
            stop()
            image = by_frame[crop.ref.index, crop.frame]
            name = overlay_name(crop.ref, crop.number, image.facts.sha256, crop.frame)
            picture = draw_overlay(image, crop, heat, verdict, stages.judge.model_name)
            stages.overlays.write(name, picture)
            names[crop.ref.index, crop.number] = name
    return names


def _report(
    image: DecodedImage,
    judged: Sequence[Judged],
    names: dict[tuple[int, int], str],
    elapsed_ms: float,
) -> ImageReport:
    sizes = {frame.frame: (frame.width, frame.height) for frame in image.all_frames}
    own = (image.width, image.height)
    findings = tuple(
        FaceFinding(
            box=crop.face.box,
            detection_score=crop.face.score,
            verdict=verdict,
            overlay=names.get((crop.ref.index, crop.number)),
            roll=crop.roll,
            turn=crop.face.turn,
            frame=crop.frame,
            frame_size=None if sizes[crop.frame] == own else sizes[crop.frame],
            detector=crop.face.detector,
        )
        for crop, verdict in judged
    )
    return ImageReport(
        ref=image.ref,
        status=Status.OK if findings else Status.NO_FACE,
        width=image.width,
        height=image.height,
        orientation=image.orientation,
        facts=image.facts,
        findings=findings,
        provenance=image.provenance,
        elapsed_ms=image.decode_ms + elapsed_ms,
        caveats=image.caveats,
        frames=image.frames,
        frames_judged=len(image.all_frames),
        pdq=image.pdq,
    )


def unreadable_report(item: Unreadable) -> ImageReport:
    """The report on an input without pixels; it takes no stages."""
    return ImageReport(
        ref=item.ref,
        status=Status.ERROR,
        facts=item.facts,
        code=item.code,
        message=item.message,
        elapsed_ms=item.decode_ms,
    )
