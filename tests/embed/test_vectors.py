"""`fakeface embed`: vectors are those before the last layer; maps of labelled sets and of scans."""

import json
import pathlib
import re
import shutil

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from fakefacecli.base.errors import ExitCode, ModelRefused, NothingToDo, UsageError
from fakefacecli.base.extras import how_to_install
from fakefacecli.base.options import ReportTarget
from fakefacecli.base.records import Box
from fakefacecli.cli.app import app
from fakefacecli.embed import vectors
from fakefacecli.embed.map import OTHERS, UNKNOWN, colours, names, write_map
from fakefacecli.embed.vectors import Embedder, Point, project
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FoundFace
from fakefacecli.labelled.report_faces import ScannedImage, is_report, read_report
from fakefacecli.models.bundled import find_model
from fakefacecli.models.checkpoint import load
from fakefacecli.reports.read import READABLE
from fakefacecli.reports.rows import RowFacts, writer_for
from fakefacecli.scan.classify import TorchClassifier
from fakefacecli.scan.crop import cut
from tests.builders import PHOTOS, face, image, report
from tests.command import fakeface, rows
from tests.evaluate.test_run import check_page

HOSTILE = "<img src=x onerror=alert(1)>.jpg"


def point(number: int = 1, group: str = "g", path: str = "a.jpg") -> Point:
    vector = np.random.default_rng(number).normal(0, 1, 8).astype(np.float32)
    return Point(path, number, "fake", group, "", "flagged", 0.9, vector, b"\xff\xd8\xff")


def test_vectors_times_the_last_layer_are_the_logits() -> None:
    checkpoint = find_model("inception-resnet-v1")
    classifier = TorchClassifier.of_one(load(checkpoint), checkpoint.card)
    photos = [image(n, f"{n}.jpg", (40, 40)) for n in range(3)]
    crops = [cut(photo, face(8, 8, 20), 1, 1.15) for photo in photos]
    labelled = LabelledImage("a.jpg", False, "", "")
    found = [FoundFace(labelled, p, c, 20.0) for p, c in zip(photos, crops, strict=True)]
    points = Embedder(classifier).points(found, ["real", "fake", ""])
    last = classifier.members[0].network.get_submodule("logits")
    logits = last(torch.from_numpy(np.stack([p.vector for p in points]))).squeeze(1).tolist()
    assert logits == pytest.approx(classifier.logits(crops), abs=1e-3)
    assert [p.label for p in points] == ["real", "fake", ""]
    assert {p.verdict for p in points} == {"inconclusive"}  # 20 px are too small to judge


def test_a_network_without_a_linear_layer_is_refused() -> None:
    classifier = TorchClassifier.of_one(
        torch.nn.Conv2d(3, 1, 3), find_model("inception-resnet-v1").card
    )
    with pytest.raises(ModelRefused, match="no linear layer"):
        Embedder(classifier)


@pytest.mark.parametrize("how", ["pca", "tsne"])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 40])
def test_any_number_of_faces_is_laid_out_inside_the_map(how: str, count: int) -> None:
    vectors = np.random.default_rng(0).normal(0, 1, (count, 16)).astype(np.float32)
    at, used = project(vectors, how)
    assert at.shape == (count, 2)
    assert 0 <= at.min() <= at.max() <= 1
    assert used == (how if count >= 5 else "pca")
    assert (project(vectors, how)[0] == at).all()


@pytest.mark.parametrize("how", ["pca", "tsne"])
def test_two_heaps_stay_apart(how: str) -> None:
    chance = np.random.default_rng(0)
    heaps = chance.normal(0, 0.1, (40, 16)) + np.repeat([[0.0], [5.0]], 20, 0)
    at, _ = project(heaps.astype(np.float32), how)
    apart = np.linalg.norm(at[:20].mean(0) - at[20:].mean(0))
    assert apart > 3 * at[:20].std()


def test_equal_vectors_fall_on_one_place() -> None:
    at, _ = project(np.ones((6, 4), np.float32), "pca")
    assert (at == at[0]).all()


