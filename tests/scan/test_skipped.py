"""What a scan passes over, and the pictures and documents that it does not decode."""

import codecs
import csv
import os
import pathlib
import shutil

import pytest

from fakefacecli.base.errors import CannotWrite, ExitCode
from fakefacecli.scan.skipped import SkippedList
from tests import bad_files
from tests.builders import put
from tests.command import fakeface, rows

MODEL = ("--model", "inception-resnet-v1")


def listed(path: pathlib.Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_path_that_is_passed_over_is_listed_with_its_reason(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "in"
    put(folder / "a.jpg")
    for name in ("._a.jpg", ".DS_Store", "notes.txt", "=1.txt", "old/b.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"text")
    done = fakeface(
        *("scan", folder, "--exclude", "old", *MODEL),
        *("--report", tmp_path / "r.csv", "--list-skipped", tmp_path / "skipped.csv"),
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert [row["status"] for row in rows(tmp_path / "r.csv")] == ["ok"]
    assert {row["path"]: row["reason"] for row in listed(tmp_path / "skipped.csv")} == {
        str(folder / "._a.jpg"): "companion file of macOS",
        str(folder / ".DS_Store"): "system file",
        str(folder / "notes.txt"): "not an image",
        str(folder / "=1.txt"): "not an image",
        str(folder / "old"): "excluded",
    }
    assert "5  1 companion file of macOS, 1 excluded, 2 not an image" in " ".join(
        done.stderr.replace("\n", " ").split(" ")
    )


def test_pictures_that_are_not_decoded_have_rows_whatever_they_are_called(
    tmp_path: pathlib.Path,
) -> None:
    picture = bad_files.picture(size=(32, 32))
    contents = {
        "a.jxl": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
        "b.psd": b"8BPS\0\1" + bytes(40),
        "c.ico": bad_files.saved(picture, "ICO"),
        "d": b"%PDF-1.7\n",
        "e.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "f.eps": bad_files.saved(picture, "EPS"),
        "g.dng": bad_files._raw(),
        "h.mov": b"\0\0\0\x14ftypqt  " + bytes(8),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    done = fakeface("scan", tmp_path, *MODEL, "--report", tmp_path / "r.csv")
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    found = {os.path.basename(row["path"]): row["error_code"] for row in rows(tmp_path / "r.csv")}
    assert found == dict.fromkeys(sorted(contents)[:-1], "unsupported")
    assert "1 video" in done.stderr


def test_a_list_that_cannot_work_is_refused_first(tmp_path: pathlib.Path) -> None:
    photo = put(tmp_path / "a.jpg")
    for path, code in (
        (photo, ExitCode.CANNOT_WRITE),
        (tmp_path / "nowhere" / "s.csv", ExitCode.CANNOT_WRITE),
        (tmp_path / "r.csv", ExitCode.USAGE),
        ("", ExitCode.USAGE),
    ):
        done = fakeface(
            "scan", photo, *MODEL, "--report", tmp_path / "r.csv", "--list-skipped", path
        )
        assert done.returncode == code, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg"]


def test_a_run_that_does_not_end_leaves_the_older_list(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("older")
    with SkippedList(str(path)) as skipped:
        skipped.add("a\n.txt", "not an image")
    assert path.read_text() == "older"
    with SkippedList(str(path)) as skipped:
        skipped.add("a\n.txt", "not an image")
        skipped.commit()
    assert path.read_text() == "path,reason\na\\n.txt,not an image\n"
    shutil.rmtree(tmp_path)
    with SkippedList(str(path)) as skipped, pytest.raises(CannotWrite, match=r"s\.csv"):
        skipped.commit()


def test_csv_bom_marks_every_csv_of_a_run_and_is_refused_without_one(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    names = ("r.csv", "skipped.csv", "r.json")
    csv_file, skipped, json_file = (tmp_path / name for name in names)
    flags = ("--report", csv_file, "--report", json_file, "--list-skipped", skipped, "--csv-bom")
    assert fakeface("scan", tmp_path / "in", *MODEL, *flags).returncode == ExitCode.SOME_UNREADABLE
    starts = [path.read_bytes()[:3] for path in (csv_file, skipped, json_file)]
    assert starts == [codecs.BOM_UTF8, codecs.BOM_UTF8, b"{\n "]
    done = fakeface("scan", tmp_path / "in", *MODEL, "--report", json_file, "--csv-bom")
    assert (done.returncode, done.stderr.count("\n")) == (ExitCode.USAGE, 1)
