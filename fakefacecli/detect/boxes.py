"""What the cascade does with boxes: (k, 4) float32, left, top, right, bottom in pixels."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from fakefacecli.detect.pyramid import Tables


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

    sizes = torch.tensor(tables.sizes, device=boxes.device).reshape(-1, 2).flip(1)[owners]
    finite = boxes.isfinite().all(1)
    # beyond 2^24 a float32 holds no whole pixels, and no image is as large as that
    edges = boxes.nan_to_num(0.0).clamp(-(2.0**24), 2.0**24).to(torch.int64)
    near = (edges[:, :2] - 1).clamp(min=0)
    far = torch.minimum(edges[:, 2:], sizes)
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
    hits = (overlaps > most).triu(1)
    kept = torch.ones_like(order, dtype=torch.bool)
    while True:
        settled = ~(hits & kept[:, None]).any(0)
        if torch.equal(settled, kept):
            return order[kept]
        kept = settled
