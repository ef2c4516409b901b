"""Overlays are whole files, written into their own folder and through no link."""

import errno
import os
from typing import IO

import pytest
from PIL import Image

from fakefacecli.base.errors import CannotWrite
from fakefacecli.overlay.writer import OverlayWriter, overlay_name
from tests.overlay.test_names import SHA256, ref_of


@pytest.mark.parametrize("name", ["a.jpg", "写真/deep/er/é.png", "\udcff/\udcfe.jpg", "x" * 255])
def test_an_overlay_is_written_as_a_jpeg_and_nothing_beside_it(tmp_path, name: str) -> None:
    folder = str(tmp_path / "new" / "overlays")
    path = overlay_name(ref_of(name), 1, SHA256)
    OverlayWriter(folder).write(path, Image.new("RGB", (20, 10), (200, 0, 0)))
    target = os.path.join(folder, *path.split("/"))
    assert os.listdir(os.path.dirname(target)) == [os.path.basename(target)]
    with Image.open(target) as written:
        assert (written.format, written.size) == ("JPEG", (20, 10))
        assert written.layer[0][1:3] == (1, 1)  # no chroma subsampling: red text stays sharp
        assert written.getpixel((10, 5))[0] > 190


@pytest.mark.parametrize("link_to", ["outside", "elsewhere that does not exist"])
def test_a_link_among_the_folders_is_refused(tmp_path, link_to: str) -> None:
    overlays, outside = tmp_path / "overlays", tmp_path / "outside"
    overlays.mkdir()
    outside.mkdir()
    (overlays / "sub").symlink_to(tmp_path / link_to)
    with pytest.raises(CannotWrite, match="sub is not a folder of its own"):
        OverlayWriter(str(overlays)).write("sub/a.jpg.face1.jpg", Image.new("RGB", (1, 1)))
    with pytest.raises(CannotWrite):
        OverlayWriter(str(overlays)).write("sub/x/a.jpg.face1.jpg", Image.new("RGB", (1, 1)))
    assert os.listdir(outside) == []


def test_a_link_in_the_overlays_own_place_is_replaced_and_not_followed(tmp_path) -> None:
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"precious")
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    (overlays / "a.jpg.face1.jpg").symlink_to(precious)
    OverlayWriter(str(overlays)).write("a.jpg.face1.jpg", Image.new("RGB", (1, 1)))
    assert precious.read_bytes() == b"precious"
    assert not (overlays / "a.jpg.face1.jpg").is_symlink()


def test_an_overlays_folder_that_is_a_link_is_the_users_choice(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "overlays").symlink_to(tmp_path / "disk")
    OverlayWriter(str(tmp_path / "overlays")).write("s/a.jpg", Image.new("RGB", (1, 1)))
    assert (tmp_path / "disk" / "s" / "a.jpg").is_file()


def test_a_file_in_a_folders_place_cannot_be_written_through(tmp_path) -> None:
    (tmp_path / "sub").write_bytes(b"file")
    with pytest.raises(CannotWrite):
        OverlayWriter(str(tmp_path)).write("sub/a.jpg", Image.new("RGB", (1, 1)))
    with pytest.raises(CannotWrite):
        OverlayWriter(str(tmp_path / "sub")).write("a.jpg", Image.new("RGB", (1, 1)))
    assert (tmp_path / "sub").read_bytes() == b"file"


class HalfSaved(Image.Image):
    """A picture whose encoder meets a full disk."""

    def save(self, handle: IO[bytes], *how: object, **more: object) -> None:
        handle.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_overlay_and_no_part(tmp_path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"old")
    with pytest.raises(CannotWrite, match="no space left"):
        OverlayWriter(str(tmp_path)).write("a.jpg", HalfSaved())
    assert os.listdir(tmp_path) == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
