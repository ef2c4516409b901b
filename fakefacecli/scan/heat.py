"""Ways to find where a network saw evidence for "fake", and which of them each network gets.

All give a map of as few cells as the layer has that they read: regions, not outlines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from fakefacecli.base.records import Floats
from fakefacecli.models.backbones import grid_of, last_block
from fakefacecli.models.card import ModelCard
from fakefacecli.scan.hooks import attention_kept, copied, gradient_stops_at

if TYPE_CHECKING:
    import torch
    from torch import nn

    FakeLogit = Callable[[torch.Tensor], torch.Tensor]  # of one face's outputs, its logit


class Method(StrEnum):
    """How a map is made.

    grad_cam: Selvaraju et al., ICCV 2017, arXiv:1610.02391.
    grad_cam_plus_plus: Chattopadhay et al., WACV 2018, arXiv:1710.11063.
    layer_cam: Jiang et al., IEEE TIP 2021, doi:10.1109/TIP.2021.3089943.
    eigen_grad_cam: the first principal component of activation x gradient, as the grad-cam
    package has it after Muhammad and Yeasin, arXiv:2008.00299.
    rollout: attention rollout, Abnar and Zuidema, ACL 2020, arXiv:2005.00928; of a ViT alone.
    gradient_rollout: the same of attention x gradient, Chefer et al., ICCV 2021, arXiv:2103.15679.
    """

    GRAD_CAM = "grad_cam"
    GRAD_CAM_PLUS_PLUS = "grad_cam_plus_plus"
    LAYER_CAM = "layer_cam"
    EIGEN_GRAD_CAM = "eigen_grad_cam"
    ROLLOUT = "rollout"
    GRADIENT_ROLLOUT = "gradient_rollout"

    @property
    def reads_attention(self) -> bool:
        """Whether it needs a ViT's attention, and no layer."""
        return self in (Method.ROLLOUT, Method.GRADIENT_ROLLOUT)


@dataclass(frozen=True, slots=True)
class HeatRule:
    """A method, and the submodule whose output it reads: "" is backbones.last_block."""

    method: Method = Method.GRAD_CAM
    layer: str = ""


# for each backbone and view the most faithful rule of FINER and of all methods at the last layer,
# by insertion less deletion (tests/bench/heat.py; the figures are in docs/models.md)
HEAT_RULES: dict[tuple[str, str], HeatRule] = {
    ("timm/vit_base_patch16_clip_quickgelu_224", "window"): HeatRule(Method.GRADIENT_ROLLOUT),
    ("timm/tf_efficientnet_lite2", "window"): HeatRule(Method.GRAD_CAM),
    ("timm/tf_efficientnet_lite2", "native"): HeatRule(Method.GRAD_CAM, "blocks.4"),
    ("inception_resnet_v1", "window"): HeatRule(Method.GRAD_CAM_PLUS_PLUS, "repeat_2"),
}
# the last layer that has twice as many rows and columns as the last block
FINER = {"timm/tf_efficientnet_lite2": "blocks.4", "inception_resnet_v1": "repeat_2"}


def rule_of(card: ModelCard) -> HeatRule:
    """How a network is explained; by Grad-CAM where nothing was measured."""
    return HEAT_RULES.get((card.backbone, card.view), HeatRule())


def layer_of(network: "nn.Module", card: ModelCard, rule: HeatRule) -> "nn.Module":
    """The module of `network` whose output `rule` reads."""
    if rule.layer:
        return network.get_submodule(rule.layer)
    return last_block(network, card.backbone, card.input_px)


