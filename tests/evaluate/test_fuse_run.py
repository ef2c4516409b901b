"""`fakeface fuse`, run as it is: the judge it writes, what it refuses, what it never replaces."""

import csv
import json
import pathlib
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.models.bundled import BUNDLED, find_network
from fakefacecli.models.card import card_json
from fakefacecli.models.judge import read_judge
from fakefacecli.models.window import FLAT_WINDOW
from tests.builders import PHOTOS
from tests.command import fakeface, rows

ONE = "inception-resnet-v1"
COLUMNS = ("path", "label", "group", "split")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Six real and six fake portraits, each a group of its own; one of train, one held out."""
    folder = tmp_path_factory.mktemp("data")
    for path in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(path) as picture:
            picture.resize((300, 300)).save(folder / path.name)
    listed = [
        (path.name, "fake" if path.name.startswith("generated") else "real", path.stem, "unseen")
        for path in sorted(folder.iterdir())
    ]
    for name, split in (("seen.jpg", "train"), ("kept.jpg", "held_out")):
        shutil.copy(folder / "official_003.jpg", folder / name)
        listed.append((name, "real", "officials", split))
    write(folder / "labels.csv", listed)
    return folder


def write(path: pathlib.Path, listed: list[tuple[str, ...]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([COLUMNS, *listed])


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A network of one's own: the bundled one's weights, fed with more of the face."""
    path = tmp_path_factory.mktemp("models") / "wide.safetensors"
    return fed_otherwise(path, crop_scale=1.5, trained_on="wide faces")


def fed_otherwise(path: pathlib.Path, **card: object) -> pathlib.Path:
    checkpoint = find_network(ONE, "a test")
    state = safetensors.torch.load_file(checkpoint.path)
    changed = replace(checkpoint.card, **card)  # type: ignore[arg-type]
    safetensors.torch.save_file(state, path, {"card": card_json(changed)})
    return path