@pytest.mark.parametrize("how", ["pca", "tsne", "umap", "auto"])
def test_copies_of_one_face_fall_on_one_place_whatever_lays_them_out(how: str) -> None:
    vectors = np.repeat(np.random.default_rng(0).normal(0, 1, (1, 512)), 6, 0).astype(np.float32)
    vectors[3:] *= 1 + 1e-7  # as a batch of another size rounds them
    at, used = project(vectors, how)
    assert (at == 0.5).all()
    assert used == "pca"


def test_some_copies_among_other_faces_are_laid_out() -> None:
    vectors = np.random.default_rng(0).normal(0, 1, (7, 16)).astype(np.float32)
    vectors[:6] = vectors[0]
    at, used = project(vectors, "tsne")
    assert (used, np.isfinite(at).all()) == ("tsne", True)


def test_umap_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_has_umap", lambda: False)
    points = np.random.default_rng(0).normal(0, 1, (8, 4)).astype(np.float32)
    with pytest.raises(UsageError, match=re.escape(how_to_install("umap"))):
        project(points, "umap")
    assert project(points, "auto")[1] == "tsne"


def test_rare_groups_share_a_colour_and_the_unknown_is_grey() -> None:
    points = [point(1, f"g{n}") for n in range(14)] + [point(1, ""), *[point(1, "big")] * 3]
    held = names(points, "group")
    assert set(held) >= {OTHERS, UNKNOWN, "big"}
    assert len(set(held)) == 12
    named = [c for name, c in colours(held).items() if name not in (OTHERS, UNKNOWN)]
    assert len(set(named)) == len(named) == 10


def test_a_hostile_name_stays_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "map.html").write_text(
        write_map([point(path=HOSTILE, group=HOSTILE)], np.zeros((1, 2)), "group", HOSTILE)
    )
    text = check_page(tmp_path / "map.html", 1)
    assert "<img src=x" not in text


@pytest.mark.slow
def facts_of(images: list[ScannedImage]) -> list[object]:
    """What the images of a report say, to be compared."""
    return [
        (image.path, image.sha256, [(n, face.box, face.roll, face.turn) for n, face in image.faces])
        for image in images
    ]


def test_a_labelled_set_and_its_scan_give_the_same_vectors(tmp_path: pathlib.Path) -> None:
    for path in PHOTOS.glob("*.jpg"):
        folder = tmp_path / "set" / ("fake" if path.name.startswith("generated") else "real")
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as picture:
            picture.resize((400, 400)).save(folder / path.name)
    flags = [w for name in ("a.html", "a.png", "a.parquet") for w in ("--out", tmp_path / name)]
    done = fakeface("embed", tmp_path / "set", *flags, "--projection", "tsne")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "12 faces on the map" in done.stderr
    assert "no face" not in done.stderr
    assert "onerror" not in check_page(tmp_path / "a.html", 12)
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 600
    mine = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert {row["label"] for row in mine} == {"real", "fake"}

    reports = [tmp_path / f"scan.{ending}" for ending in READABLE]
    flags = [w for report in reports for w in ("--report", report)]
    assert fakeface("scan", tmp_path / "set", *flags, "--workers", 1).returncode == 0
    assert [len(read_report(str(report))) for report in reports] == [12] * 5
    [first, *others] = [facts_of(read_report(str(report))) for report in reports]
    assert others == [first] * 4
    gone = tmp_path / "set" / "real" / "official_000.jpg"
    gone.unlink()
    done = fakeface("embed", reports[0], "--out", tmp_path / "b.parquet")
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    words = " ".join(done.stderr.split())
    assert "1 image could not be read as scanned, such as" in words
    assert "official_000.jpg" in words
    assert "11 faces written" in words
    assert "map" not in words
    theirs = pyarrow.parquet.read_table(tmp_path / "b.parquet").to_pylist()
    scanned = {row["path"]: row for row in rows(reports[0])}
    assert len(theirs) == 11
    known = {row["path"]: row for row in mine}
    for row in theirs:
        assert row["vector"] == pytest.approx(known[row["path"]]["vector"], abs=0.05)
        assert row["verdict"] == scanned[row["path"]]["verdict"]
        assert row["label"] is None


