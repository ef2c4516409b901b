"""Training: it learns, repeats itself, survives interruptions, and its models scan and explain."""

import csv
import json
import pathlib
import signal
import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from fakefacecli.base.errors import ExitCode, Interrupted, ModelRefused, UsageError
from fakefacecli.cli.app import app
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.models.backbones import LAST_BLOCKS, build
from fakefacecli.models.bundled import find_model, find_start
from fakefacecli.models.checkpoint import load, read_checkpoint, save, sha256_of
from fakefacecli.models.judge import JudgeCheckpoint
from fakefacecli.models.window import FLAT_WINDOW
from fakefacecli.train.batches import Sampler
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.freeze import blocks, frozen_at_start, set_dropout, set_learning
from fakefacecli.train.log import Epoch
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.resume import resume_path
from fakefacecli.train.run import Watch, run_training
from fakefacecli.train.start import fresh_card
from fakefacecli.train.traits import Traits
from tests.builders import PHOTOS
from tests.command import fakeface, start
from tests.drawn import draw_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return draw_set(tmp_path_factory.mktemp("drawn"), 40)


def options(data: pathlib.Path, folder: pathlib.Path, **changes: Any) -> TrainOptions:
    plain: dict[str, Any] = {
        "out": str(folder / "m.safetensors"),
        "cache": str(folder / "cache"),
        "ready_scale": 1.15,
        "backbone": "mobilenet_v1",
        "input_px": 48,
        "epochs": 2,
        "batch_size": 16,
        "lr": 3e-3,
    }
    return TrainOptions(str(data), **{**plain, **changes})