@pytest.fixture(scope="module")
def judge(
    data: pathlib.Path, other: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    out = tmp_path_factory.mktemp("judge") / "Mine 1.json"
    learnt = [(str(data / "elsewhere.jpg"), "real", "another", "train")]
    write(other.with_suffix(".split.csv"), learnt)
    done = fakeface("fuse", ONE, other, "--data", data, "--target-fpr", "0.2", "--out", out)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    words = " ".join(done.stderr.split())
    for said in (
        "1 of split held_out, 1 of split train; only val, unseen, or images of no split, are fused",
        "fitted on 12 faces (6 real, 6 fake) of 12 groups",
        "few faces or groups",
        "equal weights",
        "the judge",
        "HIGH",
    ):
        assert said in words, done.stderr
    return out


def test_the_judge_lies_beside_its_members_and_names_them(
    judge: pathlib.Path, data: pathlib.Path
) -> None:
    found = read_judge(str(judge))
    assert [member.name for member in found.members] == ["inception_resnet_v1", "wide"]
    assert {path.name for path in judge.parent.iterdir()} == {
        "Mine 1.json",
        "Mine 1-inception_resnet_v1.safetensors",
        "Mine 1-wide.safetensors",
        "Mine 1-wide.split.csv",
        "Mine 1.split.csv",
    }
    told = found.card.measured["fused_on"]
    assert (told["real"], told["fake"], told["splits"]) == (6, 6, {"unseen": 12})
    assert found.card.name == "Mine 1"
    assert found.card.window.span == 1.5  # what the widest network sees
    assert found.card.window.levels
    assert "wide: wide faces" in found.card.trained_on
    assert sum(member.weight for member in found.members) > 0


def test_the_judge_scans_and_is_verified(
    judge: pathlib.Path, data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert "ok" in fakeface("models", "verify", judge).stdout
    info = " ".join(fakeface("models", "info", judge).stdout.split())
    for words in ("fused_on", "cross_validated", "wide", "turned level from 8 to 60 degrees"):
        assert words in info
    report = tmp_path / "out.csv"
    photo = data / "generated_000.jpg"
    exact = ("--precision", "fp32")
    done = fakeface("scan", photo, "--model", judge, "--report", report, *exact)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    [row] = rows(report)
    found = read_judge(str(judge))
    logits = [float(row[f"logit_{member.name}"]) for member in found.members]
    pairs = zip(found.members, logits, strict=True)
    fused = sum(member.weight * logit for member, logit in pairs) + found.card.bias
    assert float(row["p_fake"]) == pytest.approx(
        found.card.calibration.probability(fused), abs=1e-3
    )


def test_what_its_members_learnt_from_is_known_of_the_judge(
    judge: pathlib.Path, data: pathlib.Path
) -> None:
    with open(judge.with_suffix(".split.csv"), newline="", encoding="utf-8") as handle:
        splits = {row["path"]: row["split"] for row in csv.DictReader(handle)}
    assert splits[str(data / "elsewhere.jpg")] == "train"
    assert list(splits.values()).count("unseen") == 12


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("official_003.jpg", "real", "x", "train"), "was trained on it; give it the split train"),
        (("elsewhere.jpg", "real", "official_003", "train"), "of its group official_003"),
    ],
)
def test_faces_and_groups_that_a_member_was_trained_on_are_refused(
    data: pathlib.Path,
    other: pathlib.Path,
    tmp_path: pathlib.Path,
    row: tuple[str, ...],
    words: str,
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.symlink_to(other)
    write(tmp_path / "mine.split.csv", [(str(data / row[0]), *row[1:])])
    out = tmp_path / "j.json"
    done = fakeface("fuse", ONE, mine, "--data", data, "--target-fpr", "0.2", "--out", out)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert words in done.stderr
    assert not out.exists()


def test_images_of_no_split_that_a_member_was_trained_on_are_left_out(
    data: pathlib.Path, other: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.symlink_to(other)
    photos = sorted(data.glob("*_00*.jpg"))
    rows_ = [(str(path), "fake" if "gen" in path.name else "real", path.stem) for path in photos]
    write(tmp_path / "mine.split.csv", [(*row, "train") for row in rows_])
    write(tmp_path / "all.csv", [(*row, "") for row in rows_])
    out = tmp_path / "j.json"
    done = fakeface("fuse", ONE, mine, "--data", tmp_path / "all.csv", "--out", out)
    assert done.returncode == ExitCode.NOTHING_TO_DO
    assert "left out: 12 of split train" in done.stderr


def test_members_of_other_windows_are_refused(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    flat = fed_otherwise(tmp_path / "flat.safetensors", rule=FLAT_WINDOW)
    member = "fakeface-judge-2026.11:native"
    done = fakeface("fuse", member, flat, "--data", data, "--out", tmp_path / "j.json")
    assert done.returncode == ExitCode.USAGE
    assert "the members of a judge share one window" in done.stderr


def test_no_file_is_replaced(
    data: pathlib.Path, other: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for name, words in (
        ("j.json", "a model is there"),
        ("j-wide.safetensors", "another file is there"),
        ("j.split.csv", "it is the split of another model"),
        ("j-wide.split.csv", "it is the split of another model"),
    ):
        (tmp_path / name).write_text("mine")
        done = fakeface("fuse", ONE, other, "--data", data, "--out", "j.json", cwd=tmp_path)
        assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
        assert words in done.stderr
        assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ((ONE, "--out", "j.json"), ExitCode.USAGE, "1 members found, wanted 2 to 16"),
        ((ONE, "gone.safetensors", "--out", "j.json"), ExitCode.MODEL_REFUSED, "no such model"),
        ((ONE, "x", "--out", "j.safetensors"), ExitCode.USAGE, "ends in .json"),
        ((ONE, "fakeface-judge-2026.11", "--out", "j.json"), ExitCode.USAGE, "name single"),
    ],
)
def test_fuse_refuses_in_one_line(
    data: pathlib.Path,
    tmp_path: pathlib.Path,
    flags: tuple[str, ...],
    code: ExitCode,
    words: str,
) -> None:
    done = fakeface("fuse", *flags, "--data", data, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_bundled_member_given_by_path_or_name_is_the_same(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    done = fakeface("fuse", ONE, BUNDLED[ONE].path, "--data", data, "--out", "j.json", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "is the same network as" in done.stderr


def test_the_card_is_json_without_anything_that_is_not(judge: pathlib.Path) -> None:
    def no(word: str) -> None:
        raise AssertionError(word)

    json.loads(judge.read_text("utf-8"), parse_constant=no)
