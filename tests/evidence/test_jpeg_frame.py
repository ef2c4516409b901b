"""How a JPEG was coded is told as its encoder was asked to code it."""

import time

import pytest

from fakefacecli.evidence.jpeg_frame import jpeg_markers, read_frame
from tests.evidence.test_jpeg import jpeg, photo


@pytest.mark.parametrize(("factor", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_the_subsampling_of_chroma_is_named(factor: int, name: str) -> None:
    frame = read_frame(jpeg(photo(), subsampling=factor))
    assert frame is not None
    assert frame.sampling == name


def test_the_coding_the_scans_and_the_restart_markers_are_counted() -> None:
    plain = read_frame(jpeg(photo()))
    many = read_frame(jpeg(photo(), progressive=True, restart_marker_blocks=5))
    assert plain is not None
    assert many is not None
    assert (plain.coding, plain.scans, plain.restart, plain.bits) == ("baseline", 1, 0, 8)
    assert (many.coding, many.restart) == ("progressive", 5)
    assert many.scans > 5
    assert (plain.width, plain.height, plain.components) == (96, 96, 3)


def test_a_grey_picture_has_no_subsampling() -> None:
    frame = read_frame(jpeg(photo().convert("L")))
    assert frame is not None
    assert (frame.components, frame.sampling) == (1, "")


def test_every_marker_up_to_the_end_is_listed_and_none_behind_it() -> None:
    data = jpeg(photo(), progressive=True)
    markers = list(jpeg_markers(data + jpeg(photo())))
    assert markers[0].name == "APP0"
    assert (markers[-1].name, markers[-1].end) == ("EOI", len(data))
    ends = [marker.end for marker in markers[:-1]]
    assert ends == [marker.start for marker in markers[1:]]


@pytest.mark.parametrize("keep", range(0, 800, 37))
def test_a_file_that_is_cut_anywhere_is_walked_to_its_end(keep: int) -> None:
    data = jpeg(photo())[:keep]
    assert all(marker.end <= len(data) for marker in jpeg_markers(data))
    read_frame(data)


@pytest.mark.parametrize("part", [b"\xff\xda\0\2", b"\xff\xfe\0\2", b"\xff", b"\xff\xd0"])
def test_a_file_of_a_million_parts_takes_no_quadratic_time(part: bytes) -> None:
    began = time.process_time()
    assert len(list(jpeg_markers(b"\xff\xd8" + part * 1_000_000))) <= 100_000
    assert time.process_time() - began < 10