def state(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "m.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_tiny_model_learns_drawn_pictures(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    done = run_training(options(data, tmp_path, epochs=6), Watch())
    assert done.best_epoch.auc >= 0.95
    card = read_checkpoint(str(tmp_path / "m.safetensors")).card
    [figures] = card.measured.values()
    assert figures["auc"] == round(done.best_epoch.auc, 4)
    assert (card.calibration.state, card.name, card.input_px) == ("uncalibrated", "m", 48)
    with open(tmp_path / "m.log.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [float(row["auc"]) for row in rows] == [epoch.auc for epoch in done.history]
    with Image.open(tmp_path / "m.curves.png") as curves:
        assert curves.size == (900, 400)
    assert not (tmp_path / "m.safetensors.resume").exists()


def test_the_same_seed_gives_the_same_weights(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    files = []
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / folder).mkdir()
        run_training(options(data, tmp_path / folder, seed=seed), Watch())
        files.append((tmp_path / folder / "m.safetensors").read_bytes())
    assert files[0] == files[1]
    assert not same(state(tmp_path / "a"), state(tmp_path / "c"))


def stop_in_epoch(number: int) -> Watch:
    """Interrupts a training in the middle of an epoch."""
    told: list[Epoch] = []

    def step(done: int, of: int, loss: float) -> None:
        if len(told) == number - 1 and done == 2:
            raise Interrupted(signal.SIGINT)

    return Watch(step=step, epoch=told.append)


def test_an_interruption_keeps_the_best_and_resume_ends_alike(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    run_training(options(data, tmp_path / "whole", epochs=3), Watch())
    wanted = options(data, tmp_path / "cut", epochs=3)
    with pytest.raises(Interrupted, match=r"holds epoch .* --resume goes on") as caught:
        run_training(wanted, stop_in_epoch(3))
    assert caught.value.exit_code == ExitCode.SIGINT
    load(read_checkpoint(wanted.out))
    with pytest.raises(UsageError, match="other settings"):
        run_training(options(data, tmp_path / "cut", epochs=3, lr=1e-4, resume=True), Watch())
    run_training(options(data, tmp_path / "cut", epochs=3, resume=True), Watch())
    assert same(state(tmp_path / "whole"), state(tmp_path / "cut"))


def test_an_interruption_in_the_first_epoch_keeps_nothing(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(Interrupted, match="nothing was kept"):
        run_training(options(data, tmp_path), stop_in_epoch(1))
    assert not (tmp_path / "m.safetensors").exists()
    with pytest.raises(UsageError, match="no interrupted training"):
        run_training(options(data, tmp_path, resume=True), Watch())
    pathlib.Path(resume_path(str(tmp_path / "m.safetensors"))).write_bytes(b"not a state")
    with pytest.raises(ModelRefused, match="damaged"):
        run_training(options(data, tmp_path, resume=True), Watch())


def test_an_interrupted_trainings_work_is_never_replaced_unasked(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(Interrupted):
        run_training(options(data, tmp_path), stop_in_epoch(2))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert "m.safetensors.resume" in before
    flags = ("--faces-only", "--backbone", "mobilenet_v1", "--input-px", 48, "--device", "cpu")
    done = fakeface("train", data, "--out", tmp_path / "m.safetensors", *flags)
    assert done.returncode == ExitCode.USAGE
    for words in ("m.safetensors.resume found", "go on with --resume", "name another --out"):
        assert words in " ".join(done.stderr.split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", ["m.safetensors", "link.safetensors"])
def test_a_model_is_never_trained_over_itself(
    data: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"a model")
    (tmp_path / "link.safetensors").symlink_to("m.safetensors")
    with pytest.raises(UsageError, match="would be overwritten; name another"):
        run_training(options(data, tmp_path, init=str(tmp_path / name)), Watch())
    assert (tmp_path / "m.safetensors").read_bytes() == b"a model"


def test_learning_goes_on_from_a_model_of_ours(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for folder in ("first", "next"):
        (tmp_path / folder).mkdir()
    run_training(options(data, tmp_path / "first", epochs=4), Watch())
    how = {"init": str(tmp_path / "first" / "m.safetensors"), "epochs": 1, "lr": 1e-5}
    done = run_training(options(data, tmp_path / "next", **how), Watch())
    assert done.best_epoch.auc >= 0.9
    assert (
        "from m.safetensors"
        in read_checkpoint(str(tmp_path / "next/m.safetensors")).card.trained_on
    )


def test_the_model_of_init_is_found_and_hashed_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = options(tmp_path, tmp_path)
    save(how.out, build("mobilenet_v1", "linear", "here").state_dict(), fresh_card(how))
    hashed: list[str] = []

    def counting(path: str) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr("fakefacecli.models.checkpoint.sha256_of", counting)
    words = ("train", "no-data", "--init", how.out, "--out", str(tmp_path / "n.safetensors"))
    done = CliRunner().invoke(app, [*words, "--device", "cpu"])
    assert done.exit_code == ExitCode.NOTHING_TO_DO, done.output  # the network was built before
    assert hashed == [how.out]


@pytest.mark.parametrize(
    ("flags", "scale"),
    [(("--init", "m.safetensors"), 1.3), ((), 1.15), (("--crop-scale", 1.2), 1.2)],
)
def test_ready_crops_are_of_the_windows_scale_unless_told(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[object, ...],
    scale: float,
) -> None:
    how = options(tmp_path, tmp_path, crop_scale=1.3)
    save(how.out, build("mobilenet_v1", "linear", "here").state_dict(), fresh_card(how))
    told: list[TrainOptions] = []
    monkeypatch.setattr(
        "fakefacecli.cli.train._run", lambda options, *rest: told.append(options) or 0
    )
    monkeypatch.chdir(tmp_path)
    words = ("train", ".", "--out", "next.safetensors", "--faces-only", "--device", "cpu", *flags)
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == ExitCode.COMPLETE, done.output
    assert [found.ready_scale for found in told] == [scale]


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": "ela"},
        {"balance": False, "augment": False},
        {"amp": True, "optimizer": "sgd", "schedule": "step", "freeze": "5", "unfreeze_every": 1},
        {"backbone": "timm/resnet10t"},
        {"backbone": "shufflenet_v2_x0_5", "schedule": "constant", "dropout": 0.0},
        {"view": "native", "level": True, "ready_scale": 1.8},
        {"view": "window", "crop_scale": 1.3, "via_px": 60, "ready_scale": 1.8, "channels": "ela"},
        {"self_blended": 0.2},
    ],
    ids=str,
)
def test_every_way_of_learning_ends_in_a_sound_checkpoint(
    data: pathlib.Path, tmp_path: pathlib.Path, changes: dict[str, Any]
) -> None:
    done = run_training(options(data, tmp_path, **changes), Watch())
    load(read_checkpoint(str(tmp_path / "m.safetensors")))
    if "freeze" in changes:
        assert [epoch.frozen for epoch in done.history] == [5, 4]


def lora(data: pathlib.Path, folder: pathlib.Path, **changes: Any) -> TrainOptions:
    folder.mkdir()
    how = {"backbone": "timm/test_vit", "input_px": 160, "lora": 2, "dropout": 0.1, **changes}
    return options(data, folder, **how)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return draw_set(tmp_path_factory.mktemp("few"), 12)


@pytest.mark.slow
def test_adapters_are_merged_resumed_and_move_matrices_by_their_rank_alone(
    few: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run_training(lora(few, tmp_path / "whole", batch_size=4), Watch())
    torch.manual_seed(0)
    before = build("timm/test_vit", "linear", "here").state_dict()
    after = load(read_checkpoint(str(tmp_path / "whole/m.safetensors"))).state_dict()
    for name in ("blocks.0.attn.qkv.weight", "blocks.5.mlp.fc2.weight"):
        moved = torch.linalg.svdvals(after[name] - before[name])
        assert moved[0] > 1e-4
        assert moved[2] < 1e-3 * moved[0]  # rank 2
    assert torch.equal(after["patch_embed.proj.weight"], before["patch_embed.proj.weight"])
    assert not torch.equal(after["head.weight"], before["head.weight"])
    cut = lora(few, tmp_path / "cut", batch_size=4)
    with pytest.raises(Interrupted):
        run_training(cut, stop_in_epoch(2))
    run_training(replace(cut, resume=True), Watch())
    assert same(state(tmp_path / "whole"), state(tmp_path / "cut"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--view", "native", "--level", "--backbone", "mobilenet_v1", "--input-px", 48),
        (
            *("--view", "window", "--crop-scale", 1.3, "--via-px", 60, "--level", "--lora", 2),
            *("--backbone", "timm/test_vit", "--input-px", 160),
        ),
    ],
    ids=["native", "window"],
)
def test_a_members_network_is_scanned_with_explained_and_evaluated(
    few: pathlib.Path, tmp_path: pathlib.Path, flags: tuple[object, ...]
) -> None:
    model, report = tmp_path / "m.safetensors", tmp_path / "r.json"
    running = ("--epochs", 1, "--batch-size", 8, "--device", "cpu", "--workers", 1)
    overlays = ("--overlays", tmp_path / "overlays", "--explain", "all", "--device", "cpu")
    faces = ("--faces-only", "--device", "cpu")
    commands = (
        ("train", few, "--out", model, "--faces-only", *flags, *running),
        ("models", "info", model),
        ("scan", PHOTOS / "official_001.jpg", "--model", model, "--report", report, *overlays),
        ("evaluate", few, "--model", model, "--out", tmp_path / "e", "--split", "val", *faces),
    )
    for words in commands:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == ExitCode.COMPLETE, done.output
        if words[:2] == ("models", "info"):
            said = " ".join(done.output.split())
            assert "turned level from 8 to 60 degrees" in said
            assert "sees" in said
    assert 0 < json.loads(report.read_text())["rows"][0]["p_fake"] < 1
    assert len(list((tmp_path / "overlays").iterdir())) == 1


def test_a_members_bare_weights_are_known_by_the_judges_card_beside_them() -> None:
    judge = find_model("fakeface-judge-2026.11")
    assert isinstance(judge, JudgeCheckpoint)
    native = next(member for member in judge.members if member.name == "native")
    found = find_start(native.checkpoint.path)
    assert found == native.checkpoint
    assert found.card.view == "native"
    # the same weights fed in another way: its mean and deviation stay
    how = TrainOptions("d", "m.safetensors", "c", view="window", via_px=320, input_px=320)
    card = fresh_card(how, found)
    assert (card.view, card.crop_scale, card.via_px, card.rule) == ("window", 1.8, 320, FLAT_WINDOW)
    assert (card.mean, card.std) == (found.card.mean, found.card.std)
    assert card.calibration.state == "uncalibrated"


def test_bare_weights_that_no_card_names_are_refused(tmp_path: pathlib.Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "bare.safetensors")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ModelRefused, match="no card in its header"):
        find_start(str(tmp_path / "bare.safetensors"))


def test_a_members_grey_levels_are_those_of_judges_cards() -> None:
    how = {"view": "window", "backbone": "timm/vit_base_patch16_clip_quickgelu_224"}
    card = fresh_card(TrainOptions("d", "m.safetensors", "c", pretrained=True, **how))  # type: ignore[arg-type]
    judge = find_model("fakeface-judge-2026.11")
    assert isinstance(judge, JudgeCheckpoint)
    clip = judge.members[0].checkpoint.card
    assert card.levels == clip.levels == 255
    assert card.mean == pytest.approx(clip.mean)
    assert card.std == pytest.approx(clip.std)


def test_frozen_blocks_do_not_move(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run_training(options(data, tmp_path, freeze="backbone"), Watch())
    torch.manual_seed(0)
    before = build("mobilenet_v1", "linear", "here").state_dict()
    moved = {
        name.split(".")[0]
        for name, tensor in state(tmp_path).items()
        if not torch.equal(tensor, before[name])
    }
    assert moved == {"classifier"}


@pytest.mark.parametrize("name", LAST_BLOCKS)
def test_freezing_the_backbone_leaves_the_head(name: str) -> None:
    network = build(name, "linear", "here")
    frozen = frozen_at_start(network, "backbone")
    set_learning(network, frozen)
    learning = [key for key, tensor in network.named_parameters() if tensor.requires_grad]
    assert learning
    assert all(
        key.split(".")[0] in ("fc", "classifier", "logits", "last_linear", "last_bn")
        for key in learning
    )
    assert frozen_at_start(network, "2") == 2
    for wrong in ("0", str(len(blocks(network))), "-1", "most"):
        with pytest.raises(UsageError, match="wanted none, backbone"):
            frozen_at_start(network, wrong)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("squeezenet1_1", "classifier.1"),
        ("vit_b_16", "heads.head"),
        ("timm/convnext_atto", "head."),
        ("timm/regnety_002", "head.fc"),
        ("timm/vit_tiny_patch16_224", "head."),
    ],
)
def test_freezing_any_backbone_leaves_its_last_layer_and_nothing_before(
    name: str, head: str
) -> None:
    network = build(name, "linear", "here")
    set_learning(network, frozen_at_start(network, "backbone"))
    learning = [key for key, tensor in network.named_parameters() if tensor.requires_grad]
    assert learning
    assert all(key.startswith(head) for key in learning), learning
    px = 224 if "vit" in name else 64
    network(torch.zeros((2, 3, px, px))).sum().backward()
    set_learning(network, 0)
    assert all(tensor.requires_grad for tensor in network.parameters())


def test_a_network_that_is_all_head_cannot_be_frozen() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1))
    with pytest.raises(UsageError, match="cannot be told from its head"):
        frozen_at_start(network, "backbone")


@pytest.mark.parametrize(
    ("backbone", "pretrained", "mean"),
    [
        ("mobilenet_v1", True, 0.5),
        ("mobilenet_v1", False, 0.485),
        ("timm/vit_tiny_patch16_224", True, 0.5),
        ("timm/resnet10t", True, 0.485),
        ("resnet18", True, 0.485),
        ("inception_resnet_v1", True, 127.5),
    ],
)
def test_public_weights_are_fed_as_they_were_trained(
    tmp_path: pathlib.Path, backbone: str, pretrained: bool, mean: float
) -> None:
    card = fresh_card(options(tmp_path, tmp_path, backbone=backbone, pretrained=pretrained))
    std = {0.5: 0.5, 0.485: 0.229, 127.5: 128.0}[mean]
    assert (card.mean[0], card.std[0]) == (mean, std)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_dropout_works_while_training_only(name: str) -> None:
    network = build(name, "linear", "here")
    names = set(network.state_dict())
    set_dropout(network, 0.9)
    faces = torch.rand((2, 3, 64, 64))
    network.eval()
    assert torch.equal(network(faces), network(faces))
    for module in network.modules():
        module.training = isinstance(module, torch.nn.Linear | torch.nn.Dropout)
    assert not torch.equal(network(faces), network(faces))
    assert set(network.state_dict()) == names


def test_both_classes_are_drawn_at_the_same_resolutions(tmp_path: pathlib.Path) -> None:
    """Real faces of 40 to 300 px and fake ones of 200: each batch shrinks both to one size."""
    traits = Traits("PNG", 9, 9, 9, 0, 0)
    faces = [
        LabelledFace(
            str(n),
            LabelledImage(str(n), n % 2 == 1, f"g{n % 3}", "train"),
            200 if n % 2 else 40 + 2 * n,
            1.15,
            n,
            traits,
        )
        for n in range(130)
    ]
    how = options(tmp_path, tmp_path, input_px=160)
    sampler = Sampler(faces, fresh_card(how), how)
    assert 200 <= sampler.most_px < 300
    import numpy as np

    for px in (64, 150, 190):
        places = sampler._balanced(np.random.default_rng(px), 16, px, untouched=False)
        assert sum(faces[place].image.fake for place in places) == 8
        assert all(faces[place].side >= px for place in places)


def test_files_that_differ_by_kind_are_refused(tmp_path: pathlib.Path) -> None:
    real, fake = draw_set(tmp_path / "png", 20), draw_set(tmp_path / "jpg", 20, suffix="jpg")
    (fake / "fake").rename(tmp_path / "aside")
    (real / "fake").rename(tmp_path / "gone")
    (tmp_path / "aside").rename(real / "fake")
    lines: list[str] = []
    with pytest.raises(UsageError, match=r"AUC of 1\.000.*--allow-shortcuts"):
        run_training(options(real, tmp_path), Watch(say=lines.append))
    assert "format is JPEG 1.00" in lines[-2]
    run_training(options(real, tmp_path, epochs=1, allow_shortcuts=True), Watch())


@pytest.mark.slow
@pytest.mark.parametrize("backbone", LAST_BLOCKS)
def test_each_backbone_trains_scans_and_explains(
    data: pathlib.Path, tmp_path: pathlib.Path, backbone: str
) -> None:
    out = tmp_path / "m.safetensors"
    px = 96 if backbone == "inception_resnet_v1" else 64
    flags = ("--faces-only", "--epochs", 1, "--batch-size", 16, "--device", "cpu")
    done = fakeface("train", data, "--out", out, "--backbone", backbone, "--input-px", px, *flags)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    for words in ("shortcut audit", "val AUC", "uncalibrated"):
        assert words in done.stderr
    done = fakeface(
        *("scan", PHOTOS / "generated_000.jpg", "--model", out, "--report", tmp_path / "r.json"),
        *("--overlays", tmp_path / "overlays", "--explain", "all", "--device", "cpu"),
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "uncalibrated" in done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["run"]["model"]["backbone"] == backbone
    assert report["run"]["model"]["calibration"]["state"] == "uncalibrated"
    assert 0 < report["rows"][0]["p_fake"] < 1
    assert len(list((tmp_path / "overlays").iterdir())) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--out", "m.pt"), "ends in .safetensors"),
        (("--optimizer", "magic"), "wanted adamw or sgd"),
        (("--input", "grey"), "wanted rgb or ela"),
        (("--faces-scale", "1.3"), "goes with --faces-only"),
        (("--init", "x", "--pretrained"), "both say"),
        (("--init", "x", "--backbone", "resnet18"), "leave their flags out"),
        (("--unfreeze-every", "1"), "goes with --freeze"),
        (("--device", "cuda:99"), "no such device"),
        (("--backbone", "nope"), "torchvision has no backbone 'nope'"),
        (("--backbone", "No/Name"), "backbone 'No/Name' found"),
        (("--backbone", "timm/nope"), "timm"),
        (("--head", "1000-500"), "goes with resnet50"),
        (("--freeze", "bogus"), "wanted none, backbone"),
        (("--backbone", "mobilenet_v1", "--freeze", "99"), "number of blocks from 1 to"),
        (("--input-px", "16"), "try another --input-px"),
        (("--view", "fisheye"), "wanted window or native"),
        (("--level",), "--level goes with --view"),
        (("--via-px", "320", "--view", "native"), "goes with --view window"),
        (("--crop-scale", "1.3", "--view", "native"), "leave --crop-scale out"),
        (("--crop-scale", "1.5"), "goes with --view window"),
        (("--init", "x", "--input-px", "96"), "leave their flags out"),
        (("--lora", "4"), "no linear layers besides its head"),
        (("--lora", "4", "--freeze", "backbone"), "leaves no adapter"),
        (("--self-blended", "0.3", "--reconstructed", "0.3"), "half of a batch at most"),
    ],
)
def test_flags_that_make_no_sense_are_refused(
    tmp_path: pathlib.Path, flags: tuple[str, ...], words: str
) -> None:
    # no such data: whatever is said was found out before it was read
    done = fakeface("train", "no-data", "--out", "m.safetensors", *flags, cwd=tmp_path)
    assert (done.returncode, words in done.stderr) == (ExitCode.USAGE, True), done.stderr
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_the_command_with_the_best_so_far(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = ("--faces-only", "--backbone", "mobilenet_v1", "--input-px", 48, "--epochs", 500)
    more = ("--patience", 0, "--batch-size", 16, "--device", "cpu")
    with start("train", data, "--out", tmp_path / "m.safetensors", *flags, *more) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "m.safetensors.resume").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.SIGINT, err.decode()
    assert b"the best of" in err
    load(read_checkpoint(str(tmp_path / "m.safetensors")))


def test_whole_photographs_are_cut_and_learnt_from(tmp_path: pathlib.Path) -> None:
    lines = [
        f"{path},{'fake' if 'generated' in path.name else 'real'}"
        for path in sorted(PHOTOS.glob("*.jpg"))
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines]))
    out = tmp_path / "m.safetensors"
    flags = ("--backbone", "mobilenet_v1", "--input-px", 48, "--epochs", 1, "--batch-size", 4)
    done = fakeface("train", tmp_path / "list.csv", "--out", out, *flags, "--device", "cpu")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "5 real and 5 fake faces" in done.stderr
    assert len(list((tmp_path / "m.safetensors.faces").glob("*.png"))) == 12
    assert fakeface("models", "verify", out).returncode == ExitCode.COMPLETE
