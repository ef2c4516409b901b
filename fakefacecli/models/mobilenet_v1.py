"""MobileNetV1: Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile
Vision Applications", https://arxiv.org/abs/1704.04861, table 1; torchvision has none.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

# stride and outputs of the thirteen depthwise separable blocks
_BLOCKS = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
)


def mobilenet_v1() -> "nn.Module":
    """The network at width 1: `features`, `pool` and a linear `classifier` of one logit.

    ReLU6 as in the authors' released weights; the paper's table says ReLU.
    """
    from torch import nn

    channels = 32
    blocks = [_step(3, channels, 3, stride=2)]
    for stride, outputs in _BLOCKS:
        blocks.append(
            nn.Sequential(
                _step(channels, channels, 3, stride, groups=channels),
                _step(channels, outputs, 1),
            )
        )
        channels = outputs
    network = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*blocks),
            pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            dropout=nn.Dropout(0.0),
            classifier=nn.Linear(channels, 1),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return network


def _step(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> "nn.Module":
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )
