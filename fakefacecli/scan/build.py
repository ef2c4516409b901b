"""From options to stages: loads the weights and picks the device, once per process."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fakefacecli.base.errors import UsageError
from fakefacecli.base.garbage import collected_later
from fakefacecli.base.memory import Memory, default_limit
from fakefacecli.base.options import (
    DecodeOptions,
    Detectors,
    EvidenceOptions,
    Explain,
    JudgeOptions,
    ScanOptions,
    Stability,
)
from fakefacecli.base.protocols import Decoder, Detector
from fakefacecli.base.surroundings import require_proc
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.detect.both import BothDetectors
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.second import CenterFaceDetector
from fakefacecli.detect.turns import TurningDetector
from fakefacecli.evidence import pdq
from fakefacecli.evidence.provenance import lists_of
from fakefacecli.models.judge import AnyCheckpoint, EarlyExit, JudgeCard, members_of
from fakefacecli.models.preprocess import is_plain, prepare, region
from fakefacecli.overlay.writer import OverlayWriter
from fakefacecli.scan.classify import Network, TorchClassifier
from fakefacecli.scan.cut_there import agrees
from fakefacecli.scan.explain import JudgeExplainer, NetworkExplainer
from fakefacecli.scan.fetch import FetchingDecoder
from fakefacecli.scan.heat import layer_of, rule_of
from fakefacecli.scan.inputs import are_remote
from fakefacecli.scan.load import load_networks
from fakefacecli.scan.machine import pick_device
from fakefacecli.scan.pipeline import Judge, Stages
from fakefacecli.scan.sizes import ONE_BY_ONE, Sizes, sizes_for
from fakefacecli.scan.stability import StableClassifier

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
    # first: its processes start while torch and the model are loaded
    decoder = scan_decoder(options, partial(_sizes, options.judge), stop, memory)
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
    sizes: Sizes | Callable[[], Sizes],
    stop: Callable[[], None] = lambda: None,
    memory: Memory | None = None,
) -> Decoder:
    """The decoder of a scan whose judge works in `sizes`; its processes run until it is closed.

    A function is asked for them when decoding begins."""
    decoder = build_decoder(
        options.decode,
        sizes,
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
    with collected_later(spare=True):
        return _judge(options, checkpoint, stop, explains, second)


def _judge(
    options: JudgeOptions,
    checkpoint: AnyCheckpoint,
    stop: Callable[[], None],
    explains: bool,
    second: Memory | None,
) -> Judge:
    import torch

    # weights near zero make denormals, which are 100 times slower on many CPUs
    torch.set_flush_denormal(True)
    stop()  # importing torch takes seconds
    device = pick_device(options.device)
    card = checkpoint.card
    early_exit = _early_exit(options, checkpoint)
    networks, detector = load_networks(
        members_of(checkpoint),
        options.precision,
        device,
        stop,
        partial(build_detector, options, device, second),
    )
    stop()
    sizes = sizes_for(device, options.batch_size)
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)  # lanes do not wait for what the others have loaded
    return Judge(
        detector=detector,
        classifier=TorchClassifier(networks, card, options.thresholds, early_exit),
        window=card.window,
        explainer=JudgeExplainer(networks, [_explainer(one) for one in networks])
        if explains
        else None,
        model_name=card.name,
        device=device,
        precision="bf16" if any(network.quick for network in networks) else "fp32",
        lanes=sizes.lanes,
        batch_size=sizes.batch_size,
        most_pixels=sizes.most_pixels,
        cuts_there=device.startswith("cuda")
        and all(is_plain(one.card) for one in networks)
        and agrees(),
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


def build_decoder(
    options: DecodeOptions,
    sizes: Sizes | Callable[[], Sizes] = ONE_BY_ONE,
    stop: Callable[[], None] = lambda: None,
    *,
    follow_symlinks: bool = False,
    memory: Memory | None = None,
    evidence: EvidenceOptions | None = None,
) -> WorkerDecoder:
    """The decoder for a judge that works in `sizes`; its processes run until it is closed.

    A function is asked for the sizes when decoding begins: they depend on the device, and to look
    for one torch must be there. Without `evidence` it reads pixels alone.
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
    ahead = partial(_ahead, options.workers, sizes)
    return WorkerDecoder(options.workers, limits, ahead, stop=stop, memory=memory)


def _ahead(workers: int, sizes: Sizes | Callable[[], Sizes]) -> int:
    found = sizes if isinstance(sizes, Sizes) else sizes()
    ahead = 2 * workers + 2
    # with one lane nobody asks for images while a batch is judged: those of the next batch must be
    # decoded ahead, or judging and decoding would take turns
    return max(ahead, found.batch_size) if found.lanes == 1 else ahead


def _sizes(options: JudgeOptions) -> Sizes:
    return sizes_for(pick_device(options.device), options.batch_size)