def find_maps(
    network: "nn.Module",
    layer: "nn.Module",
    method: Method,
    inputs: "torch.Tensor",
    fake_logit: "FakeLogit",
) -> Floats:
    """The maps of `inputs`, (N, rows, columns) float32, by `method`.

    Grad-CAM's are signed and in units of the logit: with a linear head behind a global average
    pool the cells of a map sum to the logit less the bias. The other methods have units of their
    own and no sign that means anything: of a face whose logit is positive, their positive part is
    scaled so that its cells sum to the logit, and of any other face nothing is left.

    Wants gradients enabled and `network` frozen; leaves no hook behind.
    """
    if method.reads_attention:
        maps, logits = _rollout(network, method, inputs, fake_logit)
    else:
        maps, logits = _class_activation(network, layer, method, inputs, fake_logit)
    if method is Method.GRAD_CAM:
        return maps
    maps = np.maximum(maps, 0.0)
    sums = maps.sum(axis=(1, 2))
    scale = np.maximum(logits, 0.0) / np.where(sums > 0, sums, 1.0)
    return np.asarray(maps * scale[:, np.newaxis, np.newaxis], np.float32)


def _class_activation(
    network: "nn.Module",
    layer: "nn.Module",
    method: Method,
    inputs: "torch.Tensor",
    fake_logit: "FakeLogit",
) -> tuple[Floats, Floats]:
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM

    kinds = {Method.GRAD_CAM_PLUS_PLUS: GradCAMPlusPlus, Method.LAYER_CAM: LayerCAM}
    targets = [fake_logit] * len(inputs)
    with gradient_stops_at(layer) as end_with:
        cam = kinds.get(method, GradCAM)(network, [layer], reshape_transform=grid_of)
        end_with(copied)  # hooks run in the order they were added: this one after grad-cam's
        seen = cam.activations_and_grads
        try:
            cam(inputs, targets)  # its answer stretches every map to 0..1, noise as well
            activations, gradients = seen.activations[0].numpy(), seen.gradients[0].numpy()
            logits = np.array([float(fake_logit(row)) for row in cam.outputs.detach().cpu()])
            if method is Method.EIGEN_GRAD_CAM:
                maps = _first_component(activations * gradients)
            else:
                maps = cam.get_cam_image(inputs, layer, targets, activations, gradients, False)
        finally:  # `with GradCAM(...)` would swallow an IndexError
            seen.release()
    return np.asarray(maps, np.float32), np.asarray(logits, np.float32)


def _first_component(evidence: Floats) -> Floats:
    """`evidence` (N, C, rows, columns) projected on its first principal component over the cells.

    grad-cam's own takes the whole C x C basis of each face, 0.3 s where C is 1,792, and leaves the
    sign to chance. Here a map has the sign with which it agrees with the evidence's sum.
    """
    count, channels, rows, columns = evidence.shape
    cells = np.nan_to_num(evidence.reshape(count, channels, -1).astype(np.float64))
    centred = cells - cells.mean(axis=2, keepdims=True)
    strengths, components = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)
    projected = components[..., -1] * np.sqrt(np.maximum(strengths[:, -1:], 0.0))
    agree = (projected * centred.sum(axis=1)).sum(axis=1, keepdims=True)
    maps = np.where(agree < 0, -projected, projected).reshape(count, rows, columns)
    return np.asarray(maps, np.float32)


def _rollout(
    network: "nn.Module", method: Method, inputs: "torch.Tensor", fake_logit: "FakeLogit"
) -> tuple[Floats, Floats]:
    import torch

    vit: Any = network.eval()
    with attention_kept(network) as blocks:
        logits = torch.stack([fake_logit(row) for row in vit(inputs)])
        if method is Method.ROLLOUT:
            layers = [attention.detach().mean(1) for attention in blocks]
        else:
            gradients = torch.autograd.grad(logits.sum(), blocks)
            pairs = zip(blocks, gradients, strict=True)
            layers = [(a.detach() * gradient).clamp(min=0).mean(1) for a, gradient in pairs]
    same = torch.eye(layers[0].shape[-1], device=inputs.device)
    flow = same.expand_as(layers[0])
    for layer in layers:
        # the paper's residual stream: half of what leaves a block is what came in
        flow = (layer + same) / 2 @ flow if method is Method.ROLLOUT else flow + layer @ flow
    first = vit.num_prefix_tokens
    from_all = flow[:, first:, first:].mean(1)
    patches = flow[:, 0, first:] if first and vit.global_pool == "token" else from_all
    maps = grid_of(patches.unsqueeze(-1))[:, 0]
    return maps.cpu().numpy(), logits.detach().float().cpu().numpy()
