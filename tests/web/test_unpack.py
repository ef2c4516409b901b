"""Uploaded zips: what is unpacked, under which names, and what is refused."""

import os
import pathlib
import stat
import zipfile

import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.web.unpack import Limits, unpack


def make(path: pathlib.Path, entries: dict[str, bytes]) -> pathlib.Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_names_that_lead_elsewhere_stay_in_the_folder(tmp_path: pathlib.Path) -> None:
    names = ["../../up.jpg", "/etc/abs.jpg", "a/b/c.jpg", "a\\b\\d.jpg", ".hidden.jpg", "x\n.jpg"]
    archive = make(tmp_path / "a.zip", dict.fromkeys(names, b"data"))
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    found = unpack(str(archive), str(folder), Limits())
    assert found.files == len(names)
    assert sorted(os.listdir(folder)) == sorted(
        ["up.jpg", "etc__abs.jpg", "a__b__c.jpg", "a__b__d.jpg", "hidden.jpg", "x_n.jpg"]
    )
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "in"]


def test_names_that_fall_together_are_told_apart(tmp_path: pathlib.Path) -> None:
    archive = make(tmp_path / "a.zip", {"a/b.jpg": b"1", "a__b.jpg": b"2", "A/B.jpg": b"3"})
    folder = tmp_path / "here"
    folder.mkdir()
    unpack(str(archive), str(folder), Limits())
    assert sorted(path.read_bytes() for path in folder.iterdir()) == [b"1", b"2", b"3"]
    long = make(tmp_path / "long.zip", {"é" * 200 + ".jpg": b"1", "é" * 201 + ".jpg": b"2"})
    unpack(str(long), str(folder), Limits())
    assert len(os.listdir(folder)) == 5


def test_links_are_left_out_and_counted(tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/._a.jpg", b"x")
        archive.writestr("a.jpg", b"x")
    found = unpack(str(tmp_path / "a.zip"), str(tmp_path), Limits())
    assert (found.files, dict(found.left_out)) == (
        1,
        {"links and special files": 1, "files of macOS": 1},
    )
    assert not (tmp_path / "link.jpg").exists()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(files=2), "the zip holds 3 files; wanted 2 or fewer"),
        (Limits(file_bytes=1000), "goes over the limit"),
        (Limits(all_bytes=2_500_000), "goes over the limit"),
    ],
)
def test_a_zip_over_a_limit_is_refused(tmp_path: pathlib.Path, limits: Limits, words: str) -> None:
    archive = make(tmp_path / "a.zip", {f"{n}.jpg": bytes(1_000_000) for n in range(3)})
    with pytest.raises(UsageError, match=words):
        unpack(str(archive), str(tmp_path), limits)


def test_what_is_no_sound_zip_is_refused_in_words(tmp_path: pathlib.Path) -> None:
    sound = make(tmp_path / "a.zip", {"a.jpg": os.urandom(5000), "b.jpg": b"b" * 5000}).read_bytes()
    bad = tmp_path / "bad.zip"
    folder = tmp_path / "here"
    for number, data in enumerate(
        (b"", b"PK", sound[:-30], sound[:2000] + b"\0" * 50 + sound[2050:])
    ):
        bad.write_bytes(data)
        place = folder / str(number)
        place.mkdir(parents=True)
        with pytest.raises(UsageError, match=r"no zip that can be read|cannot be unpacked"):
            unpack(str(bad), str(place), Limits())
