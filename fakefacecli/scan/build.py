"""From options to stages: loads the weights and picks the device, once per process."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fakefacecli.base.errors import UsageError
from fakefacecli.base.memory import Memory, default_limit
from fakefacecli.base.options import (
    DecodeOptions,
    Detectors,
    EvidenceOptions,
    Explain,
    JudgeOptions,
    Precision,
    ScanOptions,
    Stability,
)
from fakefacecli.base.protocols import Decoder, Detector
from fakefacecli.base.surroundings import require_proc
from fakefacecli.base.threads import side_by_side
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.detect.both import BothDetectors
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.second import CenterFaceDetector
from fakefacecli.detect.turns import TurningDetector
from fakefacecli.evidence import pdq
from fakefacecli.evidence.provenance import lists_of
from fakefacecli.models.checkpoint import load
from fakefacecli.models.folding import folded
from fakefacecli.models.judge import AnyCheckpoint, EarlyExit, JudgeCard, Member, members_of
from fakefacecli.models.precision import bfloat16_copy, in_bfloat16
from fakefacecli.models.preprocess import prepare, region
from fakefacecli.overlay.writer import OverlayWriter
from fakefacecli.scan.classify import Network, TorchClassifier
from fakefacecli.scan.explain import JudgeExplainer, NetworkExplainer
from fakefacecli.scan.fetch import FetchingDecoder
from fakefacecli.scan.heat import layer_of, rule_of
from fakefacecli.scan.inputs import are_remote
from fakefacecli.scan.machine import pick_device
from fakefacecli.scan.pipeline import Judge, Stages
from fakefacecli.scan.sizes import Sizes, sizes_for
from fakefacecli.scan.stability import StableClassifier

# of one pass through a network. On a CPU more would not fit into its caches, and memory for numbers
# of over 32 MB is asked of the system anew each time: a face took 72 ms in batches of 16, 57 in 2
_FACES_ON_CPU = 4
_FACES_ON_GPU = 256
# the part of a scan's memory that fetched files may fill: the temporary folder may be in memory
_OF_FETCHED = 4


def build(
    options: ScanOptions, checkpoint: AnyCheckpoint, stop: Callable[[], None] = lambda: None
) -> Stages:
    """The stages of a scan; raises what `build_judge` raises.

    The caller closes the decoder: its processes run from now on.
    """
    require_proc()
    limit = options.max_memory or default_limit()
    memory, second = Memory(limit), None
    if options.judge.detector is Detectors.BOTH:
        memory, second = Memory(max(1, limit - limit // 4)), Memory(max(1, limit // 4))
    folder = options.pictures
    draws = folder is not None and options.explain is not Explain.NONE
    # first: its processes start while the model is loaded
    sizes = sizes_for(pick_device(options.judge.device), options.judge.batch_size)
    decoder = scan_decoder(options, sizes, stop, memory)
    try:
        judge = build_judge(options.judge, checkpoint, stop, explains=draws, second=second)
        judge = made_stable(judge, options.evidence.stability)
        return Stages(
            judge=judge,
            explain=options.explain if draws else Explain.NONE,
            overlays=OverlayWriter(folder) if folder is not None else None,
            decoder=decoder,
            memory=memory,
        )
    except BaseException:
        decoder.close()
        raise


def scan_decoder(
    options: ScanOptions,
    sizes: Sizes,
    stop: Callable[[], None] = lambda: None,
    memory: Memory | None = None,
) -> Decoder:
    """The decoder of a scan whose judge works in `sizes`; its processes run until it is closed."""
    decoder = build_decoder(
        options.decode,
        sizes.lanes,
        sizes.batch_size,
        stop,
        follow_symlinks=options.source.follow_symlinks,
        memory=memory,
        evidence=options.evidence,
    )
    if not are_remote(options.source):
        return decoder
    most = DecodeLimits(options.decode.max_pixels).memory_budget
    limit = options.max_memory or default_limit()
    return FetchingDecoder(decoder, most, max(1, limit // _OF_FETCHED), stop)


def build_judge(
    options: JudgeOptions,
    checkpoint: AnyCheckpoint,
    stop: Callable[[], None] = lambda: None,
    *,
    explains: bool = False,
    second: Memory | None = None,
) -> Judge:
    """The model of `checkpoint`, ready to judge; with an explainer if it `explains`.

    The second detector takes its memory from `second`.

    `options.model` is ignored: the caller has read the checkpoint. `stop` is called between steps
    that take long, in judging too, and may raise.

    Raises UsageError for a device that is not there, ModelRefused for unsound weights.
    """
    require_proc()
    import torch

    # weights near zero make denormals, which are 100 times slower on many CPUs
    torch.set_flush_denormal(True)
    stop()  # importing torch takes seconds
    device = pick_device(options.device)
    card = checkpoint.card
    early_exit = _early_exit(options, checkpoint)
    jobs: list[Callable[[], Any]] = [
        partial(_network, member, options.precision, device, stop)
        for member in members_of(checkpoint)
    ]
    jobs.append(partial(build_detector, options, device, second))
    *members, detector = side_by_side(_done, jobs)
    stop()
    sizes = sizes_for(device, options.batch_size)
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)  # lanes do not wait for what the others have loaded
    return Judge(
        detector=detector,
        classifier=TorchClassifier(members, card, options.thresholds, early_exit),
        window=card.window,
        explainer=JudgeExplainer(members, [_explainer(m) for m in members]) if explains else None,
        model_name=card.name,
        device=device,
        precision="bf16" if any(member.quick for member in members) else "fp32",
        lanes=sizes.lanes,
        batch_size=sizes.batch_size,
        most_pixels=sizes.most_pixels,
    )


def made_stable(judge: Judge, stability: Stability) -> Judge:
    """The judge, which asks itself again about the faces that `stability` names."""
    if stability is Stability.OFF:
        return judge
    return replace(judge, classifier=StableClassifier(judge.classifier, stability))


def build_detector(options: JudgeOptions, device: str, memory: Memory | None = None) -> Detector:
    """The detectors that `options` name, on torch's `device`; the second holds to `memory`."""
    cascade = MtcnnDetector(device, options.min_face_px)
    first = TurningDetector(cascade, options.turns, device)
    if options.detector is Detectors.MTCNN:
        return first
    # CenterFace sees pictures only as they are
    second = CenterFaceDetector(device, options.min_face_px, memory)
    return BothDetectors(first, second, first.upright)


