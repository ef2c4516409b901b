"""The explainer's contract, on a network small enough to check by hand and on the real one."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import fakefacecli.models
from fakefacecli.base.errors import DeviceFull
from fakefacecli.base.records import Box, Face, FaceCrop, Heatmap, ImageRef, Window
from fakefacecli.scan.explain import NetworkExplainer, spread
from tests.builders import PHOTOS

PX = 16
# left, top, side of the face in two of the photos: the network takes the first for fake
WINDOWS = {"generated_000.jpg": (204, 178, 533), "official_001.jpg": (131, 200, 728)}


class TinyNetwork(torch.nn.Module):
    """Conv, ReLU in place, mean over all places, linear: Grad-CAM of it is known exactly."""

    def __init__(self, outputs: int = 1):
        super().__init__()
        torch.manual_seed(7)
        self.conv = torch.nn.Conv2d(3, 6, 4, stride=4)
        self.norm = torch.nn.BatchNorm2d(6)
        self.relu = torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Linear(6, outputs)
        with torch.no_grad():
            self.head.weight.mul_(20)  # logits of a trained network's size

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        features = self.relu(self.norm(self.conv(inputs)))
        return self.head(features.mean(dim=(2, 3)))


def crop_of(pixels: np.ndarray, number: int = 1) -> FaceCrop:
    side = len(pixels)
    face = Face(Box(0, 0, side, side), np.zeros((5, 2), np.float32), 0.99)
    return FaceCrop(ImageRef(0, "a.jpg", "a.jpg"), number, face, Window(0, 0, side), pixels)


def random_crop(seed: int, side: int = 40) -> FaceCrop:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return crop_of(pixels, seed + 1)


def feed(px: int) -> Callable[[Sequence[FaceCrop]], torch.Tensor]:
    def prepare(crops: Sequence[FaceCrop]) -> torch.Tensor:
        faces = [
            Image.fromarray(crop.pixels).resize((px, px), Image.Resampling.BICUBIC)
            for crop in crops
        ]
        stacked = np.stack([np.asarray(face, np.float32) for face in faces])
        return torch.from_numpy((stacked - 127.5) / 128.0).permute(0, 3, 1, 2).contiguous()

    return prepare


def tiny(network: torch.nn.Module | None = None, **options: int) -> NetworkExplainer:
    network = TinyNetwork() if network is None else network
    return NetworkExplainer(network, network.relu, feed(PX), **options)


@pytest.fixture(scope="module")
def real() -> NetworkExplainer:
    from facenet_pytorch import InceptionResnetV1

    network = InceptionResnetV1(classify=True, num_classes=1)
    folder = os.path.join(os.path.dirname(fakefacecli.models.__file__), "weights")
    network.load_state_dict(load_file(os.path.join(folder, "inception-resnet-v1.safetensors")))
    network.float().eval()
    return NetworkExplainer(network, network.block8, feed(160))


def real_crop(name: str) -> FaceCrop:
    left, top, side = WINDOWS[name]
    with Image.open(os.path.join(PHOTOS, name)) as photo:
        return crop_of(np.asarray(photo.convert("RGB"))[top : top + side, left : left + side])


def gap(one: Sequence[Heatmap], other: Sequence[Heatmap]) -> float:
    return max(float(np.abs(a.values - b.values).max()) for a, b in zip(one, other, strict=True))


def hooks(network: torch.nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in network.modules())


def test_no_crops_give_no_maps() -> None:
    assert tiny().explain([]) == []


def test_a_map_has_the_size_of_its_crop_and_lies_between_0_and_1() -> None:
    crops = [random_crop(seed, side) for seed, side in enumerate((1, 2, 3, 29, 160, 700))]
    for crop, heat in zip(crops, tiny().explain(crops), strict=True):
        assert heat.values.shape == (crop.window.side, crop.window.side)
        assert heat.values.dtype == np.float32


def test_a_map_does_not_depend_on_its_batch_mates_nor_on_their_number() -> None:
    crops = [random_crop(seed) for seed in range(7)]
    together = tiny(batch_size=7).explain(crops)
    assert any(heat.values.any() for heat in together)
    assert gap(together, tiny(batch_size=3).explain(crops)) < 1e-4
    assert gap(together, [tiny().explain([crop])[0] for crop in crops]) < 1e-4


def test_the_map_is_the_papers_formula() -> None:
    network, crop = TinyNetwork().eval(), random_crop(3)
    with torch.no_grad():
        features = network.relu(network.norm(network.conv(feed(PX)([crop]))))[0]
        weights = network.head.weight[0] / features[0].numel()  # d logit / d activation
        grid = (weights[:, None, None] * features).sum(0).numpy()
    expected = spread(grid, crop.window.side)
    assert expected.max() > 0.1
    assert np.abs(tiny().explain([crop])[0].values - expected).max() < 1e-5


def test_a_layer_in_front_of_an_in_place_relu_is_explained_as_it_was() -> None:
    in_place, apart = TinyNetwork(), TinyNetwork()
    apart.relu = torch.nn.ReLU(inplace=False)
    crops = [random_crop(seed) for seed in range(3)]
    one, other = (
        NetworkExplainer(network, network.norm, feed(PX)).explain(crops)
        for network in (in_place, apart)
    )
    assert any(heat.values.any() for heat in one)
    assert gap(one, other) < 1e-6


def test_the_cells_of_a_map_add_up_to_the_logit() -> None:
    network, crop = TinyNetwork().eval(), random_crop(5)
    with torch.no_grad():
        logit = network(feed(PX)([crop]))[0, 0] - network.head.bias[0]
    assert tiny()._grids([crop]).sum() == pytest.approx(float(logit), abs=1e-5)


def test_of_two_outputs_the_fake_one_is_explained() -> None:
    one, two = TinyNetwork(), TinyNetwork(outputs=2)
    with torch.no_grad():
        two.head.weight[1], two.head.weight[0] = one.head.weight[0], -one.head.weight[0]
    crops = [random_crop(seed) for seed in range(3)]
    assert gap(tiny(one).explain(crops), tiny(two).explain(crops)) < 1e-5
    assert gap(tiny(one).explain(crops), tiny(two, fake_output=0).explain(crops)) > 0.1


def test_a_face_that_speaks_against_fake_everywhere_stays_all_zeros() -> None:
    network = TinyNetwork()
    with torch.no_grad():
        network.head.weight.copy_(-network.head.weight.abs())
    (heat,) = tiny(network).explain([random_crop(1)])
    assert not heat.values.any()


def test_a_layer_that_is_all_zeros_gives_zeros_and_no_nan() -> None:
    network = TinyNetwork()
    with torch.no_grad():
        network.conv.weight.zero_()
        network.conv.bias.zero_()
    (heat,) = tiny(network).explain([random_crop(1)])
    assert not heat.values.any()


def test_a_network_that_answers_nan_has_nothing_to_show() -> None:
    network = TinyNetwork()
    with torch.no_grad():
        network.conv.weight.fill_(float("nan"))
    (heat,) = tiny(network).explain([random_crop(1)])
    assert not heat.values.any()


def test_weak_evidence_is_not_stretched_to_full_heat() -> None:
    weak = np.full((3, 3), -0.5, np.float32)
    weak[0, 0] = 0.004  # seen on a photograph of an event, logit -3.4
    assert 0.0 < spread(weak, 90).max() < 0.05
    assert spread(weak * 100, 90).max() == 1.0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_the_network_is_afterwards_what_it_was(training: bool, frozen: bool) -> None:
    network = TinyNetwork().train(training)
    network.norm.eval()
    network.requires_grad_(not frozen)
    kept = torch.ones_like(network.head.weight)
    network.head.weight.grad = kept
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tiny(network).explain([random_crop(1), random_crop(2)])
    assert (network.training, network.conv.training, network.norm.training) == (
        training,
        training,
        False,
    )
    assert all(p.requires_grad is not frozen for p in network.parameters())
    assert network.head.weight.grad is kept
    assert bool((kept == 1.0).all())
    assert network.conv.weight.grad is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert hooks(network) == 0


def test_a_frozen_network_under_inference_mode_or_no_grad_gives_the_same_maps() -> None:
    crops = [random_crop(seed) for seed in range(3)]
    expected = tiny().explain(crops)
    network = TinyNetwork().requires_grad_(False)
    with torch.inference_mode():
        assert gap(tiny(network).explain(crops), expected) < 1e-6
    with torch.no_grad():
        assert gap(tiny(network).explain(crops), expected) < 1e-6
    with torch.autocast("cpu", torch.bfloat16):
        assert gap(tiny(network).explain(crops), expected) < 1e-6


def test_an_index_error_in_the_network_reaches_the_caller_and_leaves_no_hook() -> None:
    class Broken(TinyNetwork):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            super().forward(inputs)
            raise IndexError("list index out of range")

    network = Broken().train()
    with pytest.raises(IndexError, match="out of range") as caught:
        tiny(network).explain([random_crop(1)])
    assert caught.tb  # the hooks are gone although the traceback keeps grad-cam's object alive
    assert hooks(network) == 0
    assert network.training
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


class Cramped(TinyNetwork):
    """A network on a device with room for `room` crops at a time."""

    def __init__(self, room: int):
        super().__init__()
        self.room = room
        self.seen: list[int] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(inputs))
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(inputs)


def test_a_device_out_of_memory_gets_half_as_many_crops_from_then_on() -> None:
    crops = [random_crop(seed) for seed in range(9)]
    network = Cramped(room=2)
    explainer = tiny(network, batch_size=8)
    assert gap(explainer.explain(crops), tiny().explain(crops)) < 1e-4
    assert network.seen == [8, 4, 2, 2, 2, 2, 1]
    explainer.explain(crops[:4])
    assert network.seen[7:] == [2, 2]


def test_a_crop_that_never_fits_is_an_error_and_not_an_endless_loop() -> None:
    with pytest.raises(DeviceFull, match="--device cpu"):
        tiny(Cramped(room=0)).explain([random_crop(1), random_crop(2)])


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="batch size 0"):
        tiny(batch_size=0)


def test_the_real_network_keeps_the_contract(real: NetworkExplainer) -> None:
    fake, unsuspected = real_crop("generated_000.jpg"), real_crop("official_001.jpg")
    together = real.explain([fake, unsuspected])
    assert together[0].values.shape == (533, 533)
    assert together[0].values.max() > 0.9
    assert not together[1].values.any()
    assert gap(together, [real.explain([crop])[0] for crop in (fake, unsuspected)]) < 1e-4
    assert all(p.grad is None and p.requires_grad for p in real.network.parameters())
    assert hooks(real.network) == 0


def test_the_cells_of_the_real_network_add_up_to_its_logit(real: NetworkExplainer) -> None:
    crop = real_crop("generated_000.jpg")
    grids = real._grids([crop])
    assert grids.shape == (1, 3, 3)
    with torch.inference_mode():
        logit = real.network(real.prepare([crop]))[0, 0]
        head, norm = real.network.logits, real.network.last_bn
        silent = norm(torch.zeros(1, norm.num_features))
        bias = head(silent)[0, 0]
    assert float(logit) == pytest.approx(2.8151, abs=0.01)
    assert grids.sum() == pytest.approx(float(logit - bias), abs=1e-3)


def test_heat_stays_inside_what_the_network_saw() -> None:
    heat = spread(np.full((2, 2), 5.0, np.float32), 10, (2, 0, 8, 10))
    assert heat[:, 2:8].min() == 1
    assert heat[:, :2].max() == heat[:, 8:].max() == 0
