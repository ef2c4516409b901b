"""Files of several pictures: all that a viewer shows are found, and a sample follows the time."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.options import Frames
from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
from fakefacecli.base.verdicts import Caveat, ErrorCode
from fakefacecli.decode.frames import chosen, times_of
from fakefacecli.decode.image import DecodeLimits, read_image
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.decode.primaries import Colours
from tests import bad_files

SIZE = (48, 32)
KINDS: dict[str, dict[str, Any]] = {
    "GIF": {},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 90},
    "MPO": {"quality": 95},
    "HEIF": {"quality": 95},
}


def colour(number: int) -> tuple[int, int, int]:
    return (20 * number, 255 - 20 * number, 128)


def film(kind: str, count: int, **how: Any) -> bytes:
    """`count` pictures, each of the plain `colour` of its number from 0."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    frames = [Image.new("RGB", SIZE, colour(number)) for number in range(count)]
    more = {"save_all": True, "append_images": frames[1:], **KINDS[kind], **how}
    return bad_files.saved(frames[0], kind, **more)


def read(
    data: bytes, folder: Path, frames: Frames = Frames.SAMPLE, most: int = 10**8
) -> DecodedImage:
    (folder / "file").write_bytes(data)
    limits = DecodeLimits(max_pixels=most, frames=frames)
    answer = read_image(ImageRef(0, str(folder / "file"), "file"), limits)
    assert isinstance(answer, DecodedImage), answer
    return answer


