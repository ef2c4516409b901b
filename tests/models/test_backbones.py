"""Every backbone gives one logit, has a block to explain, and can be saved, loaded and started."""

import pathlib

import pytest
import torch

from fakefacecli.base.errors import ModelRefused
from fakefacecli.models.backbones import LAST_BLOCKS, build, last_block, load_pretrained
from fakefacecli.models.checkpoint import load, read_checkpoint, save
from fakefacecli.models.folding import folded
from tests.models.test_card import card

PX = 64
INCEPTION_PX = 96  # the least that its unpadded convolutions leave anything of


def px_of(name: str) -> int:
    return INCEPTION_PX if name == "inception_resnet_v1" else PX


@pytest.mark.parametrize("name", [*LAST_BLOCKS, "shufflenet_v2_x0_5", "timm/resnet10t"])
def test_a_backbone_answers_with_one_logit_and_has_a_last_block(name: str) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    network = build(name, "linear", "here").eval()
    faces = torch.rand((2, 3, px_of(name), px_of(name)))
    seen: list[torch.Size] = []
    block = last_block(network, name, px_of(name))
    block.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    with torch.inference_mode():
        assert network(faces).shape == (2, 1)
    assert (len(seen[0]), seen[0][0]) == (4, 2)
    assert min(seen[0][2:]) >= (1 if name == "inception_resnet_v1" else 2)


@pytest.mark.parametrize(("name", "head"), [("mobilenet_v1", "linear"), ("resnet50", "1000-500")])
def test_a_network_comes_back_from_its_checkpoint(
    tmp_path: pathlib.Path, name: str, head: str
) -> None:
    torch.manual_seed(0)
    network = build(name, head, "here").eval()
    path = str(tmp_path / "a.safetensors")
    save(path, network.state_dict(), card(backbone=name, head=head))
    save(str(tmp_path / "b.safetensors"), network.state_dict(), card(backbone=name, head=head))
    assert read_checkpoint(path).sha256 == read_checkpoint(str(tmp_path / "b.safetensors")).sha256
    again = load(read_checkpoint(path))
    faces = torch.rand((2, 3, PX, PX))
    with torch.inference_mode():
        wanted = network(faces)
        assert torch.equal(again(faces), wanted)
        assert torch.allclose(folded(again, PX)(faces), wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("resnet9000", "linear", "torchvision has no backbone"),
        ("timm/hf-hub:someone/else", "linear", "wanted inception_resnet_v1"),
        ("timm/nothing_like_it", "linear", "timm has no"),
        ("../resnet18", "linear", "wanted inception_resnet_v1"),
        ("resnet18", "1000-500", "goes with resnet50"),
    ],
)
def test_what_is_no_backbone_is_refused(name: str, head: str, words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        build(name, head, "x.safetensors")


def cache(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> pathlib.Path:
    """An empty cache of torch's, and no network to fill it from."""
    monkeypatch.setenv("TORCH_HOME", str(folder))

    def nowhere(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", nowhere)
    monkeypatch.setattr("torch.hub.urlopen", nowhere)
    return folder


def test_public_weights_are_taken_from_the_cache_and_fill_all_but_the_head(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    folder = cache(monkeypatch, tmp_path) / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    public = mobilenet_v2()
    name = pathlib.PurePosixPath(MobileNet_V2_Weights.DEFAULT.url).name
    torch.save(public.state_dict(), folder / name)
    network = build("mobilenet_v2", "linear", "here")
    head = network.classifier[1].weight.clone()
    load_pretrained(network, "mobilenet_v2")
    assert torch.equal(network.features[3].conv[2].weight, public.features[3].conv[2].weight)
    assert torch.equal(network.classifier[1].weight, head)


def test_public_weights_that_cannot_be_had_are_said_with_what_to_do(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache(monkeypatch, tmp_path)
    with pytest.raises(ModelRefused, match=r"cannot be loaded .*cache .*, or train without"):
        load_pretrained(build("resnet18", "linear", "here"), "resnet18")


def test_public_weights_of_faces_load(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facenet_pytorch import InceptionResnetV1

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    public = InceptionResnetV1(classify=True, num_classes=8631)
    (tmp_path / "checkpoints").mkdir()
    torch.save(public.state_dict(), tmp_path / "checkpoints" / "20180402-114759-vggface2.pt")
    network = build("inception_resnet_v1", "linear", "here")
    load_pretrained(network, "inception_resnet_v1")
    assert torch.equal(network.last_linear.weight, public.last_linear.weight)


def test_imagenet_weights_reach_our_mobilenet_through_timms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(2)
    public = timm.create_model("mobilenetv1_100").eval()
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: public)
    network = build("mobilenet_v1", "linear", "here").eval()
    load_pretrained(network, "mobilenet_v1")
    faces = torch.rand((1, 3, PX, PX))
    with torch.inference_mode():
        wanted = public.forward_features(faces)
        assert torch.allclose(network.features(faces), wanted, atol=1e-4)
