"""The second and the third network, which judge boxes: each sees a box of a photograph alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakefacecli.detect.boxes import clip, square, suppress_in_groups
from fakefacecli.detect.networks import OutputNet, RefineNet
from fakefacecli.detect.pyramid import Tables, pool_boxes

if TYPE_CHECKING:
    import torch

SAME_FACE_OVERLAP = 0.7


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes (k, 4) and their images' numbers; `out` says which count for nothing, None: none."""

    edges: "torch.Tensor"
    owners: "torch.Tensor"
    out: "torch.Tensor | None" = None

    @property
    def sides(self) -> "torch.Tensor":
        """Widths and heights (k, 2), as the later networks' shifts count them."""
        # facenet-pytorch counts a side one pixel longer than right less left
        return self.edges[:, 2:] - self.edges[:, :2] + 1

    def at(self, places: "torch.Tensor") -> "Boxes":
        """Those at `places`."""
        out = None if self.out is None else self.out[places]
        return Boxes(self.edges[places], self.owners[places], out)


def refined(
    net: RefineNet, tables: Tables, boxes: Boxes, least: float, *, blind: bool = False
) -> Boxes:
    """The squares that the refining network lets through, moved by it, none found twice."""
    boxes, answers = _ask(net, tables, boxes, least, blind=blind)
    scores = answers[:, 0].sigmoid()
    best = suppress_in_groups(boxes.edges, scores, boxes.owners, SAME_FACE_OVERLAP, boxes.out)
    boxes, shifts = boxes.at(best), answers[best, 1:]
    return Boxes(square(boxes.edges + shifts * boxes.sides.repeat(1, 2)), boxes.owners, boxes.out)


def final(
    net: OutputNet, tables: Tables, boxes: Boxes, least: float, *, blind: bool = False
) -> "tuple[Boxes, torch.Tensor]":
    """Those that the last network lets through; box, score and landmarks (k, 15) of each."""
    import torch

    boxes, answers = _ask(net, tables, boxes, least, blind=blind)
    sides = boxes.sides
    points = answers[:, 5:].reshape(-1, 2, 5) * sides[:, :, None] + boxes.edges[:, :2, None] - 1
    edges = boxes.edges + answers[:, 1:5] * sides.repeat(1, 2)
    scores = answers[:, :1].sigmoid()
    return boxes, torch.cat((edges, scores, points.transpose(1, 2).flatten(1)), 1)


def _ask(
    net: RefineNet | OutputNet, tables: Tables, boxes: Boxes, least: float, *, blind: bool
) -> "tuple[Boxes, torch.Tensor]":
    """The boxes whose logit is above `least`, and what `net` says of each.

    With `blind` the others stay among them and are `out`: to drop them one has to know their
    number, for which a device has to be waited for.
    """
    import torch

    # the network sees whole pixels inside the image; its shifts move the box before clipping
    whole, inside = clip(boxes.edges, boxes.owners, tables)
    if blind:
        pixel = torch.arange(4, device=whole.device) // 2  # any that is in every image
        whole = torch.where(inside[:, None], whole, pixel)
        answers = _answers(net, tables, boxes.owners, whole)
        out = ~(inside & (answers[:, 0] > least))
        return Boxes(boxes.edges, boxes.owners, out if boxes.out is None else out | boxes.out), (
            answers
        )
    boxes, whole = boxes.at(inside), whole[inside]
    answers = _answers(net, tables, boxes.owners, whole)
    passed = answers[:, 0] > least
    return boxes.at(passed), answers[passed]


def _answers(
    net: RefineNet | OutputNet, tables: Tables, owners: "torch.Tensor", whole: "torch.Tensor"
) -> "torch.Tensor":
    """What `net` says of boxes in whole pixels."""
    import torch
    from torch.nn import functional as F

    answers = [torch.empty((0, net.heads.outputs), device=whole.device)]
    for start in range(0, len(whole), net.at_once):
        chunk = slice(start, start + net.at_once)
        pixels = pool_boxes(tables, owners[chunk], whole[chunk], net.SIDE)
        # up to a power of two with empty crops: oneDNN prepares each new batch size anew
        idle = (1 << (len(pixels) - 1).bit_length()) - len(pixels)
        made = net.forward(F.pad(pixels, (0, 0, 0, 0, 0, 0, 0, idle)))
        answers.append(made[: len(pixels)])
    return torch.cat(answers)
