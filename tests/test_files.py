import pathlib

import pytest

from fakefacecli.errors import CannotWrite
from fakefacecli.files import inside, whole


def test_a_file_is_replaced_only_when_all_went_well(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), whole(str(target), "w") as handle:
        handle.write("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    with whole(str(target), "w") as handle:
        handle.write("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_the_longest_name_a_file_can_have_is_written(tmp_path: pathlib.Path) -> None:
    target = tmp_path / ("x" * 255)
    with whole(str(target)) as handle:
        handle.write(b"1")
    assert target.read_bytes() == b"1"


def test_a_folder_in_the_way_is_told_by_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with (
        pytest.raises(CannotWrite, match=r"out\.csv: is a directory"),
        whole(str(tmp_path / "out.csv")) as handle,
    ):
        handle.write(b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_link_that_leads_out_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "copies").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copies" / "sub").symlink_to(tmp_path / "elsewhere")
    inside(str(tmp_path / "copies"), str(tmp_path / "copies" / "a.jpg"))
    with pytest.raises(CannotWrite, match="leads out"):
        inside(str(tmp_path / "copies"), str(tmp_path / "copies" / "sub" / "a.jpg"))
