import dataclasses
import hashlib
import os
import pathlib
import stat

import pytest

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.records import FileFacts, ImageRef
from fakefacecli.base.verdicts import Label, Status
from fakefacecli.scan.keep import FlaggedKeeper
from tests import builders

DATA = b"a picture"


def flagged(folder: pathlib.Path, name: str, data: bytes = DATA) -> ImageReport:
    """The report on an image `name`, whose bytes lie in `folder` under another name."""
    path = folder / "source"
    path.write_bytes(data)
    facts = FileFacts(hashlib.sha256(DATA).hexdigest(), len(DATA), 1, "JPEG")
    return ImageReport(
        ImageRef(0, str(path), name), Status.OK, facts=facts, findings=(builders.finding(0.95),)
    )


def kept(folder: pathlib.Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    )


def test_a_copy_lies_where_its_image_does_byte_for_byte(tmp_path: pathlib.Path) -> None:
    report = flagged(tmp_path, "sub/deep/a.jpg")
    assert report.label is Label.FLAGGED
    FlaggedKeeper(str(tmp_path / "copies")).keep(report)
    assert (tmp_path / "copies/sub/deep/a.jpg").read_bytes() == DATA


@pytest.mark.parametrize("now", ["changed", "longer", "gone", "pipe", "endless"])
def test_what_is_no_longer_what_was_judged_is_not_copied(tmp_path: pathlib.Path, now: str) -> None:
    report = flagged(tmp_path, "a.jpg")
    path = tmp_path / "source"
    path.unlink()
    if now in ("changed", "longer"):
        path.write_bytes(b"a pictura" if now == "changed" else DATA + b"!")
    elif now == "pipe":
        os.mkfifo(path)
    elif now == "endless":
        path.symlink_to("/dev/zero")
    keeper = FlaggedKeeper(str(tmp_path / "copies"))
    keeper.keep(report)
    assert keeper.missed == 1
    assert kept(tmp_path / "copies") == []


def test_a_picture_that_only_its_owner_may_see_stays_one(tmp_path: pathlib.Path) -> None:
    report = flagged(tmp_path, "a.jpg")
    (tmp_path / "source").chmod(0o600)
    FlaggedKeeper(str(tmp_path / "copies")).keep(report)
    assert stat.S_IMODE((tmp_path / "copies/a.jpg").stat().st_mode) == 0o600


def test_paths_beyond_what_the_system_takes_become_one_name_each(tmp_path: pathlib.Path) -> None:
    keeper = FlaggedKeeper(str(tmp_path / "copies"))
    deep = "/".join(["x" * 200] * 18)
    names = [f"{deep}/a.jpg", f"{deep}/b/a.jpg", f"{deep}/a.png", "n" * 251 + ".jpg", "short.jpg"]
    for name in names:
        keeper.keep(flagged(tmp_path, name))
    found = kept(tmp_path / "copies")
    assert len(found) == len(names)
    assert {os.path.splitext(name)[1] for name in found} == {".jpg", ".png"}
    stranger = next(name for name in found if name.startswith("a~"))
    keeper.keep(flagged(tmp_path, stranger))  # a file that is called like such a copy
    assert len(kept(tmp_path / "copies")) == len(names) + 1


def test_yesterdays_copy_in_the_way_costs_neither(tmp_path: pathlib.Path) -> None:
    keeper = FlaggedKeeper(str(tmp_path / "copies"))
    for name in ("a", "b/c.jpg"):
        keeper.keep(flagged(tmp_path, name))
    for name in ("a/x.jpg", "a/y/x.jpg", "b"):  # a file became a folder, a folder a file
        keeper.keep(flagged(tmp_path, name))
        keeper.keep(flagged(tmp_path, name))
    found = kept(tmp_path / "copies")
    assert len(found) == 5
    assert {"a", "b/c.jpg"} < set(found)


def another(folder: pathlib.Path, name: str, data: bytes) -> ImageReport:
    """The report on an image of other bytes that also has the name `name`."""
    report = flagged(folder, name, data)
    facts = FileFacts(hashlib.sha256(data).hexdigest(), len(data), 1, "JPEG")
    return dataclasses.replace(report, facts=facts)


@pytest.mark.parametrize("name", ["sub/a.jpg", "a", "n" * 251 + ".jpg", "/".join(["d" * 200] * 12)])
def test_a_file_of_the_copys_name_is_never_replaced(tmp_path: pathlib.Path, name: str) -> None:
    copies = tmp_path / "copies"
    keeper = FlaggedKeeper(str(copies))
    pictures = [b"one", b"two", b"a longer one"]
    for data in pictures * 2:
        keeper.keep(another(tmp_path, name, data))
    found = {(copies / path).read_bytes(): path for path in kept(copies)}
    assert found.keys() == set(pictures)
    assert len(kept(copies)) == len(pictures)
    for data in pictures[1:]:
        assert f".{hashlib.sha256(data).hexdigest()[:8]}" in found[data]


def test_names_that_somebody_took_on_purpose_end_no_run(tmp_path: pathlib.Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    digest = hashlib.sha256(DATA).hexdigest()
    for name in ("a.jpg", f"a.{digest[:8]}.jpg"):
        (copies / name).write_bytes(b"foreign")
        (copies / name).chmod(0)
    FlaggedKeeper(str(copies)).keep(flagged(tmp_path, "a.jpg"))
    assert (copies / f"a.{digest}.jpg").read_bytes() == DATA
    (copies / f"a.{digest}.jpg").write_bytes(b"foreign")
    with pytest.raises(CannotWrite, match="another file has this name"):
        FlaggedKeeper(str(copies)).keep(flagged(tmp_path, "a.jpg"))


def test_a_copy_that_lies_there_is_left_as_it_is(tmp_path: pathlib.Path) -> None:
    keeper = FlaggedKeeper(str(tmp_path / "copies"))
    keeper.keep(flagged(tmp_path, "a.jpg"))
    os.utime(tmp_path / "copies" / "a.jpg", ns=(1, 1))
    keeper.keep(flagged(tmp_path, "a.jpg"))
    assert (tmp_path / "copies" / "a.jpg").stat().st_mtime_ns == 1
    assert kept(tmp_path / "copies") == ["a.jpg"]


@pytest.mark.parametrize("to", ["elsewhere", "nowhere"])
def test_a_link_among_the_folders_is_refused(tmp_path: pathlib.Path, to: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "sub").symlink_to(tmp_path / to)
    with pytest.raises(CannotWrite, match="a link"):
        FlaggedKeeper(str(tmp_path / "copies")).keep(flagged(tmp_path, "sub/x/a.jpg"))
    assert kept(tmp_path / "elsewhere") == []


def test_a_link_in_a_copys_own_place_is_replaced_and_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "a.jpg").symlink_to(tmp_path / "precious")
    FlaggedKeeper(str(tmp_path / "copies")).keep(flagged(tmp_path, "a.jpg"))
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "copies" / "a.jpg").read_bytes() == DATA
