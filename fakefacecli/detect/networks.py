"""MTCNN's three networks, rewritten for speed: same weights, same answers up to rounding.

Zhang, Zhang, Li, Qiao: "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", IEEE Signal Processing Letters, 2016. The weights come with
facenet-pytorch. All networks take pixels as they are, 0..255: the step to (x - 127.5) / 128 is
folded into their first convolution. Scores are logits, of a face against none.
"""

from typing import TYPE_CHECKING, Any

from fakefacecli.models.lean import without_compiler

if TYPE_CHECKING:
    import torch

CELL = 12  # side in pixels of what the proposal network sees
STRIDE = 2  # pixels from one cell to the next


def cells(pixels: int) -> int:
    """How many cells the proposal network sees along so many pixels, at least 12."""
    return (pixels - CELL + 1) // STRIDE + 1


def load(device: "torch.device") -> "tuple[ProposalNet, RefineNet, OutputNet]":
    """Read the three networks' weights from facenet-pytorch and put them on `device`."""
    with without_compiler():
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    nets = [net().to(device).requires_grad_(False) for net in (PNet, RNet, ONet)]
    # what a layer makes should stay in a CPU's cache; a GPU wants work enough to fill it
    refined, judged = (64, 32) if device.type == "cpu" else (4096, 1024)
    return ProposalNet(nets[0]), RefineNet(nets[1], refined), OutputNet(nets[2], judged)


class Convolution:
    """A convolution and its PReLU."""

    def __init__(self, weight: "torch.Tensor", bias: "torch.Tensor", slope: "torch.Tensor") -> None:
        import torch

        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.bias = bias
        self.slope = slope

    def __call__(self, pixels: "torch.Tensor", stride: int = 1) -> "torch.Tensor":
        from torch.nn import functional as F

        return F.prelu(F.conv2d(pixels, self.weight, self.bias, stride), self.slope)


def _layer(net: Any, number: int, pad_in: int = 0, pad_out: int = 0) -> Convolution:
    """Layer `number` of `net`, with `pad_in` and `pad_out` idle channels appended."""
    from torch.nn import functional as F

    conv, prelu = getattr(net, f"conv{number}"), getattr(net, f"prelu{number}")
    weight, bias = conv.weight, conv.bias
    if number == 1:
        # w * (x - 127.5) / 128 = (w / 128) * x - 127.5 / 128 * sum(w): scale into the weight, rest
        # into the bias. The sum in float64, and on the CPU, as Apple's GPUs know no float64
        grey = weight.cpu().double().sum((1, 2, 3)).mul(127.5 / 128).float()
        bias = bias - grey.to(bias.device)
        weight = weight / 128
    return Convolution(
        F.pad(weight, (0, 0, 0, 0, 0, pad_in, 0, pad_out)),
        F.pad(bias, (0, pad_out)),
        F.pad(prelu.weight, (0, pad_out)),
    )


def _pool_even(made: "torch.Tensor") -> "torch.Tensor":
    """Maxima of 3 x 3 in steps of 2 over even sides, the last window cut short: half the sides.

    `max_pool2d` in ceil mode, at half its time on a CPU in channels_last."""
    import torch

    # rows 0 and 1, 2 and 3, ... first, then the third row, which is the next pair's first. The last
    # pair has no third: ceil mode keeps that window and lets it hold two rows only
    tall = torch.maximum(made[:, :, ::2], made[:, :, 1::2])
    tall[:, :, :-1] = torch.maximum(tall[:, :, :-1], made[:, :, 2::2])
    pooled = torch.maximum(tall[..., ::2], tall[..., 1::2])
    pooled[..., :-1] = torch.maximum(pooled[..., :-1], tall[..., 2::2])
    return pooled


def _contrast(linear: Any) -> "tuple[torch.Tensor, torch.Tensor]":
    """Weight (1, n) and bias (1,) of "face" less "no face": softmax of two is their sigmoid."""
    weight, bias = linear.weight.flatten(1), linear.bias
    return weight[1:] - weight[:1], bias[1:] - bias[:1]


