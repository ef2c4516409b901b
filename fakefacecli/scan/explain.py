"""Grad-CAM: where in a face crop the network found its evidence for "fake".

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, https://arxiv.org/abs/1610.02391. A map is as coarse as the layer it
comes from (3 x 3 cells for block8 of InceptionResnetV1 at 160 px): it shows regions, not outlines.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fakefacecli.base.errors import DeviceFull
from fakefacecli.base.records import FaceCrop, Floats, Heatmap
from fakefacecli.models.backbones import grid_of
from fakefacecli.models.precision import full_float32

if TYPE_CHECKING:
    import torch

    from fakefacecli.scan.classify import Network


class GradCamExplainer:
    """Explains crops by the gradient of the fake logit at `target_layer`'s output.

    `prepare` turns crops into the network's input, (N, 3, px, px) float32 on its device.
    `fake_output` is the index of "fake" among the network's outputs: -1 fits one logit as well as
    (real, fake). `region` says which part of a crop the network sees (left, top, right, bottom);
    all of it by default. Several threads may call; nothing else may use the network
    meanwhile. Afterwards its flags and gradients are what they were.
    """

    def __init__(
        self,
        network: "torch.nn.Module",
        target_layer: "torch.nn.Module",
        prepare: "Callable[[Sequence[FaceCrop]], torch.Tensor]",
        batch_size: int = 16,
        fake_output: int = -1,
        region: Callable[[FaceCrop], tuple[int, int, int, int]] | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"batch size {batch_size} found, wanted 1 or more")
        self.network = network
        self.target_layer = target_layer
        self.prepare = prepare
        self.batch_size = batch_size
        self.fake_output = fake_output
        self.region = region or _all_of_it
        self._one_at_a_time = threading.Lock()

    def explain(self, crops: Sequence[FaceCrop]) -> list[Heatmap]:
        """One map per crop, (side, side) of its crop; all zeros where nothing speaks for "fake".

        A CUDA device that runs out of memory gets half as many crops at a time from then on; only
        when one crop does not fit is DeviceFull raised.
        """
        import torch

        heatmaps: list[Heatmap] = []
        while len(heatmaps) < len(crops):
            batch = crops[len(heatmaps) : len(heatmaps) + self.batch_size]
            try:
                with self._one_at_a_time:  # its hooks would see another thread's faces
                    grids = self._grids(batch)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise DeviceFull from None
                grids = None
            if grids is None:  # outside `except`: its traceback would keep the tensors alive
                self.batch_size = len(batch) // 2
                torch.cuda.empty_cache()
                continue
            heatmaps += [
                Heatmap(spread(grid, crop.side, self.region(crop)))
                for grid, crop in zip(grids, batch, strict=True)
            ]
        return heatmaps

    def _grids(self, crops: Sequence[FaceCrop]) -> Floats:
        """The signed maps of `crops` at the layer's own size, (N, rows, columns).

        With a linear head behind a global average pool, as in most backbones here, a cell is its
        share of the logit: the cells of a crop sum to its logit less the bias.
        """
        import torch
        from pytorch_grad_cam import GradCAM

        targets = [self._fake_logit] * len(crops)
        device = next(self.network.parameters()).device.type
        with (
            # gradients under a caller's inference_mode; grad-cam's numpy() knows no bfloat16
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device, enabled=False),
            full_float32(device),
            _frozen(self.network),
            _gradient_stops_at(self.target_layer) as end_with,
        ):
            inputs = self.prepare(crops)
            cam = GradCAM(self.network, [self.target_layer], reshape_transform=grid_of)
            end_with(_copy)  # hooks run in the order they were added: this one after grad-cam's
            seen = cam.activations_and_grads
            try:
                cam(inputs, targets)  # its answer stretches every map to 0..1, noise as well
                activations, gradients = seen.activations[0].numpy(), seen.gradients[0].numpy()
                grids = cam.get_cam_image(
                    inputs, self.target_layer, targets, activations, gradients
                )
            finally:  # `with GradCAM(...)` would swallow an IndexError
                seen.release()
        return np.asarray(grids, np.float32)

    def _fake_logit(self, outputs: "torch.Tensor") -> "torch.Tensor":
        return outputs.reshape(-1)[self.fake_output]


class JudgeExplainer:
    """An `Explainer` of a judge: its members' maps, laid over each other where the face lies.

    Each map counts as much as its member added to the judge's logit for "fake"; members that
    spoke for "real" add nothing. Of a single network it is that network's own map.
    """

    def __init__(self, members: "Sequence[Network]", explainers: Sequence[GradCamExplainer]):
        self.members = tuple(members)
        self.explainers = tuple(explainers)

    def explain(self, crops: Sequence[FaceCrop]) -> list[Heatmap]:
        """One map per crop, in the photograph's frame: a window that was turned is turned back."""
        if len(self.members) == 1:
            maps = [heat.values for heat in self.explainers[0].explain(crops)]
        else:
            maps = self._added_up(crops)
        return [
            Heatmap(_turned_back(values, crop.turned) if crop.levelled else values)
            for values, crop in zip(maps, crops, strict=True)
        ]

    def _added_up(self, crops: Sequence[FaceCrop]) -> list[Floats]:
        sums = [np.zeros((crop.side, crop.side), np.float32) for crop in crops]
        for member, explainer in zip(self.members, self.explainers, strict=True):
            added = np.maximum(member.weight * np.array(member.logits(crops)), 0.0)
            # who adds nothing need not be explained, which costs more than judging
            places = np.flatnonzero(added).tolist()
            heats = explainer.explain([crops[place] for place in places])
            for place, heat in zip(places, heats, strict=True):
                sums[place] += np.float32(added[place]) * heat.values
        # as in `spread`: 1 is the peak, or where that is low what would move the logit by 1
        return [np.clip(heat / max(float(heat.max()), 1.0), 0.0, 1.0) for heat in sums]


