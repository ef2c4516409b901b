"""What the cascade does with boxes: (k, 4) float32, left, top, right, bottom in pixels."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from fakefacecli.detect.pyramid import Tables

_APART = 2.0**22  # pixels between the places of groups of boxes


def square(boxes: "torch.Tensor") -> "torch.Tensor":
    """The squares around the boxes' middles with the boxes' longer sides."""
    import torch

    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.amax(1, keepdim=True)
    corner = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return torch.cat((corner, corner + longer), 1)


def clip(
    boxes: "torch.Tensor", owners: "torch.Tensor", tables: "Tables"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Whole pixels of each box inside its image, and whether any are left."""
    import torch

    finite = boxes.isfinite().all(1)
    # beyond 2^24 a float32 holds no whole pixels, and no image is as large as that
    edges = boxes.nan_to_num(0.0).clamp(-(2.0**24), 2.0**24).to(torch.int64)
    # facenet-pytorch counts pixels from 1, both ends included: 1..n is 0..n here, end exclusive
    near = (edges[:, :2] - 1).clamp(min=0)
    far = torch.minimum(edges[:, 2:], tables.limits[owners])
    return torch.cat((near, far), 1), finite & (far > near).all(1)


def nms_by_smaller(boxes: "torch.Tensor", scores: "torch.Tensor", most: float) -> "torch.Tensor":
    """Which boxes to keep, best first: none that overlaps a better kept one by more than `most`.

    The overlap is a fraction of the smaller box's area, both sides counted one pixel longer.
    Greedy suppression, found without a loop over boxes: who is suppressed follows from who is
    kept, and repeating that settles at least one more box each time."""
    import torch

    order = scores.argsort(stable=True).flip(0)
    low, high = boxes[order, :2], boxes[order, 2:]
    areas = (high - low + 1).prod(1)
    shared = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low) + 1
    overlaps = shared.clamp(min=0).prod(2) / torch.minimum(areas[:, None], areas)
    # above the diagonal only: row i holds the worse boxes that box i overlaps
    hits = (overlaps > most).triu(1)
    kept = torch.ones_like(order, dtype=torch.bool)
    while True:
        settled = ~(hits & kept[:, None]).any(0)
        if torch.equal(settled, kept):
            return order[kept]
        kept = settled


def overlaps(one: "torch.Tensor", other: "torch.Tensor") -> "torch.Tensor":
    """The boxes' intersection over union: (..., 4) and (..., 4) to (...)."""
    import torch

    shared = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(
        one[..., :2], other[..., :2]
    )
    area = shared.clamp(min=0).prod(-1)
    both = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    return area / (both - area)


def suppress_in_groups(
    boxes: "torch.Tensor",
    scores: "torch.Tensor",
    groups: "torch.Tensor",
    most: float,
    out: "torch.Tensor | None" = None,
) -> "torch.Tensor":
    """Which boxes to keep, best first: none that overlaps a better kept one of its group too much.

    Boxes that are `out` count for nothing; one of them may be among those kept.
    """
    import torch
    from torchvision.ops import nms

    # each group in a place of its own. float64 has bits enough for the place and for the box
    apart = boxes.double().clamp(-_APART / 4, _APART / 4)
    apart += ((groups + 1) * _APART)[:, None]
    if out is not None:
        # all of them in one place, where the first hides the others: to drop them would take
        # another question for their number
        nowhere = torch.arange(4, device=boxes.device) // 2
        apart = torch.where(out[:, None], nowhere, apart)
        scores = torch.where(out, -1.0, scores)
    kept: torch.Tensor = nms(apart, scores.double(), most)
    return kept
