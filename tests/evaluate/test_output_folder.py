"""The folder of an evaluation: never of two at once, never without what it had for nothing."""

import os
import pathlib

import pytest

from fakefacecli.base.errors import CannotWrite, ExitCode
from fakefacecli.evaluate.output_folder import check_place, filled
from tests.builders import PHOTOS
from tests.command import fakeface

OLD = (
    *("evaluation.json", "index.html", "scores.csv", "plots/confusion.png", "plots/roc.png"),
    "mistakes/false-alarm-01.jpg",
)
THEIRS = ("plots/mine.png", "mistakes/notes.txt", "mistakes/false-alarm-1.png")


@pytest.fixture
def out(tmp_path: pathlib.Path) -> pathlib.Path:
    """An earlier evaluation, with files of its reader's among the pictures."""
    for name in (*OLD, *THEIRS):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("old")
    return tmp_path / "out"


def files(folder: pathlib.Path) -> dict[str, str]:
    """What lies there, by its name below `folder`."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_run_that_is_refused_leaves_the_earlier_evaluation_whole(out: pathlib.Path) -> None:
    before = files(out)
    done = fakeface("evaluate", PHOTOS, "--model", "typo.safetensors", "--out", out)
    assert done.returncode != ExitCode.COMPLETE
    (out.parent / "set" / "real").mkdir(parents=True)
    (out.parent / "set" / "real" / "a.jpg").write_bytes(b"no picture")
    done = fakeface("evaluate", out.parent / "set", "--model", "typo.safetensors", "--out", out)
    assert done.returncode == ExitCode.MODEL_REFUSED, done.stderr
    assert files(out) == before


def test_what_is_not_written_anew_goes_and_what_is_not_ours_stays(out: pathlib.Path) -> None:
    with filled(str(out), b"new") as place:
        place.put("index.html", b"new")
        place.put("plots/roc.png", b"new")
    new = dict.fromkeys(("evaluation.json", "index.html", "plots/roc.png"), "new")
    assert files(out) == new | dict.fromkeys(THEIRS, "old")


def test_an_interrupted_filling_leaves_no_result(out: pathlib.Path) -> None:
    def interrupted() -> None:
        with filled(str(out), b"new") as place:
            place.put("index.html", b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "evaluation.json" not in files(out)
    check_place(str(out))  # and may be filled again


def test_a_place_that_cannot_be_is_refused_and_nothing_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "plots").symlink_to(tmp_path)
    for name in ("file", "file/deep/out", "other", "linked"):
        with pytest.raises(CannotWrite, match=name.split("/", maxsplit=1)[0]):
            check_place(str(tmp_path / name))
    check_place(str(tmp_path / "new" / "out"))
    assert sorted(os.listdir(tmp_path)) == ["file", "linked", "other"]