def _turned_back(heat: Floats, roll: float) -> Floats:
    """A map of a window that was turned level, as the window lies in the photograph."""
    import cv2

    side = len(heat)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -roll, 1)
    turned = cv2.warpAffine(heat, turn, (side, side), flags=cv2.INTER_LINEAR, borderValue=0)
    return np.clip(np.asarray(turned, np.float32), 0.0, 1.0)


def spread(grid: Floats, side: int, seen: tuple[int, int, int, int] | None = None) -> Floats:
    """Lay a signed map of any size over (side, side), bilinear; heat in [0, 1].

    What lies outside `seen` (left, top, right, bottom) stays cold: the network never saw it.

    Evidence against "fake" is cut off (the paper's ReLU). 1 stands for the map's peak, or for the
    evidence that would, were it in every cell, move the logit by 1 if the peak is below that: so
    a face without evidence stays cold instead of showing its noise. A map that is not finite
    says nothing: all zeros.
    """
    if not np.isfinite(grid).all():
        return np.zeros((side, side), np.float32)
    heat = np.maximum(grid, 0.0) / max(float(grid.max()), 1.0 / grid.size)
    left, top, right, bottom = seen or (0, 0, side, side)
    size = (right - left, bottom - top)
    wide = Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    spread_out = np.zeros((side, side), np.float32)
    spread_out[top:bottom, left:right] = np.clip(np.asarray(wide, np.float32), 0.0, 1.0)
    return spread_out


def _all_of_it(crop: FaceCrop) -> tuple[int, int, int, int]:
    return 0, 0, crop.side, crop.side


@contextlib.contextmanager
def _frozen(network: "torch.nn.Module") -> Iterator[None]:
    """Inside, no parameter collects a gradient; outside, every flag and gradient is as it was.

    grad-cam calls eval() and zero_grad(), and its backward() would fill every `.grad`.
    """
    modes = [(module, module.training) for module in network.modules()]
    parameters = [(p, p.requires_grad, p.grad) for p in network.parameters()]
    try:
        for parameter, wanted_gradient, _ in parameters:
            if wanted_gradient:
                parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, wanted_gradient, gradient in parameters:
            if wanted_gradient:
                parameter.requires_grad_(True)
            parameter.grad = gradient


@contextlib.contextmanager
def _gradient_stops_at(layer: "torch.nn.Module") -> Iterator[Callable[[Any], None]]:
    """Make `layer`'s output the root of the gradient: nothing before it is kept or computed.

    That costs little more than a forward pass, and it does not matter whether weights require a
    gradient. The block gets a function that adds a last hook, when all others have been added.
    """
    handles = [layer.register_forward_hook(_root)]
    try:
        yield lambda hook: handles.append(layer.register_forward_hook(hook))
    finally:
        for handle in handles:
            handle.remove()


def _root(layer: Any, inputs: Any, output: "torch.Tensor") -> "torch.Tensor":
    return output.detach().requires_grad_(True)


def _copy(layer: Any, inputs: Any, output: "torch.Tensor") -> "torch.Tensor":
    """Keep an in-place ReLU behind the layer from overwriting what grad-cam saved."""
    return output.clone()
