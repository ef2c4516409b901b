import base64
import io
import os
import pathlib
import struct
import zlib

import pytest
from PIL import Image

from fakefacecli.reports.page_data import gather
from fakefacecli.reports.page_pictures import MOST_CHARS, SIZES, Pictures, read_pictures
from tests.reports.made_rows import image, judged, overlay, rows_for, usual


def size_of(text: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        assert picture.format == "JPEG"
        return picture.size


def pictures_of(folder: pathlib.Path, *names: str, most_chars: int = MOST_CHARS) -> Pictures:
    faces = [image(name, judged(0.99 - n / 1000, name)) for n, name in enumerate(names)]
    return read_pictures(gather(rows_for(*faces)), str(folder), most_chars)


def test_wide_pictures_are_made_smaller_and_small_ones_stay(tmp_path: pathlib.Path) -> None:
    found = read_pictures(gather(usual(tmp_path)), str(tmp_path))
    # the surer face comes first
    assert [size_of(text) for text in found.data] == [(300, 200), (720, 595)]
    assert found.number == {1: 0, 0: 1}
    assert found.missing == {}


def test_pictures_that_do_not_fit_are_left_out_from_the_least_urgent(
    tmp_path: pathlib.Path,
) -> None:
    names = [overlay(tmp_path, f"{n}.jpg", (200, 200)) for n in range(5)]
    each = len(pictures_of(tmp_path, names[0]).data[0])
    found = pictures_of(tmp_path, *names, most_chars=each * 5 // 2)
    assert found.number == {0: 0, 1: 1}
    assert found.missing == dict.fromkeys((2, 3, 4), "left_out")
    assert found.left_out == 3


def test_many_pictures_are_made_smaller_so_that_more_of_them_fit(tmp_path: pathlib.Path) -> None:
    names = [overlay(tmp_path, f"{n}.jpg") for n in range(3)]
    widths = []
    for _, _, chars in SIZES:
        found = pictures_of(tmp_path, *names, most_chars=3 * chars)
        widths.append(size_of(found.data[0])[0])
    assert widths == [720, 560, 420]


def _bomb() -> bytes:
    """A PNG that says it has 30,000 x 30,000 pixels."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + bytes(100)
    )


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0 no", b"GIF89a" + bytes(50), _bomb(), b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_is_no_picture_of_ours_is_named_unreadable(
    tmp_path: pathlib.Path, content: bytes
) -> None:
    overlay(tmp_path, "good.jpg")
    (tmp_path / "ov" / "bad.jpg").write_bytes(content)
    found = pictures_of(tmp_path, "bad.jpg", "good.jpg")
    assert found.missing == {0: "unreadable"}
    assert found.number == {1: 0}


def test_a_picture_that_lacks_its_end_is_unreadable(tmp_path: pathlib.Path) -> None:
    whole = tmp_path / "ov" / overlay(tmp_path, "cut.jpg")
    whole.write_bytes(whole.read_bytes()[:-2000])
    assert pictures_of(tmp_path, "cut.jpg").missing == {0: "unreadable"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_pipes_folders_and_missing_files_hold_nothing_up(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ov").mkdir()
    os.mkfifo(tmp_path / "ov" / "pipe.jpg")
    (tmp_path / "ov" / "folder.jpg").mkdir()
    found = pictures_of(tmp_path, "pipe.jpg", "folder.jpg", "gone.jpg", "nul\0.jpg")
    assert found.missing == {0: "unreadable", 1: "unreadable", 2: "gone", 3: "unreadable"}


def test_a_picture_of_two_rows_is_put_in_once(tmp_path: pathlib.Path) -> None:
    found = pictures_of(tmp_path, overlay(tmp_path, "one.jpg"), "one.jpg")
    assert len(found.data) == 1
    assert found.number == {0: 0, 1: 0}
