"""Files that end early: nearly whole ones are judged, and said to be incomplete."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
from fakefacecli.base.verdicts import Caveat, ErrorCode
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.pool import WorkerDecoder
from tests import bad_files
from tests.decode.test_image import decoded, refused

WIDE = bad_files.picture(size=(320, 400))
KINDS: dict[str, tuple[str, dict[str, Any], Image.Image]] = {
    "baseline": ("JPEG", {"quality": 90}, WIDE),
    "no subsampling": ("JPEG", {"quality": 90, "subsampling": 0}, WIDE),
    "grey": ("JPEG", {"quality": 90}, WIDE.convert("L")),
    "inks": ("JPEG", {"quality": 90}, WIDE.convert("CMYK")),
    "restarts": ("JPEG", {"quality": 90, "restart_marker_rows": 1}, WIDE),
    "many restarts": ("JPEG", {"quality": 90, "restart_marker_blocks": 3}, WIDE),
    "png": ("PNG", {}, WIDE),
    "indexed png": ("PNG", {}, WIDE.quantize(200)),
    "gif": ("GIF", {}, WIDE.quantize(200)),
    "bmp": ("BMP", {}, WIDE),
    "lossy webp": ("WEBP", {"quality": 95}, WIDE),
    "lossless webp": ("WEBP", {"lossless": True}, WIDE),
}


def whole(kind: str) -> bytes:
    name, how, image = KINDS[kind]
    return bad_files.saved(image, name, **how)


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_its_last_rows_is_judged_and_said_to_be_incomplete(
    kind: str, tmp_path: Path
) -> None:
    data = whole(kind)
    wanted = decoded(data, tmp_path)
    assert wanted.caveats == ()
    answer = decoded(cut(data, 0.96), tmp_path)
    assert answer.caveats == (Caveat.INCOMPLETE,)
    assert (answer.width, answer.height) == (320, 400)
    # BMP begins with the last row
    kept = slice(40, None) if kind == "bmp" else slice(0, 350)
    assert np.array_equal(answer.pixels[kept], wanted.pixels[kept])
    assert not np.array_equal(answer.pixels, wanted.pixels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_file_of_which_more_is_missing_stays_truncated(
    kind: str, share: float, tmp_path: Path
) -> None:
    answer = refused(cut(whole(kind), share), tmp_path)
    assert answer.code is ErrorCode.TRUNCATED


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][0] == "JPEG"])
def test_a_jpeg_without_its_end_marker_is_all_there(kind: str, tmp_path: Path) -> None:
    data = whole(kind)
    answer = decoded(data[:-2], tmp_path)
    assert answer.caveats == (Caveat.INCOMPLETE,)
    assert np.array_equal(answer.pixels, decoded(data, tmp_path).pixels)


def test_a_progressive_jpeg_without_its_end_marker_is_all_there(tmp_path: Path) -> None:
    data = bad_files.saved(WIDE, "JPEG", quality=90, progressive=True)
    answer = decoded(data[:-2], tmp_path)
    assert answer.caveats == (Caveat.INCOMPLETE,)
    assert np.array_equal(answer.pixels, decoded(data, tmp_path).pixels)
    assert refused(cut(data, 0.5), tmp_path).code is ErrorCode.TRUNCATED


def test_an_end_marker_after_too_little_hides_nothing(tmp_path: Path) -> None:
    data = whole("baseline")
    answer = decoded(cut(data, 0.96) + b"\xff\xd9", tmp_path)
    assert answer.caveats == (Caveat.INCOMPLETE,)
    assert refused(cut(data, 0.5) + b"\xff\xd9", tmp_path).code is ErrorCode.TRUNCATED


def test_a_grey_picture_is_whole(tmp_path: Path) -> None:
    flat = Image.new("RGB", (64, 64), (128, 128, 128))
    assert decoded(bad_files.saved(flat, "JPEG"), tmp_path).caveats == ()


def test_a_png_without_its_last_chunk_is_said_to_be_incomplete(tmp_path: Path) -> None:
    data = whole("png")
    answer = decoded(data[:-12], tmp_path)
    assert answer.caveats == (Caveat.INCOMPLETE,)
    assert np.array_equal(answer.pixels, np.asarray(WIDE))


def test_a_webp_that_lacks_only_metadata_is_all_there(tmp_path: Path) -> None:
    data = bad_files.saved(WIDE, "WEBP", quality=90, exif=bad_files.exif(1, Make="Some maker"))
    answer = decoded(data[:-9], tmp_path)
    assert answer.caveats == (Caveat.INCOMPLETE,)
    assert np.array_equal(answer.pixels, decoded(data, tmp_path).pixels)


def test_what_is_missing_is_white_where_the_format_has_no_filler(tmp_path: Path) -> None:
    for kind in ("png", "gif", "lossless webp", "lossy webp"):
        assert (decoded(cut(whole(kind), 0.96), tmp_path).pixels[-1] == 255).all(), kind
    assert (decoded(cut(whole("bmp"), 0.96), tmp_path).pixels[:2] == 255).all()


def test_pillows_own_switch_stays_off_and_files_do_not_mix(tmp_path: Path) -> None:
    refs = []
    for number in range(12):
        share = (1.0, 0.96, 0.5)[number % 3]
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(cut(whole("baseline"), share))
        refs.append(ImageRef(number, str(path), path.name))
    with WorkerDecoder(2, DecodeLimits()) as decoder:
        answers = list(decoder.decode(refs))
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    for answer in answers:
        kind = answer.ref.index % 3
        if kind == 2:
            assert isinstance(answer, Unreadable)
            assert answer.code is ErrorCode.TRUNCATED
        else:
            assert isinstance(answer, DecodedImage)
            assert answer.caveats == ((Caveat.INCOMPLETE,) if kind else ())
