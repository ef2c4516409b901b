"""What a training starts from: random, public or our own weights, and the card to them."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.models.backbones import build, check_flag, load_pretrained, public_levels
from fakefacecli.models.calibration import Calibration
from fakefacecli.models.card import (
    FACENET_MEAN,
    FACENET_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ModelCard,
    Triple,
)
from fakefacecli.models.checkpoint import Checkpoint, load
from fakefacecli.models.window import FLAT_WINDOW, LEVEL_WINDOW
from fakefacecli.train.faces import CACHE_SCALE
from fakefacecli.train.freeze import frozen_at_start
from fakefacecli.train.low_rank import add_adapters
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    from torch import nn

# nothing is calibrated yet, so they are wide apart: only clear scores get a verdict
_THRESHOLDS = Thresholds(0.25, 0.9)
_MEANING = "not tuned; fakeface calibrate sets them"
_MIN_FACE_PX = 64
OWN_SCALE = 1.15  # of a network whose window is its own


def start_with(
    options: TrainOptions, init: Checkpoint | None = None
) -> "tuple[nn.Module, ModelCard]":
    """The network to train and its card, before any data is read; `init` is the model of --init.

    Raises UsageError for a --backbone, --freeze, --lora or --input-px that is not possible,
    ModelRefused for weights that cannot be loaded.
    """
    import torch

    if not init:
        check_flag(options.backbone, options.head)
    card = fresh_card(options, init)
    network = start_network(options, card, init)
    check_px(network, card)
    frozen_at_start(network, options.freeze)
    if options.lora:
        torch.manual_seed(options.seed)
        add_adapters(network, options.lora)
    return network, card


def fresh_card(options: TrainOptions, init: Checkpoint | None = None) -> ModelCard:
    """The card of a model that is about to be trained; that of `init` says how its faces are fed.

    With --view the flags say it, and `init` only what its grey levels become. Raises ModelRefused
    when training cannot feed them so.
    """
    name = os.path.splitext(os.path.basename(options.out))[0]
    if init is None:
        return _seeing(_new_card(options, name), options)
    card = init.card
    if card.stretch or not (card.rule or card.crop_scale <= CACHE_SCALE):
        raise ModelRefused(
            f"{init.path}: its card wants faces cut in a way that training does not "
            "cut them; it can scan, but not be trained further"
        )
    card = replace(
        card,
        name=name,
        calibration=Calibration("none"),
        thresholds=_THRESHOLDS,
        meaning=_MEANING,
        measured={},
    )
    return _seeing(card, options) if options.view else card


def _new_card(options: TrainOptions, name: str) -> ModelCard:
    faces = options.backbone == "inception_resnet_v1"
    mean, std = _levels(options)
    return ModelCard(
        name=name,
        backbone=options.backbone,
        head=options.head,
        input_px=160 if faces else 224,
        mean=mean,
        std=std,
        levels=255 if faces else 1,
        channels=options.channels,
        crop_scale=OWN_SCALE,
        calibration=Calibration("none"),
        thresholds=_THRESHOLDS,
        meaning=_MEANING,
        min_face_px=_MIN_FACE_PX,
    )


def _seeing(card: ModelCard, options: TrainOptions) -> ModelCard:
    """The card with what --view, --level, --crop-scale, --via-px and --input-px say."""
    input_px = options.input_px or card.input_px
    if options.view is None:
        scale = options.crop_scale or card.crop_scale
        if scale > CACHE_SCALE:
            raise UsageError(
                f"--crop-scale {scale:g}: a window of more than {CACHE_SCALE} times the box goes "
                "with --view window"
            )
        return replace(card, input_px=input_px, crop_scale=scale)
    rule = LEVEL_WINDOW if options.level else FLAT_WINDOW
    return replace(
        card.in_grey_levels(),
        input_px=input_px,
        view=options.view,
        rule=rule,
        crop_scale=options.crop_scale or rule.span,
        via_px=options.via_px,
    )


def _levels(options: TrainOptions) -> tuple[Triple, Triple]:
    """Mean and standard deviation: those of the public weights, or what is usual."""
    if options.backbone == "inception_resnet_v1":
        return FACENET_MEAN, FACENET_STD
    public = public_levels(options.backbone) if options.pretrained else None
    return public or (IMAGENET_MEAN, IMAGENET_STD)


def start_network(
    options: TrainOptions, card: ModelCard, init: Checkpoint | None = None
) -> "nn.Module":
    """The network to train; random weights follow the seed alone."""
    import torch

    torch.manual_seed(options.seed)
    if init:
        # `load` gives networks that only judge
        return load(init).requires_grad_(True)
    network = build(card.backbone, card.head, "--backbone")
    if options.pretrained:
        load_pretrained(network, card.backbone)
    return network


def check_px(network: "nn.Module", card: ModelCard) -> None:
    """Raise UsageError when the network cannot take pictures of the card's size."""
    import torch

    try:
        with torch.inference_mode():
            answer = network.eval()(torch.zeros((1, 3, card.input_px, card.input_px)))
    except (RuntimeError, AssertionError, ValueError):
        raise UsageError(
            f"{card.backbone} cannot take pictures of {card.input_px} px; try another --input-px"
        ) from None
    if answer.shape != (1, 1):
        raise UsageError(f"{card.backbone} answers {tuple(answer.shape)}, wanted one logit")