def seen(image: DecodedImage) -> list[int]:
    """Which pictures these are by their colours, which must be those of their numbers."""
    for frame in image.all_frames:
        shown = frame.pixels.reshape(-1, 3).mean(0)
        assert np.abs(shown - colour(frame.frame - 1)).max() < 8, frame.frame
    return [frame.frame for frame in image.all_frames]


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_of_a_short_file_is_decoded(kind: str, tmp_path: Path) -> None:
    answer = read(film(kind, 3), tmp_path)
    assert (seen(answer), answer.frames) == ([1, 2, 3], 3)
    first = read(film(kind, 3), tmp_path, Frames.FIRST)
    assert (seen(first), first.frames) == ([1], 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_a_long_file_is_sampled_or_decoded_whole(kind: str, tmp_path: Path) -> None:
    data = film(kind, 12)
    sample = read(data, tmp_path)
    assert (len(seen(sample)), sample.frames) == (8, 12)
    assert seen(read(data, tmp_path, Frames.ALL)) == list(range(1, 13))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_what_is_on_screen_for_long_is_never_left_out(kind: str, tmp_path: Path) -> None:
    times = [20] * 12
    times[9] = 5000
    data = film(kind, 12, duration=times)
    assert times_of(data, kind, 12) == times
    assert 10 in seen(read(data, tmp_path))


def test_a_sample_follows_the_time() -> None:
    assert chosen([1.0] * 8, Frames.SAMPLE, 100) == list(range(8))
    assert chosen([1.0] * 80, Frames.SAMPLE, 100) == [5, 15, 25, 35, 45, 55, 65, 75]
    assert chosen([1.0] * 20 + [1000.0], Frames.SAMPLE, 100) == [0, 1, 2, 3, 4, 5, 6, 20]
    assert chosen([1.0] * 80, Frames.SAMPLE, 3) == [13, 40, 66]
    assert chosen([1.0] * 80, Frames.ALL, 100) == list(range(80))
    assert chosen([1.0] * 80, Frames.FIRST, 100) == [0]
    assert chosen([1.0] * 80, Frames.ALL, 1) == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_count_over_all_pictures(kind: str, tmp_path: Path) -> None:
    one = SIZE[0] * SIZE[1]
    answer = read(film(kind, 3), tmp_path, Frames.ALL, most=2 * one + 1)
    assert (len(seen(answer)), answer.frames) == (2, 3)
    assert len(read(film(kind, 3), tmp_path, Frames.ALL, most=one).all_frames) == 1


def test_thumbnails_masks_and_previews_are_no_pictures_of_their_own(tmp_path: Path) -> None:
    frames = [Image.new("RGB", SIZE, colour(number)) for number in range(3)]
    frames[1].encoderinfo = {"tiffinfo": {254: 1}}
    frames[2].encoderinfo = {"tiffinfo": {254: 4}}
    data = bad_files.saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        assert image.tag_v2[254] == 1
    assert seen(read(data, tmp_path)) == [1]
    small = Image.new("RGB", (24, 16), colour(1))
    data = bad_files.saved(frames[0], "MPO", save_all=True, append_images=[small])
    assert seen(read(data, tmp_path)) == [1]


def test_pages_of_other_sizes_and_ways_up_are_decoded_as_they_are(tmp_path: Path) -> None:
    wide = bad_files.picture()
    tall = bad_files.picture(size=(20, 40))
    tall.encoderinfo = {"exif": bad_files.exif(6)}
    data = bad_files.saved(wide, "TIFF", save_all=True, append_images=[tall])
    answer = read(data, tmp_path)
    assert [(f.width, f.height, f.orientation) for f in answer.all_frames] == [
        (96, 64, 1),
        (40, 20, 6),
    ]


def test_frames_are_drawn_over_each_other_before_colours_are_changed(tmp_path: Path) -> None:
    profile = Colours((0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)).profile()
    base = Image.new("RGB", SIZE, (200, 40, 40))
    later = base.copy()
    later.paste((40, 200, 40), (0, 0, 8, 8))  # the file holds only this corner again
    data = bad_files.saved(
        base, "PNG", save_all=True, append_images=[later], icc_profile=profile, duration=500
    )
    one, two = read(data, tmp_path).all_frames
    assert np.array_equal(one.pixels[20:, 20:], two.pixels[20:, 20:])


def test_a_later_picture_that_is_broken_costs_only_itself(tmp_path: Path) -> None:
    noise = [bad_files.picture(size=(96, 64)).rotate(90 * n) for n in range(3)]
    data = bad_files.saved(noise[0], "TIFF", save_all=True, append_images=noise[1:])
    with Image.open(io.BytesIO(data)) as image:
        image.seek(2)
        (at,) = image.tag_v2[273]
    answer = read(data[: at + 100] if at > len(data) // 2 else data, tmp_path)
    assert [frame.frame for frame in answer.all_frames] in ([1, 2], [1])
    assert answer.caveats == (Caveat.INCOMPLETE,)


def test_workers_send_every_picture(tmp_path: Path) -> None:
    refs = []
    for number, kind in enumerate(("GIF", "TIFF", "WEBP")):
        path = tmp_path / f"{number}"
        path.write_bytes(film(kind, 3))
        refs.append(ImageRef(number, str(path), path.name))
    with WorkerDecoder(2, DecodeLimits(frames=Frames.ALL)) as decoder:
        for ref, answer in zip(refs, decoder.decode(refs), strict=True):
            assert isinstance(answer, DecodedImage)
            assert all(frame.ref is ref for frame in answer.all_frames)
            assert (seen(answer), answer.frames) == ([1, 2, 3], 3)


def test_the_deadline_is_for_all_pictures_of_a_file(tmp_path: Path) -> None:
    big = [bad_files.picture(size=(900, 900)) for _ in range(60)]
    path = tmp_path / "film.png"
    path.write_bytes(
        bad_files.saved(
            big[0],
            "PNG",
            save_all=True,
            append_images=[b.rotate(n) for n, b in enumerate(big)],
            compress_level=0,
        )
    )
    limits = DecodeLimits(timeout_s=0.2, frames=Frames.ALL)
    with WorkerDecoder(1, limits) as decoder:
        [answer] = decoder.decode([ImageRef(0, str(path), "film.png")])
    assert isinstance(answer, Unreadable)
    assert answer.code is ErrorCode.TIMEOUT
