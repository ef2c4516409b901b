"""One file to pixels, in this process: codes, modes, orientation, limits."""

import io
import os
import random
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fakefacecli.base.records import DecodedImage, ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.decode import formats
from fakefacecli.decode.image import DecodeLimits, read_image
from fakefacecli.decode.primaries import Colours
from tests import bad_files
from tests.builders import ROOT

LIMITS = DecodeLimits(provenance=True)


def read(path: object, limits: DecodeLimits = LIMITS) -> DecodedImage | Unreadable:
    return read_image(ImageRef(0, str(path), "name"), limits)


def decoded(data: bytes, folder: Path) -> DecodedImage:
    (folder / "file").write_bytes(data)
    answer = read(folder / "file")
    assert isinstance(answer, DecodedImage), answer
    return answer


def refused(data: bytes, folder: Path, limits: DecodeLimits = LIMITS) -> Unreadable:
    (folder / "file").write_bytes(data)
    answer = read(folder / "file", limits)
    assert isinstance(answer, Unreadable), answer
    return answer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bad_files.Corpus]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, bad_files.build(folder)


def test_every_bad_and_odd_file_gets_its_code(corpus: tuple[Path, bad_files.Corpus]) -> None:
    folder, wanted = corpus
    assert len(wanted) > 60
    found = {name: getattr(read(os.path.join(folder, name)), "code", None) for name in wanted}
    assert found == wanted


def test_the_same_file_always_gets_the_same_answer(corpus: tuple[Path, bad_files.Corpus]) -> None:
    folder, wanted = corpus
    for name in wanted:
        one, two = (read(os.path.join(folder, name)) for _ in range(2))
        assert one.facts == two.facts
        if isinstance(one, Unreadable):
            assert isinstance(two, Unreadable)
            assert one.message == two.message
            assert " at 0x" not in one.message  # as Pillow's own texts have it
            assert len(one.message) < 120
        else:
            assert isinstance(two, DecodedImage)
            assert np.array_equal(one.pixels, two.pixels)
            assert one.pixels.flags.c_contiguous


def test_pillow_and_the_warning_filters_are_left_as_they_were() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    read("/nowhere")
    read(__file__)
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_damaged_bytes_never_raise(tmp_path: Path) -> None:
    rng = random.Random(3)
    makers = (bad_files.truncated, bad_files.odd_metadata, bad_files.odd_modes)
    seeds = [data for make in makers for data, _ in make().values()]
    limits = DecodeLimits(max_pixels=1_000_000)
    for _ in range(1500):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 3, 20))):
            data[min(int(rng.expovariate(1 / 200)), len(data) - 1)] = rng.choice((0, 255, 127, 1))
        (tmp_path / "file").write_bytes(data)
        answer = read(tmp_path / "file", limits)
        assert answer.facts.sha256 is not None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied_as_pillow_would(
    kind: str, orientation: int, tmp_path: Path
) -> None:
    how = {} if kind in ("JPEG", "TIFF", "AVIF") else {"lossless": True}
    data = bad_files.saved(bad_files.picture(), kind, exif=bad_files.exif(orientation), **how)
    answer = decoded(data, tmp_path)
    with Image.open(io.BytesIO(data)) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(answer.pixels, wanted)
    assert answer.orientation == orientation
    assert (answer.width, answer.height) == ((96, 64) if orientation < 5 else (64, 96))


