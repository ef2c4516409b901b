"""Overlays have names that stay apart and inside their folder."""

import os

import pytest
from PIL import Image

from fakefacecli.base.records import (
    ImageRef,
)
from fakefacecli.overlay.writer import OverlayWriter, overlay_name

SHA256 = "3fa1b2c4" + "5" * 56


def ref_of(name: str) -> ImageRef:
    return ImageRef(0, "/photos/" + name, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg.3fa1b2c4.face2.jpg"),
        ("sub/a.jpg", "sub/a.jpg.3fa1b2c4.face2.jpg"),
        ("sub/a", "sub/a.3fa1b2c4.face2.jpg"),
        ("写真/é.png", "写真/é.png.3fa1b2c4.face2.jpg"),
        ("\udcff.jpg", "\udcff.jpg.3fa1b2c4.face2.jpg"),
        ("..a/...", "..a/....3fa1b2c4.face2.jpg"),
        ("a.jpg.face2.jpg/b.jpg", "a.jpg.face2.jpg~/b.jpg.3fa1b2c4.face2.jpg"),
    ],
)
def test_an_overlay_is_called_after_its_photograph(name: str, expected: str) -> None:
    assert overlay_name(ref_of(name), 2, SHA256) == expected


def test_an_overlay_of_unknown_bytes_has_no_digits() -> None:
    assert overlay_name(ref_of("sub/a.jpg"), 2, None) == "sub/a.jpg.face2.jpg"


@pytest.mark.parametrize("name", ["a.jpg", "x" * 255, "/".join(["y" * 200] * 11)])
def test_other_bytes_under_the_same_name_give_another_overlay(name: str) -> None:
    one, other = (overlay_name(ref_of(name), 1, sha256) for sha256 in (SHA256, "0" * 64))
    assert one != other
    assert one == overlay_name(ref_of(name), 1, SHA256)
    assert max(len(part) for part in one.split("/")) <= 255


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../a.jpg", "a/../../b.jpg", "..", ".", "./a.jpg", "a//b", "a/", "a\0b"],
)
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="stays in its folder"):
        overlay_name(ref_of(name), 1, SHA256)
    with pytest.raises(ValueError, match="stays in its folder"):
        OverlayWriter("somewhere").write(name, Image.new("RGB", (1, 1)))


def test_a_face_number_counts_from_1() -> None:
    with pytest.raises(ValueError, match="face number 0"):
        overlay_name(ref_of("a.jpg"), 0, SHA256)


def test_no_two_faces_share_a_path_and_no_overlay_takes_a_folders() -> None:
    long = "x" * 251 + ".jpg"
    cut = overlay_name(ref_of(long), 1, SHA256).removesuffix(".3fa1b2c4.face1.jpg")
    drawn = "a.jpg.3fa1b2c4.face1.jpg"
    names = ["a.jpg", "a.png", "a", drawn, f"{drawn}.3fa1b2c4.face1.jpg", "A.jpg"]
    names += [f"{name}/b" for name in names] + [f"{drawn}~/b", f"{drawn}~~/b"]
    names += [long, "x" * 250 + "y.jpg", cut, f"{cut}/b", f"{cut}.3fa1b2c4.face1.jpg/b"]
    paths = [overlay_name(ref_of(name), number, SHA256) for name in names for number in (1, 2, 11)]
    assert len(set(paths)) == len(paths)
    folders = {os.path.dirname(path) for path in paths}
    assert not folders & set(paths)


@pytest.mark.parametrize("char", ["x", "写", "\U0001f600", "\udcff"])
def test_a_name_without_room_for_its_ending_is_cut_and_hashed(char: str) -> None:
    name = char * (255 // len(os.fsencode(char)))
    path = overlay_name(ref_of(f"sub/{name}"), 3, SHA256)
    assert path == overlay_name(ref_of(f"sub/{name}"), 3, SHA256)
    folder, last = path.split("/")
    assert folder == "sub"
    assert 250 <= len(os.fsencode(last)) <= 255
    assert last.startswith(char * 10)
    assert last.endswith(".3fa1b2c4.face3.jpg")
    assert os.fsdecode(os.fsencode(last)) == last