def test_a_list_of_labels_is_no_report(tmp_path: pathlib.Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\na.jpg,real\n")
    (tmp_path / "report.csv").write_text("path,p_fake\n")
    assert not is_report(str(tmp_path / "labels.csv"))
    assert is_report(str(tmp_path / "report.csv"))
    assert not is_report(str(tmp_path))


ROW = {
    "path": "a",
    "status": "ok",
    "face": 1,
    "x1": 1,
    "y1": 1,
    "x2": 2,
    "y2": 2,
    "verdict": "flagged",
    "sha256": "0",
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"rows": 3}',
        '{"rows": [{"path": "a"}]}',
        "\udcff",
        json.dumps({"rows": [ROW | {"x2": 0}]}),
        json.dumps({"rows": [ROW | {"x1": "nan"}]}),
        json.dumps({"rows": [ROW | {"path": None}]}),
    ],
)
def test_a_broken_report_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match=r"r\.json"):
        read_report(str(tmp_path / "r.json"))


def test_a_report_without_a_face_has_nothing_to_show(tmp_path: pathlib.Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"rows": [ROW | {"face": None}]}))
    with pytest.raises(NothingToDo, match="no face"):
        read_report(str(tmp_path / "r.json"))


CSV = "path,status,face,x1,y1,x2,y2,verdict,sha256\n"


def test_a_csv_report_gives_names_back_exactly(tmp_path: pathlib.Path) -> None:
    cells = ("'=a.jpg", "''b.jpg", "NA", "1e3", r"\xff\\.jpg", "é.jpg")
    lines = [f"{cell},ok,1,1.25,1,2,2,flagged,0\n" for cell in cells]
    (tmp_path / "r.csv").write_text(CSV + "".join(lines) + "plain.jpg,no_face,,,,,,,1\n")
    found = read_report(str(tmp_path / "r.csv"))
    assert [item.path for item in found] == [
        *("=a.jpg", "'b.jpg", "NA", "1e3", "\udcff\\.jpg", "é.jpg"),
    ]
    assert {(number, face.box) for item in found for number, face in item.faces} == {
        (1, Box(1.25, 1, 2, 2))
    }


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl"])
def test_every_format_of_a_report_gives_names_back_exactly(
    ending: str, tmp_path: pathlib.Path
) -> None:
    names = ("=a.jpg", r"\xff\\.jpg", "\udcff.jpg", "zero\u200dwidth.jpg", "Фото.jpg", "a\n.jpg")
    writer = writer_for(ReportTarget("r", ending, bom=True), RowFacts("run1", "m", "a" * 64))
    rows_of_all = [writer.rows(report(0.9, name=name)) for name in names]
    text = "".join([writer.start({}), *rows_of_all, writer.end({})])
    (tmp_path / f"r.{ending}").write_text(text, encoding="utf-8")
    assert is_report(str(tmp_path / f"r.{ending}"))
    found = read_report(str(tmp_path / f"r.{ending}"))
    assert [item.path for item in found] == [f"in/{name}" for name in names]


def test_the_faces_of_an_image_stay_together(tmp_path: pathlib.Path) -> None:
    found = [ROW | {"face": n, "path": name} for n, name in ((1, "b"), (2, "b"), (1, "a"))]
    (tmp_path / "r.jsonl").write_text("\n".join([*map(json.dumps, found), '{"run": {}}']))
    images = read_report(str(tmp_path / "r.jsonl"))
    assert [(one.path, [number for number, _ in one.faces]) for one in images] == [
        ("b", [1, 2]),
        ("a", [1]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "path,p_fake\na.jpg,0.5\n",
        CSV + "a.jpg,ok,1,1,1,2,2,flagged,0,more\n",
        CSV + "a.jpg,ok,1,1,1,2,2,flagged,0\n" * 2 + "a.jpg,ok,1,1,1,2,2,flagged,0,more\n",
        CSV + "a.jpg,ok,1,1,1,2\n",
        CSV + "a.jpg,ok,one,1,1,2,2,flagged,0\n",
        CSV + "\udcff,ok,1,1,1,2,2,flagged,0\n",
    ],
)
def test_a_broken_csv_report_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "r.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match=r"r\.csv"):
        read_report(str(tmp_path / "r.csv"))