def _done(job: Callable[[], Any]) -> Any:
    return job()


def _network(
    member: Member, precision: Precision, device: str, stop: Callable[[], None]
) -> Network:
    stop()
    card = member.checkpoint.card
    network = folded(load(member.checkpoint), card.input_px).to(device)
    stop()
    quick = None
    if in_bfloat16(precision, card.backbone, device):
        quick = bfloat16_copy(network, card.backbone)
    size = _FACES_ON_CPU if device == "cpu" else _FACES_ON_GPU
    return Network(member.name, network, card, device, quick, member.weight, size, stop)


def _early_exit(options: JudgeOptions, checkpoint: AnyCheckpoint) -> EarlyExit | None:
    if not options.early_exit:
        return None
    card = checkpoint.card
    if options.thresholds not in {None, card.thresholds}:
        raise UsageError(
            "--early-exit was fitted for the model's own thresholds; leave out --threshold or "
            "--early-exit"
        )
    if not isinstance(card, JudgeCard) or card.early_exit is None:
        raise UsageError(
            f"--early-exit: {card.name} has none; it goes with a judge of several networks whose "
            "card says when to stop"
        )
    return card.early_exit


def _explainer(member: Network) -> NetworkExplainer:
    # a copy, as explaining hooks into the network while other threads judge with it
    shown, card = copy.deepcopy(member.network), member.card
    rule = rule_of(card)
    return NetworkExplainer(
        shown,
        layer_of(shown, card, rule),
        lambda crops: prepare(crops, card, member.device),
        region=lambda crop: region(crop, card),
        method=rule.method,
    )


def build_decoder(  # noqa: PLR0913 - what is decoded, for whom, and within which limits
    options: DecodeOptions,
    lanes: int,
    batch_size: int,
    stop: Callable[[], None] = lambda: None,
    *,
    follow_symlinks: bool = False,
    memory: Memory | None = None,
    evidence: EvidenceOptions | None = None,
) -> WorkerDecoder:
    """The decoder for a judge with `lanes` lanes and batches of `batch_size` images.

    Without `evidence` it reads pixels alone. Its processes run until it is closed.
    """
    looks = evidence or EvidenceOptions(provenance=False)
    lists = lists_of(looks)
    limits = DecodeLimits(
        max_pixels=options.max_pixels,
        timeout_s=options.timeout_s,
        follow_symlinks=follow_symlinks,
        frames=options.frames,
        provenance=looks.provenance,
        trust_list=looks.trust_list,
        generators=looks.generators,
        lists_sha256=lists.sha256 if lists else "",
        pdq=evidence is not None and pdq.is_installed(),
    )
    # with one lane nobody asks for images while a batch is judged: those of the next batch must be
    # decoded ahead, or judging and decoding would take turns
    ahead = max(2 * options.workers + 2, batch_size) if lanes == 1 else None
    return WorkerDecoder(options.workers, limits, ahead, stop=stop, memory=memory)