class ProposalNet:
    """PNet: slides over a picture and proposes cells that may hold a face."""

    def __init__(self, net: Any) -> None:

        first = _layer(net, 1)
        self.channels = first.weight.shape[0]
        # Max-pooling 2 x 2 halves what the first convolution makes, and is slow in PyTorch: one
        # convolution in steps of two makes the four pixels of a pool side by side, as channels
        four = first.weight.new_zeros((2, 2, self.channels, 3, 4, 4))
        for down in range(2):
            for across in range(2):
                four[down, across, :, :, down : down + 3, across : across + 3] = first.weight
        self.first = Convolution(four.flatten(0, 2), first.bias.repeat(4), first.slope.repeat(4))
        self.second, self.third = _layer(net, 2), _layer(net, 3)
        contrast, offset = _contrast(net.conv4_1)
        self.contrast, self.offset = contrast[0], float(offset)
        self.shift_weight, self.shift_bias = net.conv4_2.weight.flatten(1), net.conv4_2.bias

    def propose(
        self, pixels: "torch.Tensor", size: tuple[int, int], least: float
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """The cells of `pixels` (n, h, w, 3) whose logit is at least `least`.

        Only the upper left `size` (height, width) of the pixels counts; h and w are even.
        Returns the cells (k, 3) as image, row, column; logits (k,); shifts of the box (k, 4), as
        fractions of its side.
        """
        import torch

        made = self.first(pixels.permute(0, 3, 1, 2), stride=2)
        half, c = 2 * self.channels, self.channels
        # the pools at an odd edge hold one row or column only: let the missing one repeat it
        height, width = size
        if height % 2:
            made[:, half:, height // 2 - 1] = made[:, :half, height // 2 - 1]
        if width % 2:
            last = made[..., width // 2 - 1]
            last[:, c:half] = last[:, :c]
            last[:, half + c :] = last[:, half : half + c]
        made = torch.maximum(made[:, :half], made[:, half:])
        made = torch.maximum(made[:, :c], made[:, c:])
        # the 1 x 1 convolutions at the end are products of matrices here; the shifts, four numbers
        # a cell, are computed only for the few cells that pass
        features = self.third(self.second(made)).permute(0, 2, 3, 1)
        logits = features @ self.contrast
        rows, columns = cells(height), cells(width)
        found = (logits[:, :rows, :columns] >= least - self.offset).nonzero()
        chosen = found.unbind(1)
        return found, logits[chosen] + self.offset, self.shifts(features[chosen])

    def look(
        self, canvas: "torch.Tensor", low: "torch.Tensor", right: "torch.Tensor"
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """The features (h, w, 32) and logits (h, w) of all cells of a `canvas` (1, H, W, 3).

        `low` and `right` name the pools at odd edges, which hold one row or column only: pool
        (y, x) is number y * (W / 2 - 1) + x.
        """
        import torch

        made = self.first(canvas.permute(0, 3, 1, 2), stride=2).permute(0, 2, 3, 1)
        _, rows, columns, _ = made.shape
        pixels = made.reshape(-1, 2, 2, self.channels)  # of each pool: down, across
        pixels[:, 1].index_fill_(0, low, -torch.inf)
        pixels[:, :, 1].index_fill_(0, right, -torch.inf)
        pooled = torch.maximum(pixels[:, 0], pixels[:, 1])
        pooled = torch.maximum(pooled[:, 0], pooled[:, 1])
        pooled = pooled.view(1, rows, columns, self.channels).permute(0, 3, 1, 2)
        features = self.third(self.second(pooled)).permute(0, 2, 3, 1)[0]
        return features, features @ self.contrast + self.offset

    def shifts(self, features: "torch.Tensor") -> "torch.Tensor":
        """Of the features (k, 32) of some cells the shifts of the box (k, 4)."""
        from torch.nn import functional as F

        return F.linear(features, self.shift_weight, self.shift_bias)


class Heads:
    """The dense end of a network: a shared layer, a logit and further outputs."""

    def __init__(self, shared: Any, prelu: Any, contrast: Any, *others: Any) -> None:
        import torch

        # facenet-pytorch flattens (w, h, c); here it is (h, w, c), as channels_last lies in memory
        self.weight = shared.weight.unflatten(1, (3, 3, -1)).transpose(1, 2).flatten(1).contiguous()
        self.bias, self.slope = shared.bias, prelu.weight
        weight, bias = _contrast(contrast)
        self.end_weight = torch.cat([weight, *(other.weight for other in others)])
        self.end_bias = torch.cat([bias, *(other.bias for other in others)])
        self.outputs = len(self.end_bias)

    def __call__(self, features: "torch.Tensor") -> "torch.Tensor":
        """(k, c, 3, 3) to (k, outputs): the logit, then the others in their order."""
        from torch.nn import functional as F

        flat = features.permute(0, 2, 3, 1).flatten(1)
        shared = F.prelu(F.linear(flat, self.weight, self.bias), self.slope)
        return F.linear(shared, self.end_weight, self.end_bias)


class RefineNet:
    """RNet: judges proposals, each seen as 24 x 24 pixels."""

    SIDE = 24

    def __init__(self, net: Any, at_once: int) -> None:
        self.at_once = at_once
        # 28 channels are no multiple of a vector register: four idle ones make it 4 times faster
        self.layers = _layer(net, 1, pad_out=4), _layer(net, 2, pad_in=4), _layer(net, 3)
        self.heads = Heads(net.dense4, net.prelu4, net.dense5_1, net.dense5_2)

    def forward(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """(k, 3, 24, 24) to (k, 5): logit and the shifts of the box's four edges."""
        from torch.nn.functional import max_pool2d

        first, second, third = self.layers
        made = _pool_even(first(pixels))
        made = max_pool2d(second(made), 3, 2, ceil_mode=True)
        return self.heads(third(made))


class OutputNet:
    """ONet: judges what is left, each seen as 48 x 48 pixels, and marks five landmarks."""

    SIDE = 48

    def __init__(self, net: Any, at_once: int) -> None:
        self.at_once = at_once
        self.layers = _layer(net, 1), _layer(net, 2), _layer(net, 3), _layer(net, 4)
        self.heads = Heads(net.dense5, net.prelu5, net.dense6_1, net.dense6_2, net.dense6_3)

    def forward(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """(k, 3, 48, 48) to (k, 15): logit, shifts of the edges, five x and five y."""
        from torch.nn.functional import max_pool2d

        first, second, third, fourth = self.layers
        made = _pool_even(first(pixels))
        made = max_pool2d(second(made), 3, 2, ceil_mode=True)
        made = max_pool2d(third(made), 2, 2, ceil_mode=True)
        return self.heads(fourth(made))
