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
from fakefacecli.train.faces import CACHE_SCALE
from fakefacecli.train.freeze import frozen_at_start
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    from torch import nn

# nothing is calibrated yet, so they are wide apart: only clear scores get a verdict
_THRESHOLDS = Thresholds(0.25, 0.9)
_MEANING = "not tuned; fakeface calibrate sets them"
_MIN_FACE_PX = 64


def start_with(
    options: TrainOptions, init: Checkpoint | None = None
) -> "tuple[nn.Module, ModelCard]":
    """The network to train and its card, before any data is read; `init` is the model of --init.

    Raises UsageError for a --backbone, --freeze or --input-px that is not possible, ModelRefused
    for weights that cannot be loaded.
    """
    if not init:
        check_flag(options.backbone, options.head)
    card = fresh_card(options, init)
    network = start_network(options, card, init)
    check_px(network, card)
    frozen_at_start(network, options.freeze)
    return network, card


def fresh_card(options: TrainOptions, init: Checkpoint | None = None) -> ModelCard:
    """The card of a model that is about to be trained; that of `init` says how its faces are fed.

    Raises ModelRefused when training cannot feed them so.
    """
    name = os.path.splitext(os.path.basename(options.out))[0]
    if init:
        card = init.card
        if card.stretch or card.crop_scale > CACHE_SCALE:
            raise ModelRefused(
                f"{init.path}: its card wants faces cut in a way that training does not "
                "cut them; it can scan, but not be trained further"
            )
        return replace(
            card,
            name=name,
            calibration=Calibration("none"),
            thresholds=_THRESHOLDS,
            meaning=_MEANING,
            measured={},
        )
    faces = options.backbone == "inception_resnet_v1"
    mean, std = _levels(options)
    return ModelCard(
        name=name,
        backbone=options.backbone,
        head=options.head,
        input_px=options.input_px or (160 if faces else 224),
        mean=mean,
        std=std,
        levels=255 if faces else 1,
        channels=options.channels,
        crop_scale=options.crop_scale,
        calibration=Calibration("none"),
        thresholds=_THRESHOLDS,
        meaning=_MEANING,
        min_face_px=_MIN_FACE_PX,
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
