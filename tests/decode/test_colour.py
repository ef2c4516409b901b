"""Embedded profiles and colour numbers: a picture is judged in the colours that a viewer shows."""

import io
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from fakefacecli.base.verdicts import Caveat
from fakefacecli.decode.primaries import Colours
from tests import bad_files
from tests.decode.test_image import decoded

P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
# linear sRGB to linear Display P3 (CSS Color 4, sample code), rows times a column of R, G, B
TO_P3 = np.array(
    [[0.8224620, 0.1775380, 0], [0.0331942, 0.9668058, 0], [0.0170826, 0.0723974, 0.91052]]
)
KINDS = ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"]
HOW: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
    "HEIF": {"quality": 98, "chroma": 444},
}


def smooth() -> Image.Image:
    """Saturated and pale colours without noise, so that compression moves them little."""
    y, x = np.mgrid[0:64, 0:96]
    pixels = np.stack((x * 2.6, y * 3.9, 255 - x * 2.0), axis=2)
    return Image.fromarray(pixels.astype(np.uint8), "RGB")


def light(pixels: np.ndarray) -> np.ndarray:
    part = np.asarray(pixels, float) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def code(part: np.ndarray) -> np.ndarray:
    part = part.clip(0, 1)
    curved = np.where(part <= 0.0031308, part * 12.92, 1.055 * part ** (1 / 2.4) - 0.055)
    return (curved * 255).round().astype(np.uint8)


def in_p3(image: Image.Image) -> Image.Image:
    """The same colours, written in Display P3."""
    return Image.fromarray(code(light(np.asarray(image)) @ TO_P3.T), "RGB")


def apart(one: np.ndarray, other: object) -> float:
    return float(np.abs(one.astype(int) - np.asarray(other, int)).mean())


def saved(image: Image.Image, kind: str, **how: object) -> bytes:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    return bad_files.saved(image, kind, **HOW.get(kind, {}), **how)


def with_chunks(image: Image.Image, *chunks: tuple[bytes, bytes]) -> bytes:
    data = bad_files.saved(image, "PNG")
    return data[:33] + bad_files.png(*chunks)[8:] + data[33:]


def points(values: tuple[float, ...]) -> bytes:
    ordered = (*values[6:], *values[:6])
    return struct.pack(">8L", *(round(value * 100_000) for value in ordered))


def grey_profile(gamma: float) -> bytes:
    """An ICC profile for grey pictures: an RGB one has all the tags, one of them renamed."""
    data = Colours(SRGB, gamma).profile()
    return data.replace(b"mntrRGB ", b"mntrGRAY", 1).replace(b"rTRC", b"kTRC", 1)


