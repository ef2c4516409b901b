"""Published checkpoints: each layout gives the answers that its own system gives."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

from fakefacecli.base.errors import ExitCode, ModelRefused
from fakefacecli.base.records import Box, DecodedImage, Face, ImageRef
from fakefacecli.models.checkpoint import load, read_checkpoint
from fakefacecli.models.foreign import Feeding, fit, foreign_card, read_foreign
from fakefacecli.models.mobilenet_v1 import mobilenet_v1
from fakefacecli.models.preprocess import prepare
from fakefacecli.scan.crop import cut
from tests.builders import PHOTOS
from tests.command import fakeface, powerless
from tests.models.test_checkpoint import MODEL, Bomb

PX = 96


def inception() -> nn.Module:
    from facenet_pytorch import InceptionResnetV1

    return InceptionResnetV1(classify=True, num_classes=1)


def three_layers() -> nn.Module:
    network = models.resnet50()
    network.fc = nn.Sequential(
        nn.Linear(2048, 1000), nn.ReLU(), nn.Linear(1000, 500), nn.Dropout(), nn.Linear(500, 2)
    )
    return network


def dropped() -> nn.Module:
    network = models.resnet18()
    network.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 2))
    return network


def other_names() -> nn.Module:
    """MobileNetV1 as others spell it: everything in one Sequential, two outputs."""
    inner = mobilenet_v1()
    inner.classifier = nn.Linear(1024, 2)
    return nn.Sequential(*inner.features, inner.pool, inner.classifier)


def softmax(answers: torch.Tensor, positive: int) -> torch.Tensor:
    if answers.shape[1] == 1:
        return answers.sigmoid()[:, 0]
    return answers.softmax(1)[:, positive]


LAYOUTS: dict[str, tuple[str, Callable[[], nn.Module], str, int]] = {
    "demo": ("inception_resnet_v1", inception, "model_state_dict", 1),
    "page": ("resnet50", three_layers, "", 1),
    "tutorial": ("resnet18", lambda: models.resnet18(num_classes=2), "", 0),
    "dropped": ("resnet18", dropped, "state_dict", 1),
    "mobile": ("mobilenet_v1", other_names, "", 1),
    "trainer": ("mobilenet_v2", lambda: models.mobilenet_v2(num_classes=2), "model", 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_answers_as_it_did(tmp_path: pathlib.Path, layout: str) -> None:
    backbone, make, wrapper, positive = LAYOUTS[layout]
    torch.manual_seed(3)
    network = make().eval()
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    path = str(tmp_path / "a.pth")
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, path)
    out = tmp_path / "b.safetensors"
    flags = ("--backbone", backbone, "--out", out, "--positive-class", positive)
    done = fakeface("models", "import", path, *flags)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "uncalibrated" in done.stderr
    checkpoint = read_checkpoint(str(out))
    assert checkpoint.card.head == ("1000-500" if layout == "page" else "linear")
    faces = torch.rand((2, 3, PX, PX))
    with torch.inference_mode():
        found = load(checkpoint)(faces)[:, 0].sigmoid()
        assert torch.allclose(found, softmax(network(faces), positive), atol=1e-5)


def test_one_output_may_mean_real() -> None:
    torch.manual_seed(3)
    state = models.resnet18(num_classes=1).state_dict()
    turned, _ = fit(state, "resnet18", 0, "a.pth")
    assert torch.equal(turned["fc.weight"], -state["fc.weight"])


def test_the_demos_faces_are_fed_as_the_demo_fed_them() -> None:
    from facenet_pytorch import MTCNN

    with Image.open(PHOTOS / "official_001.jpg") as opened:
        photo = opened.convert("RGB")
    theirs = MTCNN(select_largest=False, post_process=False, device="cpu")
    face = theirs(photo)
    wanted = nn.functional.interpolate(face[None], size=(256, 256), mode="bilinear") / 255
    boxes, _ = theirs.detect(photo)
    found = Face(Box(*map(float, boxes[0])), np.zeros((5, 2), np.float32), 1.0)
    ref = ImageRef(0, "a.jpg", "a.jpg")
    card = foreign_card("demo", "inception_resnet_v1", "linear", Feeding(), "a.pth")
    crop = cut(DecodedImage(ref, np.asarray(photo)), found, 1, card.crop_scale)
    mine = prepare([crop], card, "cpu")
    assert mine.shape == wanted.shape
    assert (mine - wanted).abs().mean() < 0.01


def test_an_imported_model_scans(tmp_path: pathlib.Path) -> None:
    torch.manual_seed(3)
    torch.save({"model_state_dict": inception().state_dict()}, tmp_path / "a.pth")
    done = fakeface(
        *("models", "import", tmp_path / "a.pth", "--backbone", "inception_resnet_v1"),
        cwd=tmp_path,
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    before = (tmp_path / "a.safetensors").read_bytes()
    again = fakeface(*("models", "import", "a.pth", "--backbone", "resnet18"), cwd=tmp_path)
    assert again.returncode == ExitCode.USAGE
    assert "a.safetensors is there already" in again.stderr
    assert "--out" in again.stderr
    assert (tmp_path / "a.safetensors").read_bytes() == before
    info = fakeface("models", "info", tmp_path / "a.safetensors").stdout
    for words in ("256 x 256 px RGB, bilinear", "by way of 160 px", "each side", "uncalibrated"):
        assert words in " ".join(info.split())
    done = fakeface(
        *("explain", PHOTOS / "generated_000.jpg", "--model", "a.safetensors", "--device", "cpu"),
        cwd=tmp_path,
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert (tmp_path / "generated_000.jpg.overlay.jpg").exists()


def test_what_holds_code_is_refused_and_not_run(tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"model_state_dict": Bomb(str(mark))}, tmp_path / "bomb.pth")
    with pytest.raises(ModelRefused, match="may be code"):
        read_foreign(str(tmp_path / "bomb.pth"))
    assert not mark.exists()


def test_what_does_not_fit_is_refused(tmp_path: pathlib.Path) -> None:
    for text in ("no checkpoint", "hello"):
        (tmp_path / "text.pth").write_text(text)
        with pytest.raises(ModelRefused, match=r"text\.pth: not a checkpoint of PyTorch"):
            read_foreign(str(tmp_path / "text.pth"))
    torch.save({"fc": torch.zeros(1)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert list(read_foreign(str(tmp_path / "old.pth"))) == ["fc"]
    with pytest.raises(ModelRefused, match="no such file"):
        read_foreign(str(tmp_path / "gone.pth"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelRefused, match="list found"):
        read_foreign(str(tmp_path / "list.pth"))
    torch.save({"optimizer": 3}, tmp_path / "other.pth")
    with pytest.raises(ModelRefused, match="optimizer is no tensor"):
        read_foreign(str(tmp_path / "other.pth"))
    state = models.resnet18(num_classes=2).state_dict()
    for backbone in ("resnet50", "mobilenet_v1", "mobilenet_v2"):
        with pytest.raises(ModelRefused, match="x: "):
            fit(state, backbone, 1, "x")
    with pytest.raises(ModelRefused, match="head of 3 outputs"):
        fit(models.resnet18(num_classes=3).state_dict(), "resnet18", 1, "x")
    with pytest.raises(ModelRefused, match="not finite"):
        fit(state | {"fc.bias": torch.tensor([float("nan"), 0])}, "resnet18", 1, "x")


def test_a_file_that_cannot_be_imported_is_called_by_its_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty.pth").touch()
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "text.safetensors").write_text("no model at all, not even nearly")
    (tmp_path / "closed.pth").write_bytes(b"PK")
    (tmp_path / "closed.pth").chmod(0)
    (tmp_path / "ours.pth").write_bytes(pathlib.Path(MODEL.path).read_bytes())
    before = powerless(tmp_path / "closed.pth")
    for name, backbone, code, words in (
        ("empty.pth", "resnet18", ExitCode.MODEL_REFUSED, "empty.pth is empty"),
        ("folder.pth", "resnet18", ExitCode.MODEL_REFUSED, "folder.pth is a folder"),
        ("gone.pth", "resnet18", ExitCode.MODEL_REFUSED, "no such file"),
        ("closed.pth", "resnet18", ExitCode.MODEL_REFUSED, "closed.pth: permission denied"),
        ("text.safetensors", "resnet18", ExitCode.MODEL_REFUSED, "not a safetensors file"),
        ("text.safetensors", "nope", ExitCode.USAGE, "--backbone: torchvision has no"),
        (MODEL.path, "inception_resnet_v1", ExitCode.USAGE, "give it to --model"),
        ("ours.pth", "inception_resnet_v1", ExitCode.USAGE, "already a fakeface checkpoint"),
    ):
        done = fakeface(
            *("models", "import", name, "--backbone", backbone),
            before=before if name == "closed.pth" else (),
            cwd=tmp_path,
        )
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("closed.pth", "empty.pth", "folder.pth", "ours.pth", "text.safetensors")
    ]
