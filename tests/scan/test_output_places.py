"""What lies where the output should go: it is not opened, followed or written over."""

import os
import pathlib
import resource

import pytest

from fakefacecli.base.errors import ExitCode
from tests.builders import PHOTO, ROOT, put
from tests.command import fakeface, rows


def plant(place: pathlib.Path, kind: str, precious: pathlib.Path) -> None:
    precious.write_text("precious")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(precious)


@pytest.mark.parametrize("name", ["out.csv", "out.csv.lock", "out.csv.journal"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_planted_beside_the_report_is_not_opened(
    tmp_path: pathlib.Path, name: str, kind: str
) -> None:
    plant(tmp_path / name, kind, tmp_path / "precious")
    for more in ((), ("--resume",)):
        done = fakeface("scan", PHOTO, "--report", tmp_path / "out.csv", *more, timeout=60)
        assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "precious").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {name, "precious"}


def test_of_two_reports_none_is_replaced_when_one_has_no_room(tmp_path: pathlib.Path) -> None:
    for name in ("a.csv", "b.json"):
        (tmp_path / name).write_text("the previous report")
    for index in range(4):
        put(tmp_path / "in" / f"{index}.jpg")
    done = fakeface(
        *("scan", tmp_path / "in", "--report", tmp_path / "a.csv"),
        *("--report", tmp_path / "b.json"),
        # room for the journal and the shorter report
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
    )
    assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
    assert "b.json: file too large" in done.stderr
    assert (tmp_path / "a.csv").read_text() == "the previous report"
    assert (tmp_path / "b.json").read_text() == "the previous report"
    again = fakeface(
        *("scan", tmp_path / "in", "--report", tmp_path / "a.csv"),
        *("--report", tmp_path / "b.json", "--resume"),
    )
    assert again.returncode == ExitCode.COMPLETE
    assert "4  of them finished before" in " ".join(again.stderr.split(" " * 1))
    assert len(rows(tmp_path / "a.csv")) == 4


SHARED_PLACES = {
    "overlays over the inputs": ("--overlays", "{}"),
    "overlays above the inputs": ("--overlays", "{}/.."),
    "copies over the inputs": ("--copy-flagged", "{}"),
    "overlays beside an input file": ("--overlays", "{}", "{}/a.jpg"),
    "copies beside an input file": ("--copy-flagged", "{}", "{}/a.jpg"),
    "overlays above an input file": ("--overlays", "{}/..", "{}/a.jpg"),
    "a report among the copies": ("--copy-flagged", "out", "--report", "out/out.csv"),
    "overlays among the copies": ("--copy-flagged", "out", "--overlays", "out/overlays"),
    "copies among the overlays": ("--overlays", "out", "--copy-flagged", "out"),
}


@pytest.mark.parametrize("kind", SHARED_PLACES)
def test_no_output_can_take_an_inputs_or_a_reports_place(tmp_path: pathlib.Path, kind: str) -> None:
    put(tmp_path / "in" / "a.jpg")
    (tmp_path / "out").mkdir()
    flags = [flag.replace("{}", str(tmp_path / "in")) for flag in SHARED_PLACES[kind]]
    inputs = () if flags[-1].endswith("a.jpg") else (tmp_path / "in",)
    done = fakeface("scan", *inputs, *flags, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert done.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "out", "a.jpg"}


COLLIDING = {
    "overlays and report": ("--overlays", "a.csv", "--report", "a.csv"),
    "copies and report": ("--copy-flagged", "./b.csv", "--report", "b.csv"),
    "overlays below the report": ("--overlays", "c.csv/sub", "--report", "c.csv"),
    "overlays and journal": ("--overlays", "d.csv.journal", "--report", "d.csv"),
    "copies and lock": ("--copy-flagged", "e.csv.lock", "--report", "e.csv"),
    "overlays and state": ("--overlays", "f.db", "--state", "f.db"),
    "overlays and the state's lock": ("--overlays", "g.db.lock", "--state", "g.db"),
    "copies below the state": ("--copy-flagged", "h.db/deep/er", "--state", "h.db"),
    "copies and SQLite's log": ("--copy-flagged", "i.db-wal", "--state", "i.db"),
    "overlays and the second report": (
        "--overlays",
        "j.json",
        "--report",
        "-",
        "--report",
        "j.json",
    ),
}


@pytest.mark.parametrize("kind", COLLIDING)
def test_a_folder_where_a_file_has_to_be_is_refused_before_anything_is_scored(
    tmp_path: pathlib.Path, kind: str
) -> None:
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    (tmp_path / "out").mkdir()
    flags = COLLIDING[kind]
    for more in ((), ("--dry-run",)):
        done = fakeface("scan", PHOTO, *flags, *more, cwd=tmp_path / "out", env=env)
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert done.stderr.count("\n") == 1
        for words in (flags[0], flags[1], flags[2], flags[-1]):
            assert words in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