def test_a_csv_report_of_a_header_alone_has_nothing_to_show(tmp_path: pathlib.Path) -> None:
    (tmp_path / "r.csv").write_text(CSV)
    with pytest.raises(NothingToDo, match="no face"):
        read_report(str(tmp_path / "r.csv"))


@pytest.mark.parametrize("where", ["", "/gone/"])
def test_a_report_whose_images_are_elsewhere_says_so(tmp_path: pathlib.Path, where: str) -> None:
    found = [ROW | {"path": f"{where}photos/{name}.jpg"} for name in "aab"]
    (tmp_path / "r.json").write_text(json.dumps({"rows": found}))
    done = CliRunner().invoke(
        app, ["embed", str(tmp_path / "r.json"), "--out", str(tmp_path / "m.png"), "--model", "no"]
    )
    assert done.exit_code == ExitCode.NOTHING_TO_DO, done.output
    said = " ".join(done.stderr.split())
    assert "r.json: 3 faces in it, but none of their 2 images is there" in said
    assert f"such as {where}photos/a.jpg; " in said
    assert ("run it in the folder where the scan ran" in said) == (not where)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--out", "m.png", "--colour", "label"], "a report knows verdicts alone"),
        (["--out", "m.png", "--colour", "group"], "a report knows verdicts alone"),
        (["--out", "m.png", "--faces-only"], "not with a report"),
        (["--out", "m.png", "--out", "./m.png"], "two --out name the same file"),
    ],
)
def test_flags_that_do_nothing_for_a_report_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.json").write_text(json.dumps({"rows": [ROW]}))
    done = CliRunner().invoke(app, ["embed", "r.json", *flags])
    assert (done.exit_code, words in " ".join(done.stderr.split())) == (ExitCode.USAGE, True)


def test_images_that_are_all_others_now_are_told_of(tmp_path: pathlib.Path) -> None:
    shutil.copy(PHOTOS / "official_000.jpg", tmp_path / "a.jpg")
    row = ROW | {"path": str(tmp_path / "a.jpg"), "sha256": "0" * 64}
    (tmp_path / "r.json").write_text(json.dumps({"rows": [row]}))
    done = fakeface("embed", tmp_path / "r.json", "--out", tmp_path / "m.png", "--device", "cpu")
    assert done.returncode == ExitCode.NOTHING_TO_DO, done.stderr
    assert "a.jpg: the file is not the one that was scanned" in done.stderr
    assert "no face could be taken" in done.stderr


def test_an_output_that_cannot_work_is_refused_first(tmp_path: pathlib.Path) -> None:
    done = fakeface("embed", PHOTOS, "--out", "map.gif", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "--out" in done.stderr


@pytest.mark.parametrize(
    ("flags", "hidden", "code", "words"),
    [
        (["--out", "a.png", "--projection", "umap"], "umap", ExitCode.USAGE, "[umap]"),
        (["--out", "folder.png"], "", ExitCode.CANNOT_WRITE, "it is a folder"),
    ],
)
def test_what_is_missing_is_said_before_any_face_is_looked_at(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    hidden: str,
    code: ExitCode,
    words: str,
) -> None:
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    if hidden == "umap":
        monkeypatch.setattr(vectors, "_has_umap", lambda: False)
    # no such data and no such model: whatever is said first was found out before them
    done = CliRunner().invoke(app, ["embed", "no-data", "--model", "no-model", *flags])
    assert done.exit_code == code, done.output
    assert words in " ".join(done.stderr.split())
