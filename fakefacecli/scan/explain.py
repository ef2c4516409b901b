"""Where in a face crop a network, or a judge of several, found its evidence for "fake"."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fakefacecli.base.errors import DeviceFull
from fakefacecli.base.records import FaceCrop, Floats, Heatmap
from fakefacecli.base.verdicts import Verdict
from fakefacecli.models.judge import contributions
from fakefacecli.models.precision import full_float32
from fakefacecli.scan.heat import Method, find_maps
from fakefacecli.scan.hooks import frozen

if TYPE_CHECKING:
    import torch

    from fakefacecli.scan.classify import Network


class NetworkExplainer:
    """Explains crops by what one network found, by `method` at `target_layer`'s output.

    `prepare` turns crops into the network's input, (N, 3, px, px) float32 on its device.
    `fake_output` is the index of "fake" among the network's outputs: -1 fits one logit as well as
    (real, fake). `region` says which part of a crop the network sees (left, top, right, bottom);
    all of it by default. Several threads may call; nothing else may use the network
    meanwhile. Afterwards its flags and gradients are what they were.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what is explained, how, and how much at a time
        self,
        network: "torch.nn.Module",
        target_layer: "torch.nn.Module",
        prepare: "Callable[[Sequence[FaceCrop]], torch.Tensor]",
        batch_size: int = 16,
        fake_output: int = -1,
        region: Callable[[FaceCrop], tuple[int, int, int, int]] | None = None,
        method: Method = Method.GRAD_CAM,
    ):
        if batch_size < 1:
            raise ValueError(f"batch size {batch_size} found, wanted 1 or more")
        self.network = network
        self.target_layer = target_layer
        self.prepare = prepare
        self.batch_size = batch_size
        self.fake_output = fake_output
        self.region = region or _all_of_it
        self.method = method
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
        """The maps of `crops`, as heat.find_maps has them, (N, rows, columns)."""
        import torch

        device = next(self.network.parameters()).device.type
        with (
            # gradients under a caller's inference_mode; grad-cam's numpy() knows no bfloat16
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device, enabled=False),
            full_float32(device),
            frozen(self.network),
        ):
            inputs = self.prepare(crops)
            return find_maps(self.network, self.target_layer, self.method, inputs, self._fake_logit)

    def _fake_logit(self, outputs: "torch.Tensor") -> "torch.Tensor":
        return outputs.reshape(-1)[self.fake_output]


class JudgeExplainer:
    """An `Explainer` of a judge: its members' maps, laid over each other where the face lies.

    Each map counts as much as its member added to the judge's logit for "fake"; members that
    spoke for "real" add nothing, nor do those that were not asked. Of a single network it is that
    network's own map.
    """

    def __init__(self, members: "Sequence[Network]", explainers: Sequence[NetworkExplainer]):
        self.members = tuple(members)
        self.explainers = tuple(explainers)

    def explain(self, crops: Sequence[FaceCrop], verdicts: Sequence[Verdict]) -> list[Heatmap]:
        """One map per crop, in the photograph's frame: a window that was turned is turned back.

        `verdicts` are the crops'.
        """
        if len(self.members) == 1:
            heats = self.explainers[0].explain(crops)
        else:
            heats = self._added_up(crops, verdicts)
        return [
            Heatmap(_turned_back(heat.values, crop.turned), heat.contributions)
            if crop.levelled
            else heat
            for heat, crop in zip(heats, crops, strict=True)
        ]

    def _added_up(self, crops: Sequence[FaceCrop], verdicts: Sequence[Verdict]) -> list[Heatmap]:
        parts = [(member.name, member.weight, member.card) for member in self.members]
        said = [
            contributions(parts, verdict.opinions)
            for _, verdict in zip(crops, verdicts, strict=True)
        ]
        sums = [np.zeros((crop.side, crop.side), np.float32) for crop in crops]
        for number, explainer in enumerate(self.explainers):
            added = [max(row[number].amount or 0.0, 0.0) for row in said]
            # who adds nothing need not be explained, which costs more than judging
            places = np.flatnonzero(added).tolist()
            heats = explainer.explain([crops[place] for place in places])
            for place, heat in zip(places, heats, strict=True):
                sums[place] += np.float32(added[place]) * heat.values
        # as in `spread`: 1 is the peak, or where that is low what would move the logit by 1
        return [
            Heatmap(np.clip(heat / max(float(heat.max()), 1.0), 0.0, 1.0), row)
            for heat, row in zip(sums, said, strict=True)
        ]


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
