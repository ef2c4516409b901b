"""What people have decided about faces, as labels."""

import csv
import json
import pathlib
import re

import pytest

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.text import printable
from fakefacecli.labelled.data import read_data
from fakefacecli.labelled.decisions import COLUMNS, count_unsure
from tests import builders
from tests.command import fakeface


def decided(path: pathlib.Path, *rows: tuple[object, ...]) -> str:
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        writer.writerows((*row, *[""] * (len(COLUMNS) - len(row))) for row in rows)
    return str(path)


def test_each_face_has_the_label_that_was_decided(tmp_path: pathlib.Path) -> None:
    for name in ("a.jpg", "b\\n=1.jpg"):
        builders.put(tmp_path / name)
    path = decided(
        tmp_path / "decisions.csv",
        ("a.jpg", "ab" * 32, 1, "fake", "", "2026-11-28T00:00:00Z", "m"),
        ("a.jpg", "", 2, "Real"),
        ("'" + printable("b\\n=1.jpg"), "", 1, "unsure"),
    )
    found = read_data(path)
    assert [(image.fake, image.face, image.sha256) for image in found] == [
        (True, 1, "ab" * 32),
        (False, 2, ""),
    ]
    assert count_unsure(path) == 1


def test_a_path_from_the_current_folder_is_found_too(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.put(tmp_path / "photos" / "a.jpg")
    (tmp_path / "desk").mkdir()
    path = decided(tmp_path / "desk" / "decisions.csv", ("photos/a.jpg", "", 1, "fake"))
    monkeypatch.chdir(tmp_path)
    assert read_data(path)[0].path == "photos/a.jpg"


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (("a.jpg", "", 1, "maybe"), "line 2: decision 'maybe' found"),
        (("a.jpg", "", 0, "fake"), "line 2: face '0' found"),
        (("a.jpg", "", "", "fake"), "line 2: face '' found"),
        (("gone.jpg", "", 1, "fake"), "line 2: no such file"),
    ],
)
def test_a_wrong_row_is_named(row: tuple[object, ...], wanted: str, tmp_path: pathlib.Path) -> None:
    builders.put(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match=re.escape(wanted)):
        read_data(decided(tmp_path / "decisions.csv", row))


def test_two_decisions_about_one_face_are_refused(tmp_path: pathlib.Path) -> None:
    builders.put(tmp_path / "a.jpg")
    rows = [("a.jpg", "", 1, "fake"), ("a.jpg", "", 1, "real")]
    with pytest.raises(UsageError, match=r"line 3: .* is in line 2 already; name each face once"):
        read_data(decided(tmp_path / "decisions.csv", *rows))


@pytest.mark.slow
def test_evaluate_measures_the_very_faces_that_were_decided_about(tmp_path: pathlib.Path) -> None:
    rows = []
    for name, word in (
        ("official_000", "real"),
        ("official_001", "real"),
        ("generated_002", "fake"),
    ):
        source = builders.PHOTOS / f"{name}.jpg"
        (tmp_path / f"{name}.jpg").write_bytes(source.read_bytes())
        rows.append((f"{name}.jpg", "", 1, word))
    sha256 = "0" * 64
    rows.append(("official_000.jpg", sha256, 2, "real"))  # another file than it was
    rows.append(("official_001.jpg", "", 9, "fake"))  # no such face
    rows.append(("generated_002.jpg", "", 3, "unsure"))
    path = decided(tmp_path / "decisions.csv", *rows)
    done = fakeface("evaluate", path, "--out", str(tmp_path / "out"), "--no-grid")
    assert "left out: 1 face that somebody was unsure about" in done.stderr
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (found["data"]["real"], found["data"]["fake"]) == (2, 1)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "has changed since its face was decided about" in page
    assert "face 9 was decided about, 1 found" in page