def cmyk_profile() -> bytes:
    """An ICC profile for presses whose inks leave nothing: white paper, or black."""
    grid = [0 if any(inks) else 255 for inks in itertools.product((0, 1), repeat=4)]
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0))
    table += b"".join(struct.pack(">l", value << 16) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table += ramp * 4 + b"".join(bytes((value, 128, 128)) for value in grid) + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3l", 63190, 65536, 54061)
    entries = struct.pack(">L", 2) + b"wtpt" + struct.pack(">LL", 156, 20)
    entries += b"A2B0" + struct.pack(">LL", 176, len(table))
    head = struct.pack(">L", 176 + len(table)) + bytes(4) + b"\2\0\0\0prtrCMYKLab " + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">3l", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + entries + white + table


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_in_p3_is_its_srgb_twin(kind: str, tmp_path: Path) -> None:
    picture = smooth()
    twin = in_p3(picture)
    assert apart(np.asarray(twin), picture) > 5
    answer = decoded(saved(twin, kind, icc_profile=Colours(P3).profile()), tmp_path)
    assert apart(answer.pixels, picture) < 2
    assert answer.caveats == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_that_swaps_colours_is_applied_whatever_it_is_called(
    kind: str, tmp_path: Path
) -> None:
    picture = smooth()
    red, green, blue = picture.split()
    swapped = (*SRGB[4:6], *SRGB[2:4], *SRGB[:2], *SRGB[6:])
    stored = Image.merge("RGB", (blue, green, red))
    answer = decoded(saved(stored, kind, icc_profile=Colours(swapped).profile()), tmp_path)
    assert apart(answer.pixels, picture) < 2


def test_a_profile_of_srgb_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for said in (profile, Colours().profile()):
        answer = decoded(saved(smooth(), "PNG", icc_profile=said), tmp_path)
        assert np.array_equal(answer.pixels, np.asarray(smooth()))
        assert answer.caveats == ()


def test_see_through_and_indexed_pictures_have_profiles_too(tmp_path: Path) -> None:
    picture, profile = smooth(), Colours(P3).profile()
    see_through = in_p3(picture).convert("RGBA")
    see_through.paste((0, 0, 0, 0), (0, 0, 8, 8))
    for kind in ("PNG", "WEBP", "TIFF"):
        pixels = decoded(saved(see_through, kind, icc_profile=profile), tmp_path).pixels
        assert (pixels[:8, :8] == 255).all()
        assert apart(pixels[:, 8:], np.asarray(picture)[:, 8:]) < 2
    few = picture.quantize(16)
    indexed = in_p3(few.convert("RGB")).quantize(16)
    pixels = decoded(saved(indexed, "PNG", icc_profile=profile), tmp_path).pixels
    assert apart(pixels, few.convert("RGB")) < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grey_pictures_take_grey_and_rgb_profiles(kind: str, tmp_path: Path) -> None:
    picture = smooth().convert("L")
    linear = Image.fromarray((light(np.asarray(picture)) * 255).round().astype(np.uint8))
    for profile in (grey_profile(1.0), Colours(SRGB, 1.0).profile()):
        answer = decoded(saved(linear, kind, icc_profile=profile), tmp_path)
        assert answer.caveats == ()
        assert apart(answer.pixels, picture.convert("RGB")) < 3


def test_sixteen_bits_of_grey_take_a_profile(tmp_path: Path) -> None:
    picture = smooth().convert("L")
    deep = Image.fromarray((light(np.asarray(picture)) * 65535).astype(np.uint16))
    answer = decoded(saved(deep, "PNG", icc_profile=grey_profile(1.0)), tmp_path)
    assert apart(answer.pixels, picture.convert("RGB")) < 3


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_become_what_their_profile_says(kind: str, tmp_path: Path) -> None:
    inks = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    inks.paste((255, 0, 0, 0), (0, 0, 8, 16))
    answer = decoded(saved(inks, kind, icc_profile=cmyk_profile()), tmp_path)
    assert answer.caveats == ()
    # without the profile full cyan would be (0, 255, 255)
    assert answer.pixels[4, 2].max() < 20
    assert answer.pixels[4, 12].min() > 235


def _half_a_profile() -> bytes:
    data = saved(smooth(), "JPEG", icc_profile=Colours(P3).profile())
    at = data.index(b"ICC_PROFILE\0") + 12
    return data[: at + 1] + b"\2" + data[at + 2 :]  # "1 of 2", and there is no second


@pytest.mark.parametrize(
    "data",
    [
        saved(smooth(), "PNG", icc_profile=b"garbage" * 9),
        saved(smooth(), "PNG", icc_profile=Colours(P3).profile()[:200]),
        saved(smooth(), "PNG", icc_profile=cmyk_profile()),
        saved(smooth(), "WEBP", icc_profile=grey_profile(1.0)),
        saved(smooth(), "PNG", icc_profile=Colours(P3).profile().replace(b"mntr", b"link")),
        saved(smooth().convert("CMYK"), "TIFF", icc_profile=Colours(P3).profile()),
        _half_a_profile(),
        with_chunks(smooth(), (b"iCCP", b"name\0\0no zlib")),
        with_chunks(smooth(), (b"cICP", bytes((9, 16, 0, 1)))),
    ],
)
def test_what_cannot_be_applied_is_ignored_and_said(data: bytes, tmp_path: Path) -> None:
    answer = decoded(data, tmp_path)
    assert answer.caveats == (Caveat.PROFILE_IGNORED,)
    assert apart(answer.pixels, smooth()) < 3


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"cHRM", points(P3))],
        [(b"cHRM", points(P3)), (b"gAMA", struct.pack(">L", 45455))],
        [(b"cICP", bytes((12, 13, 0, 1)))],
        [(b"cICP", bytes((12, 13, 0, 1))), (b"sRGB", b"\0")],
    ],
)
def test_numbers_for_p3_are_obeyed(chunks: list[tuple[bytes, bytes]], tmp_path: Path) -> None:
    answer = decoded(with_chunks(in_p3(smooth()), *chunks), tmp_path)
    assert apart(answer.pixels, smooth()) < 2
    assert answer.caveats == ()


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">L", 100_000))],
        [(b"gAMA", struct.pack(">L", 45455)), (b"cHRM", points(SRGB))],
        [(b"gAMA", struct.pack(">L", 0))],
        [(b"gAMA", b"\0")],
        [(b"cHRM", bytes(32))],
        [(b"cICP", bytes((1, 13, 0, 1)))],
    ],
)
def test_numbers_for_srgb_and_nonsense_change_nothing(
    chunks: list[tuple[bytes, bytes]], tmp_path: Path
) -> None:
    answer = decoded(with_chunks(smooth(), *chunks), tmp_path)
    assert np.array_equal(answer.pixels, np.asarray(smooth()))


def test_a_gamma_is_obeyed(tmp_path: Path) -> None:
    linear = Image.fromarray((light(np.asarray(smooth())) * 255).round().astype(np.uint8))
    answer = decoded(with_chunks(linear, (b"gAMA", struct.pack(">L", 100_000))), tmp_path)
    assert apart(answer.pixels, smooth()) < 3


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_a_colour_box_is_obeyed(kind: str, tmp_path: Path) -> None:
    data = saved(in_p3(smooth()), kind)
    at = data.index(b"colrnclx") + 8
    data = data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :]
    answer = decoded(data, tmp_path)
    assert apart(answer.pixels, smooth()) < 3
    hdr = decoded(data[:at] + struct.pack(">HH", 9, 16) + data[at + 4 :], tmp_path)
    assert hdr.caveats == (Caveat.PROFILE_IGNORED,)


def test_the_helpers_make_profiles_that_can_be_read() -> None:
    for data, space in ((grey_profile(1.0), "GRAY"), (cmyk_profile(), "CMYK")):
        opened = ImageCms.ImageCmsProfile(io.BytesIO(data))
        assert opened.profile.xcolor_space.strip() == space
