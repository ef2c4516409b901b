"""Judging in bfloat16: near float32, and the same verdicts."""

import copy
import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fakefacecli.base.options import Precision
from fakefacecli.base.records import Box, Face, FaceCrop, Window
from fakefacecli.base.verdicts import Label, Thresholds
from fakefacecli.models.backbones import build
from fakefacecli.models.bundled import find_model
from fakefacecli.models.calibration import Calibration
from fakefacecli.models.checkpoint import load
from fakefacecli.models.folding import folded
from fakefacecli.models.precision import (
    FEW_BITS,
    bfloat16_copy,
    full_float32,
    in_bfloat16,
    is_unsure,
    logit_error,
    to_few_bits,
)
from fakefacecli.scan.classify import TorchClassifier
from tests import builders
from tests.command import fakeface, json_lines, rows

MODEL = "inception-resnet-v1"
LAYERS = ("patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.mlp.fc1", "head")
CHECKPOINT = find_model(MODEL)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return folded(load(CHECKPOINT), CHECKPOINT.card.input_px)


class Remembering(torch.nn.Module):
    """`inner`, which is asked once for each batch: bfloat16 is slow where the CPU has none."""

    def __init__(self, inner: torch.nn.Module):
        super().__init__()
        self.inner = inner
        self.answers: dict[bytes, torch.Tensor] = {}

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        key = batch.numpy().tobytes()
        if key not in self.answers:
            self.answers[key] = self.inner(batch)
        return self.answers[key]


@pytest.fixture(scope="module")
def quick(network: torch.nn.Module) -> torch.nn.Module:
    return Remembering(bfloat16_copy(network, CHECKPOINT.card.backbone))


def crops() -> list[FaceCrop]:
    """The middle of each sample photograph, at several sizes."""
    found = []
    for number, path in enumerate(sorted(builders.PHOTOS.iterdir())):
        with Image.open(path) as picture:
            side = 120 + 40 * number
            pixels = np.asarray(picture.convert("RGB").resize((side, side)))
        face = Face(Box(0, 0, side, side), np.zeros((5, 2), np.float32), 0.99)
        window = Window(0, 0, side)
        found.append(FaceCrop(builders.ref(number, path.name), 1, face, window, pixels))
    return found


def test_the_kept_layers_are_layers_of_their_backbone() -> None:
    for name, how in FEW_BITS.items():
        modules = dict(build(name, "linear", "here").named_modules())
        assert set(how.float32) <= modules.keys()


def test_scores_stay_near_those_of_float32(
    network: torch.nn.Module, quick: torch.nn.Module
) -> None:
    exact = TorchClassifier.of_one(network, CHECKPOINT.card).classify(crops())
    near = TorchClassifier.of_one(network, CHECKPOINT.card, quick=quick).classify(crops())
    gaps = [abs(a.fake_probability - b.fake_probability) for a, b in zip(exact, near, strict=True)]
    assert 0 < max(gaps) < 0.005
    assert [verdict.label for verdict in near] == [verdict.label for verdict in exact]


def test_a_face_near_a_threshold_is_judged_in_float32(
    network: torch.nn.Module, quick: torch.nn.Module
) -> None:
    for crop in crops():
        [few] = TorchClassifier.of_one(quick, CHECKPOINT.card).classify([crop])
        [wanted] = TorchClassifier.of_one(network, CHECKPOINT.card).classify([crop])
        # the threshold between the two answers: in bfloat16 alone the verdict would be wrong
        edge = (few.fake_probability + wanted.fake_probability) / 2
        near = TorchClassifier.of_one(
            network, CHECKPOINT.card, thresholds=Thresholds(edge, edge), quick=quick
        )
        [found] = near.classify([crop])
        assert found.fake_probability == pytest.approx(wanted.fake_probability, abs=1e-6)
        right = Label.FLAGGED if wanted.fake_probability >= edge else Label.NOT_FLAGGED
        assert found.label in (right, Label.INCONCLUSIVE)


def steep(logit: float) -> Calibration:
    """From 0.2 to 0.95 within a hundredth around `logit`."""
    return Calibration("isotonic", knots=((logit - 0.005, 0.2), (logit + 0.005, 0.95)))


def test_few_bits_change_no_verdict_however_steep_the_calibration(
    network: torch.nn.Module, quick: torch.nn.Module
) -> None:
    exact = TorchClassifier.of_one(network, CHECKPOINT.card).logits(crops())
    few = TorchClassifier.of_one(quick, CHECKPOINT.card).logits(crops())
    for crop, right, wrong in zip(crops(), exact, few, strict=True):
        card = dataclasses.replace(CHECKPOINT.card, calibration=steep((right + wrong) / 2))
        for thresholds in (Thresholds(0.575, 0.575), Thresholds(0.0, 1.0)):
            [found] = TorchClassifier.of_one(
                network, card, "cpu", thresholds, quick=quick
            ).classify([crop])
            wanted = card.calibration.probability(right)
            assert found.fake_probability == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize(
    ("logit", "unsure"),
    [(0.0, True), (0.029, True), (-0.029, True), (0.04, False), (-0.04, False), (5.0, False)],
)
def test_a_face_is_unsure_near_a_threshold(logit: float, unsure: bool) -> None:
    calibration = Calibration("platt", a=1.2, b=0.0)
    assert (
        is_unsure(logit, calibration, Thresholds(0.1, 0.5), logit_error("inception_resnet_v1"))
        is unsure
    )


