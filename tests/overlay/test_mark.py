"""An overlay is known again by the comment in it, and nothing else is taken for one."""

import os
import pathlib

import pytest
from PIL import Image, PngImagePlugin

from fakefacecli.overlay.mark import is_marked, save_marked
from fakefacecli.overlay.writer import OverlayWriter

PICTURE = Image.new("RGB", (40, 20), (10, 200, 30))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_overlay_is_known_again_by_its_comment(kind: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "overlay"
    with open(path, "wb") as handle:
        save_marked(PICTURE, handle, kind)
    assert is_marked(str(path))
    with Image.open(path) as picture:
        comment = picture.info["comment" if kind == "JPEG" else "Comment"]
        assert comment in ("fakeface overlay", b"fakeface overlay")


def test_the_overlays_of_a_scan_are_known_again_as_well(tmp_path: pathlib.Path) -> None:
    OverlayWriter(str(tmp_path)).write("a.jpg.face1.jpg", PICTURE)
    assert is_marked(os.path.join(tmp_path, "a.jpg.face1.jpg"))


def test_other_files_are_no_overlays(tmp_path: pathlib.Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "not a fakeface overlay")
    PICTURE.save(tmp_path / "a.png", pnginfo=text)
    PICTURE.save(tmp_path / "b.jpg", comment="fakeface overlay?")
    PICTURE.save(tmp_path / "c.jpg")
    (tmp_path / "d.jpg").write_bytes(b"")
    (tmp_path / "e.jpg").write_bytes(b"fakeface overlay")
    assert not any(is_marked(str(path)) for path in tmp_path.iterdir())