def test_a_heic_is_turned_once(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = bad_files.saved(bad_files.picture(), "HEIF", exif=bad_files.exif(6), quality=100)
    answer = decoded(data, tmp_path)
    upright = np.asarray(bad_files.picture().transpose(Image.Transpose.ROTATE_270))
    assert answer.pixels.shape == upright.shape
    assert np.abs(answer.pixels.astype(int) - upright).mean() < 12
    assert answer.facts.format == "HEIF"


def test_see_through_parts_lie_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 255))
    image.putpixel((1, 0), (200, 0, 0, 0))
    for kind in ("PNG", "WEBP"):
        how = {"lossless": True} if kind == "WEBP" else {}
        pixels = decoded(bad_files.saved(image, kind, **how), tmp_path).pixels
        assert pixels.tolist() == [[[200, 0, 0], [255, 255, 255]]]
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([0, 0, 0, 10, 20, 30])
    indexed.putpixel((1, 0), 1)
    pixels = decoded(bad_files.saved(indexed, "PNG", transparency=0), tmp_path).pixels
    assert pixels.tolist() == [[[255, 255, 255], [10, 20, 30]]]


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        (np.array([[0, 255, 256, 65535]], np.uint16), "PNG", [0, 0, 1, 255]),
        (np.array([[0, 255, 256, 65535]], np.uint16), "TIFF", [0, 0, 1, 255]),
        (np.array([[0, 256, 65535]], np.int32), "TIFF", [0, 1, 255]),
        (np.array([[0, 7, 255]], np.int32), "TIFF", [0, 7, 255]),
        (np.array([[-5, 0, 1 << 20, 1 << 21]], np.int32), "TIFF", [0, 0, 127, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), "TIFF", [0, 128, 255]),
        (np.array([[-3.0, 0.0, 99.6, 1e9]], np.float32), "TIFF", [0, 0, 100, 255]),
        (np.array([[np.nan, np.inf, -np.inf, 1.0]], np.float32), "TIFF", [0, 0, 0, 255]),
    ],
)
def test_deep_grey_is_brought_to_8_bits(
    values: np.ndarray, kind: str, wanted: list[int], tmp_path: Path
) -> None:
    pixels = decoded(bad_files.saved(Image.fromarray(values), kind), tmp_path).pixels
    assert pixels[0].tolist() == [[value] * 3 for value in wanted]


def test_too_many_pixels_are_refused_on_the_header_alone(tmp_path: Path) -> None:
    data = bad_files.saved(bad_files.picture(), "PNG")
    answer = refused(data, tmp_path, DecodeLimits(max_pixels=6143))
    assert answer.code is ErrorCode.TOO_LARGE
    assert answer.message == "96x64 is 6,144 pixels, at most 6,143 are decoded"
    assert isinstance(read(tmp_path / "file", DecodeLimits(max_pixels=6144)), DecodedImage)


def test_a_file_beyond_the_memory_budget_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        file.truncate(1 << 40)
    answer = read(tmp_path / "file")
    assert isinstance(answer, Unreadable)
    assert answer.code is ErrorCode.TOO_LARGE
    assert (answer.facts.size, answer.facts.sha256) == (1 << 40, None)


def test_facts_are_filled_for_pictures_and_for_what_is_none(tmp_path: Path) -> None:
    good = decoded(bad_files.saved(bad_files.picture(), "PNG"), tmp_path)
    assert good.facts.format == "PNG"
    assert good.facts.mtime_ns == (tmp_path / "file").stat().st_mtime_ns
    bad = refused(b"hello", tmp_path)
    assert bad.facts.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert (bad.facts.size, bad.facts.format) == (5, None)
    assert refused(bad_files.saved(bad_files.picture(), "PNG")[:60], tmp_path).facts.format == "PNG"


def test_a_format_that_needs_more_names_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "heif_is_ready", lambda: False)
    monkeypatch.setattr(formats, "avif_is_ready", lambda: False)
    for kind in ("AVIF", "HEIF"):
        brand = kind.lower().replace("heif", "heic").encode()
        answer = refused(b"\0\0\0\x14ftyp" + brand + bytes(8), tmp_path)
        assert answer.code is ErrorCode.UNSUPPORTED
        assert answer.message == f"found {kind}; fakeface doctor says what it needs"


def test_avif_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "heif_is_ready", lambda: False)
    data = bad_files.saved(bad_files.picture(), "AVIF")
    assert decoded(data, tmp_path).facts.format == "AVIF"


