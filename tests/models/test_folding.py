import torch
from torch import nn

from fakefacecli.models.backbones import build
from fakefacecli.models.bundled import find_model
from fakefacecli.models.checkpoint import load
from fakefacecli.models.folding import folded


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_the_bundled_model_folds_and_answers_as_before() -> None:
    network = load(find_model("inception-resnet-v1"))
    quick = folded(network, 160)
    assert norms(network) > 100
    assert norms(quick) == 0
    faces = torch.rand((3, 3, 160, 160), generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        assert torch.allclose(quick(faces), network(faces), atol=1e-4)


class OutOfOrder(nn.Module):
    """Registers convolution and normalisation side by side, and runs them the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        with torch.no_grad():
            self.norm.weight.fill_(3)
            self.norm.bias.fill_(5)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.conv(self.norm(pictures)).relu().mean((1, 2, 3))
        return made[:, None]


def test_a_network_that_folding_would_change_is_left_as_it_is() -> None:
    network = OutOfOrder().eval()
    pictures = torch.rand((2, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = network(pictures)
        assert torch.allclose(folded(network, 8)(pictures), before, atol=1e-5)


def test_a_normalisation_that_holds_an_activation_leaves_it_behind() -> None:
    # timm's BatchNormAct2d, in EfficientNet-Lite
    network = build("timm/tf_efficientnet_lite0", "linear", "here").eval()
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training: not the identity
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    quick = folded(network, 96)
    assert norms(network) > 40
    assert norms(quick) == 0
    faces = torch.rand((2, 3, 96, 96), generator=generator) * 2 - 1
    with torch.inference_mode():
        wanted = network(faces)
        assert wanted.abs().max() > 0.01
        assert torch.allclose(quick(faces), wanted, atol=1e-3)
