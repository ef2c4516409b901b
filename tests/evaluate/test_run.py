"""`fakeface evaluate` and `fakeface calibrate`, run as they are: figures, files, refusals."""

import csv
import html.parser
import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.evaluate.degrade import GRID
from fakefacecli.figures.metrics import MEASURES
from fakefacecli.models.bundled import BUNDLED, find_model
from tests.builders import PHOTOS
from tests.command import fakeface, rows

NASTY = "<script>alert('$x$')</script>"
FEW = ("--resamples", 50)
ONE = ("--model", "inception-resnet-v1")  # the cheapest: which model it is does not matter


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Six real and six fake portraits, a training row, a held-out one and a picture of nothing."""
    folder = tmp_path_factory.mktemp("labelled")
    lines = ["path,label,group,generator,split"]
    for path in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(path) as picture:
            picture.resize((400, 400)).save(folder / path.name)
        fake = path.name.startswith("generated")
        group, generator = (NASTY, "diffusion") if fake else ("officials", "")
        lines.append(f"{path.name},{'fake' if fake else 'real'},{group},{generator},val")
    for name, split in (("seen.jpg", "train"), ("kept.jpg", "held_out")):
        shutil.copy(folder / "official_003.jpg", folder / name)
        lines.append(f"{name},real,officials,,{split}")
    Image.new("RGB", (64, 64)).save(folder / "plain.png")
    lines.append("plain.png,real,nothing,,val")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def evaluation(labelled: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("out") / "evaluation"
    done = fakeface("evaluate", labelled, "--split", "val", "--out", out, *ONE, *FEW)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    for words in (
        "AUC",
        "6 real and 6 fake",
        "1 of split train",
        "1 of split held_out",
        "1 image gave no face",
        "single group has no interval",
        "(by image",
    ):
        assert words in " ".join(done.stderr.split())
    return out


def facts(out: pathlib.Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return found


def test_every_measure_has_its_interval(evaluation: pathlib.Path) -> None:
    found = facts(evaluation)
    assert set(found["measures"]) == set(MEASURES)
    # all fakes are of one group, and so are all real faces: another group cannot be told from them
    assert found["data"]["clusters"] == {"real": 1, "fake": 1}
    assert found["measures"]["auc"]["low"] is None
    area = found["measures_by_image"]["auc"]
    assert area["value"] == found["measures"]["auc"]["value"]
    assert 0 <= area["low"] <= area["value"] <= area["high"] <= 1
    assert found["measures"]["tpr_at_fpr_0.01"]["value"] is None  # 6 real faces cannot show it
    assert found["data"]["faces"] == 12
    assert found["data"]["without_a_face"][0]["why"] == "no face found"
    assert found["time"]["judging_ms_per_face"] > 0
    assert set(found["verdicts"]["precision_at_prevalence"]) == {"0.01", "0.1"}


def test_the_slices_and_the_grid_cover_all_faces(evaluation: pathlib.Path) -> None:
    found = facts(evaluation)
    for dimension in ("split", "group", "generator", "face size", "JPEG quality"):
        parts = found["slices"][dimension]
        assert sum(part["real"] + part["fake"] for part in parts) == 12
    assert [row["family"] for row in found["robustness"]][:2] == ["as it is", "JPEG quality"]
    plain = found["robustness"][0]
    assert plain["auc"]["value"] == found["measures"]["auc"]["value"]
    real = found["verdicts"]["real"]
    assert plain["real_flagged"] == real["flagged_share"]
    assert plain["real_inconclusive"] == real["inconclusive_share"]
    cells = {(row["family"], row["strength"]): row for row in found["robustness"]}
    assert len(cells) == 1 + len(GRID)
    for row in cells.values():
        assert row["real_between"]["value"] <= row["real_inconclusive"]["value"]
        assert 0 <= row["real_flagged"]["low"] <= row["real_flagged"]["high"] <= 1
    # a quarter of these faces is under 64 px, which no scan would judge
    assert cells["resize", 0.25]["real_inconclusive"]["value"] == 1


def test_the_scores_are_those_of_a_scan(
    evaluation: pathlib.Path, labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    report = tmp_path / "scan.csv"
    exact = (*ONE, "--precision", "fp32")  # as evaluate judges
    assert fakeface("scan", labelled, "--report", report, *exact).returncode == ExitCode.COMPLETE
    scanned = {row["path"]: row for row in rows(report)}
    with open(evaluation / "scores.csv", newline="", encoding="utf-8") as handle:
        scores = list(csv.DictReader(handle))
    assert len(scores) == 12
    for row in scores:
        other = scanned[row["path"]]
        assert float(row["p_fake"]) == pytest.approx(float(other["p_fake"]), abs=1e-4)
        assert float(row["face_px"]) == pytest.approx(float(other["face_px"]), abs=0.1)
        assert (row["verdict"], row["sha256"]) == (other["verdict"], other["sha256"])


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]


def check_page(path: pathlib.Path, least: int) -> str:
    """Self-contained and inert; at least so many pictures."""
    text = path.read_text()
    seen = Tags()
    seen.feed(text)
    assert not seen.tags & {"script", "link", "iframe", "object"}
    assert all(value.startswith("data:image/") for value in seen.fetched)
    assert len(seen.fetched) >= least
    return text


def test_the_page_holds_everything_and_runs_nothing(evaluation: pathlib.Path) -> None:
    text = check_page(evaluation / "index.html", 8)
    assert "&lt;script&gt;alert" in text
    for words in ("Measures", "Robustness", "By generator", "Fakes most surely called real"):
        assert words in text


def test_plots_and_overlays_are_pictures(evaluation: pathlib.Path) -> None:
    names = {path.stem for path in (evaluation / "plots").glob("*.png")}
    assert names == {
        "roc",
        "det",
        "reliability",
        "scores",
        "confusion",
        "robustness",
        "real-faces",
        "predictions",
    }
    missed = sorted((evaluation / "mistakes").glob("missed-fake-*.jpg"))
    assert missed
    for path in (*missed, *(evaluation / "plots").glob("*.png")):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_an_evaluation_replaces_an_older_or_broken_off_one_and_nothing_else(
    labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    (out / "mistakes").mkdir(parents=True)
    (out / "mistakes" / "false-alarm-99.jpg").write_text("old")
    (out / "mistakes" / "mine.jpg").write_text("kept")
    plain = (*ONE, "--split", "held_out", "--no-grid", *FEW)
    done = fakeface("evaluate", labelled, "--out", out, *plain)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert not (out / "mistakes" / "false-alarm-99.jpg").exists()
    assert (out / "mistakes" / "mine.jpg").exists()
    found = facts(out)  # one real face: what needs fakes is not defined, and no curve is drawn
    assert found["measures"]["auc"] == {"value": None, "low": None, "high": None}
    assert found["robustness"] == []
    assert not (out / "plots" / "roc.png").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    done = fakeface("evaluate", labelled, "--out", tmp_path / "other")
    assert done.returncode == ExitCode.CANNOT_WRITE


def test_compare_finds_no_difference_between_a_model_and_itself(
    labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    name = "inception-resnet-v1"
    done = fakeface(
        "evaluate", labelled, "--compare", name, BUNDLED[name].path, "--out", tmp_path / "out", *FEW
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    found = facts(tmp_path / "out")
    assert len(found["models"]) == 2
    for row in found["measures"].values():
        assert row["first"] == row["second"]
        assert not row["clear"]
    check_page(tmp_path / "out" / "index.html", 3)


def test_compare_asks_how_large_ready_crops_are_where_the_models_differ(
    labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    models = ("inception-resnet-v1", "fakeface-judge-2026.11")
    out = ("--out", tmp_path / "out")
    done = fakeface("evaluate", labelled, "--compare", *models, "--faces-only", *out)
    assert done.returncode == ExitCode.USAGE
    assert "own crops are 1.15 and 1.8 times the box; say with --faces-scale" in done.stderr


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--split", "new"], ExitCode.USAGE, "train, val, test, held_out, unseen"),
        (["--split", "unseen"], ExitCode.NOTHING_TO_DO, "no image of the splits"),
        (["--faces-scale", "1.3"], ExitCode.USAGE, "--faces-only"),
        (["--model", "x", "--compare", "a", "b"], ExitCode.USAGE, "leave --model out"),
        (["--model", "gone.safetensors"], ExitCode.MODEL_REFUSED, "no such model"),
    ],
)
def test_evaluate_refuses_in_one_line(
    labelled: pathlib.Path, tmp_path: pathlib.Path, flags: list[str], code: ExitCode, words: str
) -> None:
    done = fakeface("evaluate", labelled, "--out", tmp_path / "out", *flags)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_calibrate_writes_a_checkpoint_that_says_what_it_was_fitted_on(
    labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "mine.safetensors"
    done = fakeface("calibrate", labelled, *ONE, "--target-fpr", "0.2", "--out", out)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "1 of split held_out, 1 of split train" in done.stderr
    card = find_model(str(out)).card
    told = card.measured["calibrated_on"]
    assert (told["faces"], told["real"], told["fake"]) == (12, 6, 6)
    assert told["splits"] == {"val": 12}
    assert (told["without_a_face"], told["unreadable"]) == (1, 0)
    assert "1 image gave no face" in done.stderr
    assert told["groups"] == [NASTY, "officials"]
    assert told["sha256"][:16] in card.calibration.fitted_on
    assert told["fpr"]["value"] <= 0.2 < told["fpr"]["high"]
    assert card.thresholds.low <= card.thresholds.high / 2
    assert (card.calibration.method, card.calibration.prior) == ("platt", 0.5)
    assert "before this calibration: same_sources" in card.measured
    shown = fakeface("models", "info", out).stdout
    assert "calibrated_on" in shown
    report = tmp_path / "scan.json"
    assert fakeface("scan", PHOTOS, "--model", out, "--report", report).returncode == 0
    header = json.loads(report.read_text())["run"]["model"]
    assert header["thresholds"] == {"low": card.thresholds.low, "high": card.thresholds.high}


def test_calibrate_never_uses_held_out_faces(
    labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    listing = labelled / "held.csv"
    text = (labelled / "labels.csv").read_text().replace(",val", ",held_out")
    listing.write_text(text)
    done = fakeface("calibrate", listing, *ONE, "--out", tmp_path / "a.safetensors")
    assert done.returncode == ExitCode.NOTHING_TO_DO
    assert "of split held_out" in done.stderr
    assert not (tmp_path / "a.safetensors").exists()


def test_calibrate_tells_of_images_that_could_not_be_read(
    labelled: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    lines = (labelled / "labels.csv").read_text()
    for name in ("b1.jpg", "b2.jpg", "b3.jpg"):
        (labelled / name).write_bytes(b"no picture")
        lines += f"{name},real,,,val\n"
    listing = labelled / "broken.csv"
    listing.write_text(lines)
    out = tmp_path / "a.safetensors"
    done = fakeface("calibrate", listing, *ONE, "--target-fpr", "0.2", "--out", out)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    lines = done.stderr.splitlines()
    assert any("1 image gave no face, such as" in line and "plain.png" in line for line in lines)
    assert any("3 images could not be read, such as" in line and "b1.jpg" in line for line in lines)
    told = find_model(str(out)).card.measured["calibrated_on"]
    assert (told["without_a_face"], told["unreadable"]) == (4, 3)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--out", "a.safetensors"], ExitCode.USAGE, "at least 100 real faces"),
        (["--out", "a.pt"], ExitCode.USAGE, ".safetensors"),
        (["--out", "gone/a.safetensors"], ExitCode.CANNOT_WRITE, "make it first"),
    ],
)
def test_calibrate_refuses_in_one_line(
    labelled: pathlib.Path, tmp_path: pathlib.Path, flags: list[str], code: ExitCode, words: str
) -> None:
    done = fakeface("calibrate", labelled, *ONE, *flags, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert not list(tmp_path.iterdir())
