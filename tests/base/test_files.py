import contextlib
import os
import pathlib
import stat

import pytest

from fakefacecli.base import files
from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.files import atomic_write, make_folders, sweep


def test_a_file_is_replaced_only_when_all_went_well(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(str(target), "w") as handle:
        handle.write("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    with atomic_write(str(target), "w") as handle:
        handle.write("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_the_longest_name_a_file_can_have_is_written(tmp_path: pathlib.Path) -> None:
    target = tmp_path / ("x" * 255)
    with atomic_write(str(target)) as handle:
        handle.write(b"1")
    assert target.read_bytes() == b"1"


def test_a_folder_in_the_way_is_told_by_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with (
        pytest.raises(CannotWrite, match=r"out\.csv: is a directory"),
        atomic_write(str(tmp_path / "out.csv")) as handle,
    ):
        handle.write(b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_planted_link_is_not_followed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "0" * 2 * count)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    with atomic_write(str(tmp_path / "out.csv")) as handle:
        (planted,) = (path for path in tmp_path.iterdir() if path != precious)
        handle.write(b"1")
    planted.symlink_to(precious)
    with (
        pytest.raises(CannotWrite, match="exists"),
        atomic_write(str(tmp_path / "out.csv")) as handle,
    ):
        handle.write(b"2")
    assert precious.read_text() == "precious"
    assert (tmp_path / "out.csv").read_bytes() == b"1"


def mode_of(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_obeys_the_umask_and_a_replaced_one_keeps_its_mode(
    tmp_path: pathlib.Path,
) -> None:
    target = tmp_path / "out.csv"
    before = os.umask(0o027)
    try:
        with atomic_write(str(target)):
            pass
        assert mode_of(target) == 0o640
        for mode in (0o600, 0o664):
            target.chmod(mode)
            with atomic_write(str(target)):
                assert {mode_of(path) for path in tmp_path.iterdir()} == {mode}
            assert mode_of(target) == mode
        with atomic_write(str(tmp_path / "private"), most=0o600):
            pass
        assert mode_of(tmp_path / "private") == 0o600
    finally:
        os.umask(before)


def test_what_killed_runs_left_is_swept_up_and_nothing_else(tmp_path: pathlib.Path) -> None:
    names = []
    for name in ("out.csv", "out.csv", "other.csv"):
        with contextlib.suppress(ZeroDivisionError), atomic_write(str(tmp_path / name)):
            names += [path.name for path in tmp_path.iterdir()]
            raise ZeroDivisionError
    for name in [*names, "out.csv", ".fakeface-notes"]:
        (tmp_path / name).write_text("")
    sweep(str(tmp_path / "out.csv"))
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", ".fakeface-notes", names[-1]}


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "pipe"])
def test_folders_are_made_but_no_link_is_followed(tmp_path: pathlib.Path, kind: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    inner = make_folders(str(tmp_path / "new" / "copies"), ["a", "b"])
    assert inner == str(tmp_path / "new" / "copies" / "a" / "b")
    place = tmp_path / "new" / "copies" / "x"
    if kind == "file":
        place.write_text("")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    with pytest.raises(NotADirectoryError):
        make_folders(str(tmp_path / "new" / "copies"), ["x", "y"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