@pytest.mark.parametrize(
    ("kind", "name"), [("JPEG2000", "JPEG2000"), ("PPM", "PPM"), ("TGA", "TGA")]
)
def test_further_formats_are_read_as_they_are(kind: str, name: str, tmp_path: Path) -> None:
    for mode in ("RGB", "L"):
        picture = bad_files.picture(mode)
        answer = decoded(bad_files.saved(picture, kind), tmp_path)
        assert answer.facts.format == name
        assert np.array_equal(answer.pixels, np.asarray(picture.convert("RGB")))


def test_a_tga_without_opacity_bits_is_not_see_through(tmp_path: Path) -> None:
    picture = bad_files.picture("RGBA")
    picture.putalpha(0)
    data = bytearray(bad_files.saved(picture, "TGA"))
    assert (decoded(bytes(data), tmp_path).pixels == 255).all()
    data[17] &= 0xF0
    pixels = decoded(bytes(data), tmp_path).pixels
    assert np.array_equal(pixels, np.asarray(bad_files.picture()))


def test_a_dark_pgm_of_16_bits_stays_dark(tmp_path: Path) -> None:
    pixels = decoded(b"P5 2 1 65535\n" + bytes((0, 200, 0, 255)), tmp_path).pixels
    assert pixels.max() == 0


def test_a_jp2_obeys_its_profile(tmp_path: Path) -> None:
    data = bad_files.saved(bad_files.picture(), "JPEG2000")
    at = data.index(b"colr")
    swapped = (0.15, 0.06, 0.30, 0.60, 0.64, 0.33, 0.3127, 0.3290)
    profile = Colours(swapped).profile()
    box = struct.pack(">L", 11 + len(profile)) + b"colr\2\0\0" + profile
    data = data[: at - 4] + box + data[at - 4 + int.from_bytes(data[at - 4 : at], "big") :]
    head = data.index(b"jp2h")
    size = int.from_bytes(data[head - 4 : head], "big") + len(box) - 15
    answer = decoded(data[: head - 4] + struct.pack(">L", size) + data[head:], tmp_path)
    red, green, blue = np.moveaxis(answer.pixels.astype(int), 2, 0)
    stored = np.asarray(bad_files.picture()).astype(int)
    assert np.abs(np.stack((blue, green, red), 2) - stored).mean() < 3


def test_memory_that_runs_out_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*_: object) -> None:
        raise MemoryError

    data = bad_files.saved(bad_files.picture("L"), "PNG")
    monkeypatch.setattr(Image.Image, "convert", starve)
    answer = refused(data, tmp_path)
    assert answer.code is ErrorCode.TOO_LARGE


def test_a_file_without_permission_is_forbidden(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from fakefacecli.decode.image import *\n"
        "print(read_image(ImageRef(0, sys.argv[1], 'n'), DecodeLimits()).code)"
    )
    command = [sys.executable, "-c", code, str(path), str(ROOT)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "forbidden\n"


@pytest.mark.parametrize("name", ["a\0b.png", "\ud800.png"])
def test_a_name_no_file_can_have_is_a_row(name: str) -> None:
    answer = read(name)
    assert isinstance(answer, Unreadable)
    assert answer.code is ErrorCode.NOT_A_FILE


@pytest.mark.parametrize("limits", [{"max_pixels": 0}, {"timeout_s": 0.0}, {"memory_bytes": 0}])
def test_limits_must_be_above_zero(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        DecodeLimits(**limits)  # type: ignore[arg-type]


def test_a_file_swapped_for_a_link_is_not_read(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (tmp_path / "listed.png").symlink_to(tmp_path / "secret.png")
    answer = read(tmp_path / "listed.png", DecodeLimits(follow_symlinks=False))
    assert isinstance(answer, Unreadable)
    assert answer.code is ErrorCode.NOT_A_FILE
    assert isinstance(
        read(tmp_path / "secret.png", DecodeLimits(follow_symlinks=False)), DecodedImage
    )
    assert isinstance(
        read(tmp_path / "listed.png", DecodeLimits(follow_symlinks=True)), DecodedImage
    )
