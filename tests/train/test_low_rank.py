"""Low-rank adapters: where they sit, what of a network learns with them, how they are merged."""

import pytest
import torch
import torchvision

from fakefacecli.base.errors import UsageError
from fakefacecli.models.backbones import build
from fakefacecli.train.freeze import set_learning
from fakefacecli.train.low_rank import add_adapters, merged, set_adapted

VIT = "timm/test_vit"  # six blocks of 64 channels, 160 px


def network(name: str = VIT) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(name, "linear", "here").eval()


def moved(adapted: torch.nn.Module) -> torch.nn.Module:
    """The network with adapters that have learnt something."""
    with torch.no_grad():
        for name, tensor in adapted.named_parameters():
            if name.endswith(".up"):
                tensor.normal_(0, 0.1)
    return adapted


def test_every_linear_layer_but_the_heads_gets_an_adapter_that_changes_nothing_yet() -> None:
    plain = network()
    faces = torch.rand((2, 3, 160, 160))
    before = plain(faces)
    assert add_adapters(plain, 4) == 6 * 4  # qkv, proj, fc1 and fc2 of six blocks
    assert torch.allclose(plain(faces), before, atol=1e-6)


def test_attention_that_keeps_one_matrix_for_all_is_adapted_too() -> None:
    def vit() -> torch.nn.Module:
        return torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=1).eval()

    adapted, plain = vit(), vit()
    assert add_adapters(adapted, 2) == 8  # queries to values, output, and two after, of two blocks
    moved(adapted)
    plain.load_state_dict(merged(adapted))
    faces = torch.rand((2, 3, 32, 32))
    assert torch.allclose(adapted(faces), plain(faces), atol=1e-5)


def test_merged_weights_are_an_ordinary_network_that_answers_alike() -> None:
    adapted, plain = network(), network()
    add_adapters(adapted, 4)
    moved(adapted)
    faces = torch.rand((2, 3, 160, 160))
    assert not torch.allclose(adapted(faces), plain(faces), atol=1e-3)
    plain.load_state_dict(merged(adapted))
    assert torch.allclose(adapted(faces), plain(faces), atol=1e-5)


def test_only_adapters_biases_normalisations_and_the_head_learn() -> None:
    adapted = network()
    add_adapters(adapted, 4)
    set_learning(adapted, 0)
    set_adapted(adapted)
    learning = {name for name, tensor in adapted.named_parameters() if tensor.requires_grad}
    assert {"head.weight", "norm.weight", "blocks.0.norm1.weight", "blocks.5.mlp.fc2.bias"} <= (
        learning
    )
    assert "blocks.0.attn.qkv.parametrizations.weight.0.up" in learning
    assert not {"pos_embed", "cls_token", "patch_embed.proj.weight"} & learning
    assert not [name for name in learning if name.endswith("original")]


def test_frozen_blocks_keep_their_adapters_still() -> None:
    adapted = network()
    add_adapters(adapted, 4)
    set_learning(adapted, 2)  # the patches and the first block
    set_adapted(adapted)
    learning = [name for name, tensor in adapted.named_parameters() if tensor.requires_grad]
    assert not [name for name in learning if name.startswith(("patch_embed", "blocks.0"))]
    assert [name for name in learning if name.startswith("blocks.1")]


def test_a_network_without_adapters_learns_as_before() -> None:
    plain = network()
    set_learning(plain, 0)
    set_adapted(plain)
    assert all(tensor.requires_grad for tensor in plain.parameters())


@pytest.mark.parametrize("name", ["resnet18", "inception_resnet_v1", "timm/test_efficientnet"])
def test_a_backbone_without_linear_layers_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no linear layers besides its head"):
        add_adapters(network(name), 4)
