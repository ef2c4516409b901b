"""The smaller commands, and what starts without torch."""

import pathlib
import re
import subprocess
import sys

import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.extras import how_to_install
from fakefacecli.cli import doctor
from fakefacecli.decode import formats
from fakefacecli.models.bundled import find_model
from fakefacecli.overlay.sheet import SHEET_PX
from tests.builders import PHOTOS, put
from tests.command import fakeface, powerless

WATCH_IMPORTS = """
import sys
from fakefacecli.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
heavy = {"torch", "torchvision", "facenet_pytorch", "pytorch_grad_cam", "numpy", "PIL", "pandas"}
sys.exit(f"imported {heavy & set(sys.modules)}" if heavy & set(sys.modules) else 0)
"""


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "scan --help",
        "explain --help",
        "inspect --help",
        "train --help",
        "models --help",
        "report --help",
        "docs",
        "--version",
    ],
)
def test_help_imports_nothing_heavy(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCH_IMPORTS, *command.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_explain_saves_a_picture_and_prints_a_table(tmp_path: pathlib.Path) -> None:
    done = fakeface("explain", PHOTOS / "generated_000.jpg", cwd=tmp_path)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "flagged" in done.stdout
    assert "generated_000.jpg.overlay.jpg" in done.stdout
    assert "What each network added" not in done.stdout
    with Image.open(tmp_path / "generated_000.jpg.overlay.jpg") as picture:
        assert min(picture.size) > 300


@pytest.mark.slow
def test_explain_prints_what_each_network_of_a_judge_added(tmp_path: pathlib.Path) -> None:
    card = find_model("fakeface-judge-2026.11").card
    put(tmp_path / "a.jpg", 400)
    done = fakeface("explain", "a.jpg", "--model", card.name, "--device", "cpu", cwd=tmp_path)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    faces, added = done.stdout.split("What each network added")
    cells = [line.strip("│").split("│") for line in added.splitlines() if line.startswith("│")]
    [[_, *amounts]] = cells
    assert len(amounts) == 4
    logit = sum(map(float, amounts)) + card.bias
    [p_fake] = re.findall(r"│ (0\.\d{4}) +│", faces)
    assert card.calibration.probability(logit) == pytest.approx(float(p_fake), abs=0.01)
    with Image.open(tmp_path / "a.jpg.overlay.jpg") as picture:
        assert picture.size[1] > SHEET_PX[1]  # the bars


def two_faces() -> Image.Image:
    pair = Image.new("RGB", (1024, 512))
    for left, name in ((0, "official_003.jpg"), (512, "generated_001.jpg")):
        with Image.open(PHOTOS / name) as picture:
            pair.paste(picture.resize((512, 512)), (left, 0))
    return pair


def test_explain_numbers_the_pictures_of_several_faces(tmp_path: pathlib.Path) -> None:
    two_faces().save(tmp_path / "pair.png")
    done = fakeface("explain", tmp_path / "pair.png", "--out", tmp_path / "shown.png")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"pair.png", "shown.png", "shown-2.png"}
    # a second time both are known again as overlays
    (tmp_path / "shown.png").write_bytes((tmp_path / "shown-2.png").read_bytes())
    done = fakeface("explain", tmp_path / "pair.png", "--out", tmp_path / "shown.png")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == names
    one, other = ((tmp_path / name).read_bytes() for name in ("shown.png", "shown-2.png"))
    assert one != other