def test_auto_takes_bfloat16_only_where_it_was_measured_and_the_device_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for able in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: {"amx_bf16": able})
        assert in_bfloat16(Precision.AUTO, "inception_resnet_v1", "cpu") is able
        assert not in_bfloat16(Precision.AUTO, "another", "cpu")
        assert in_bfloat16(Precision.BF16, "another", "cpu")
        assert not in_bfloat16(Precision.FP32, "inception_resnet_v1", "cpu")
    assert not in_bfloat16(Precision.AUTO, "inception_resnet_v1", "mps")


def test_a_matrix_that_was_stored_as_int8_loses_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    whole = torch.randint(-127, 128, (8, 64), generator=generator)
    whole[:, 0] = 127
    scale = torch.rand((8, 1), generator=generator).half().float()
    layer = torch.nn.Linear(64, 8)
    layer.weight.data = whole * scale
    # numbers that bfloat16 holds exactly, and whose products it adds up exactly
    numbers = torch.zeros((5, 64))
    numbers[range(5), range(5)] = 1
    with torch.inference_mode():
        wanted = layer(numbers)
        network = torch.nn.Sequential(torch.nn.ModuleDict({"fc1": layer})["fc1"])
        to_few_bits(layer)
        assert layer.weight.dtype == torch.bfloat16
        assert torch.allclose(network(numbers), wanted, atol=1e-6)


def test_a_transformers_matrices_are_bfloat16_and_its_patches_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "timm/vit_base_patch16_clip_quickgelu_224"
    small = timm.create_model("test_vit", num_classes=1).eval()
    before = copy.deepcopy(small.state_dict())
    quick = bfloat16_copy(small, name)
    # they share what stays in float32, and nothing else may have changed for that
    assert small.norm.weight is quick.norm.weight
    assert before.keys() == small.state_dict().keys()
    for key, tensor in small.state_dict().items():
        assert torch.equal(tensor, before[key])
    kinds = {key: module.weight.dtype for key, module in quick.named_modules() if key in LAYERS}
    few = torch.bfloat16
    assert [kinds[key] for key in LAYERS] == [torch.float32, few, few, torch.float32]
    faces = torch.rand((2, 3, 160, 160), generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        assert 0 < (quick(faces) - small(faces)).abs().max() < 0.02
    assert in_bfloat16(Precision.BF16, name, "cpu")
    # where it was measured and does not pay, not even on request
    assert not in_bfloat16(Precision.BF16, "timm/tf_efficientnet_lite2", "cpu")


def test_the_command_gives_the_same_verdicts_in_either_precision(tmp_path: pathlib.Path) -> None:
    for name in ("fp32", "bf16"):
        report = tmp_path / f"{name}.csv"
        done = fakeface("scan", builders.PHOTOS, "--report", report, "--precision", name)
        assert done.returncode == 0, done.stderr
    exact, few = rows(tmp_path / "fp32.csv"), rows(tmp_path / "bf16.csv")
    assert [row["verdict"] for row in few] == [row["verdict"] for row in exact]
    gaps = [abs(float(a["p_fake"]) - float(b["p_fake"])) for a, b in zip(exact, few, strict=True)]
    assert 0 < max(gaps) < 0.005


def test_the_header_says_what_was_judged_in() -> None:
    for name in ("fp32", "bf16"):
        done = fakeface(
            "scan", builders.PHOTOS / "official_003.jpg", "--report", "-", "--precision", name
        )
        _, run = json_lines(done.stdout)
        assert run["options"]["precision"] == name
        assert run["precision"] == name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("few_bits", [False, True])
def test_a_gpu_gives_the_verdicts_of_the_cpu(network: torch.nn.Module, few_bits: bool) -> None:
    wanted = TorchClassifier.of_one(network, CHECKPOINT.card).classify(crops())
    there = copy.deepcopy(network).to("cuda")
    quick = bfloat16_copy(there, CHECKPOINT.card.backbone) if few_bits else None
    found = TorchClassifier.of_one(there, CHECKPOINT.card, "cuda", quick=quick).classify(crops())
    assert [verdict.label for verdict in found] == [verdict.label for verdict in wanted]
    for one, other in zip(found, wanted, strict=True):
        near = pytest.approx(other.fake_probability, abs=0.005 if few_bits else 1e-4)
        assert one.fake_probability == near


def tf32() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.fixture
def with_tf32() -> Iterator[None]:
    """TF32 in all products, as where a program asks for speed."""
    found = tf32()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = found


@pytest.mark.usefixtures("with_tf32")
def test_float32_stays_float32_until_the_last_thread_is_done() -> None:
    first, second = full_float32("cuda"), full_float32("cuda:1")
    with first:
        second.__enter__()
        assert tf32() == (False, False)
    assert tf32() == (False, False)  # the first has ended, the second has not
    second.__exit__(None, None, None)
    assert tf32() == (True, True)


def test_on_a_cpu_no_switch_is_touched() -> None:
    before = tf32()
    with full_float32("cpu"):
        assert tf32() == before