def test_explain_says_when_there_is_nothing_to_explain(tmp_path: pathlib.Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")
    done = fakeface("explain", tmp_path / "plain.png", cwd=tmp_path)
    assert (done.returncode, "no face" in done.stdout) == (ExitCode.COMPLETE, True)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = fakeface("explain", tmp_path / "broken.jpg", cwd=tmp_path)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    assert fakeface("explain", tmp_path / "gone.jpg").returncode == ExitCode.NOTHING_TO_DO
    assert fakeface("explain", tmp_path).returncode == ExitCode.NOTHING_TO_DO


def test_explain_never_overwrites_its_input(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jpg").write_bytes((PHOTOS / "generated_000.jpg").read_bytes())
    done = fakeface("explain", tmp_path / "a.jpg", "--out", tmp_path / "a.jpg")
    assert done.returncode == ExitCode.CANNOT_WRITE
    assert (tmp_path / "a.jpg").read_bytes() == (PHOTOS / "generated_000.jpg").read_bytes()


def test_explain_overwrites_its_input_with_no_further_face_either(tmp_path: pathlib.Path) -> None:
    two_faces().save(tmp_path / "crowd-2.png")
    before = (tmp_path / "crowd-2.png").read_bytes()
    done = fakeface("explain", tmp_path / "crowd-2.png", "--out", tmp_path / "crowd.png")
    assert done.returncode == ExitCode.CANNOT_WRITE
    assert (tmp_path / "crowd-2.png").read_bytes() == before


def test_explain_replaces_no_file_but_an_overlay(tmp_path: pathlib.Path) -> None:
    two_faces().save(tmp_path / "pair.png")
    two_faces().save(tmp_path / "photo.jpg", comment="fakeface overlays are drawn on this")
    photo = (tmp_path / "photo.jpg").read_bytes()
    for name, out in (("shown.png", "shown.png"), ("x-2.jpg", "x.jpg"), ("y.jpeg", "y.jpeg")):
        (tmp_path / name).write_bytes(photo)
        done = fakeface("explain", tmp_path / "pair.png", "--out", tmp_path / out)
        assert done.returncode == ExitCode.CANNOT_WRITE
        assert done.stderr.count("\n") == 1
        assert name in done.stderr
        assert (tmp_path / name).read_bytes() == photo
    assert not (tmp_path / "x.jpg").exists()
    (tmp_path / "z-3.png").write_bytes(photo)  # there is no third face
    done = fakeface("explain", tmp_path / "pair.png", "--out", tmp_path / "z.png")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert (tmp_path / "z-3.png").read_bytes() == photo


def test_explain_follows_the_link_it_is_given_and_a_scan_does_not(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link.jpg").symlink_to(PHOTOS / "generated_000.jpg")
    done = fakeface("explain", "link.jpg", cwd=tmp_path)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert (tmp_path / "link.jpg.overlay.jpg").exists()
    done = fakeface("scan", "link.jpg", cwd=tmp_path)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    assert "link.jpg: not_a_file" in done.stderr


def test_explain_refuses_empty_values(tmp_path: pathlib.Path) -> None:
    photo = PHOTOS / "generated_000.jpg"
    for flags in (("",), (photo, "--out", ""), (photo, "--model", "")):
        done = fakeface("explain", *flags, cwd=tmp_path)
        assert (done.returncode, "is empty" in done.stderr) == (ExitCode.USAGE, True)
    assert list(tmp_path.iterdir()) == []


def test_models_are_listed_shown_and_verified(tmp_path: pathlib.Path) -> None:
    assert "fakeface-judge-2026.11 (default)" in fakeface("models", "list").stdout
    shown = fakeface("models", "info", "inception-resnet-v1").stdout
    for words in ("0.9263", "0.2448", "StyleGAN2", "gpt-4o", "64 px"):
        assert words in shown
    done = fakeface("models", "verify")
    assert (done.returncode, "ok" in done.stdout) == (0, True)
    assert "centerface: ok, sha256" in done.stdout
    assert "centerface (detector)" in fakeface("models", "list").stdout
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    done = fakeface("models", "verify", "inception-resnet-v1", tmp_path / "bad.safetensors")
    assert done.returncode == ExitCode.MODEL_REFUSED
    assert "bad.safetensors" in done.stderr


def test_doctor_finds_this_installation_well() -> None:
    done = fakeface("doctor", "--device", "cpu")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    for words in ("torch", "facenet-pytorch", "onnxruntime", "cpu", "p_fake", "all is well"):
        assert words in done.stdout
    for words in ("detector        centerface, sha256", "box             within"):
        assert words in done.stdout
    formats = done.stdout[done.stdout.index("\nformats\n") :]
    for name in ("AVIF", "JPEG2000", "PPM", "TGA"):
        assert name in formats.splitlines()[2]
    assert "does not read   JPEG XL, Photoshop" in formats


def test_doctor_says_how_to_read_what_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "heif_is_ready", lambda: False)
    reads, would, _ = doctor._formats()
    assert "HEIF" not in reads
    assert would == f"would read      HEIF, with {how_to_install('heif')}"


def test_a_device_that_cannot_be_is_told_with_those_that_can() -> None:
    for device, words in (
        ("foo", "--device foo: wanted auto, cpu, cuda, cuda:N or mps"),
        ("cuda:", "--device cuda:: wanted auto, cpu"),
        ("cuda:999", "--device cuda:999: no such device here, only cpu"),
    ):
        done = fakeface("doctor", "--device", device)
        assert (done.returncode, done.stdout) == (ExitCode.USAGE, ""), done.stderr
        assert words in done.stderr


def test_a_bare_command_shows_its_help() -> None:
    assert "scan" in fakeface().stdout + fakeface().stderr


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("train no-data --out", "no/m.safetensors"),
        ("calibrate no-data --out", "no/m.safetensors"),
        ("embed no-data --out", "no/map.png"),
        ("scan . --report", "no/out.csv"),
        ("scan . --state", "no/state.db"),
        ("scan . --dry-run --state", "no/state.db"),
        ("explain a.jpg --out", "no/a.png"),
        ("bench . --json", "no/figures.json"),
    ],
)
def test_a_folder_that_is_not_there_is_named_in_one_wording(
    tmp_path: pathlib.Path, command: str, out: str
) -> None:
    (tmp_path / "a.jpg").write_bytes((PHOTOS / "generated_000.jpg").read_bytes())
    done = fakeface(*command.split(), out, cwd=tmp_path)
    assert done.stderr == f"fakeface: cannot write {out}: there is no folder no; make it first\n"
    assert done.returncode == ExitCode.CANNOT_WRITE


def test_a_folder_that_takes_no_files_is_told_by_what_was_typed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jpg").write_bytes((PHOTOS / "generated_000.jpg").read_bytes())
    (tmp_path / "closed").mkdir(mode=0)
    before = powerless(tmp_path / "closed")
    for command, out in (
        ("train no-data --out", "closed/m.safetensors"),
        ("calibrate no-data --out", "closed/m.safetensors"),
        ("scan a.jpg --state", "closed/state.db"),
    ):
        done = fakeface(*command.split(), out, cwd=tmp_path, before=before)
        assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
        assert f"{out}: permission denied" in done.stderr
