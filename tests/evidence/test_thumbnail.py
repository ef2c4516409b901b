"""EXIF's small copy beside the picture."""

import io

import pytest
from PIL import Image, ImageDraw

from fakefacecli.evidence.provenance import read_provenance
from tests import builders


def with_thumbnail(picture: Image.Image, small: Image.Image, orientation: int = 1) -> bytes:
    """A JPEG whose EXIF holds `small`, as cameras write it: directory 1 behind directory 0."""
    held = io.BytesIO()
    small.convert("RGB").save(held, "JPEG", quality=80)
    body = held.getvalue()
    entry = [(0x0112, 3, 1, orientation)]
    first = 8 + 2 + 12 * len(entry) + 4
    tags = [(0x0103, 3, 1, 6), (0x0201, 4, 1, first + 2 + 36 + 4), (0x0202, 4, 1, len(body))]

    def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
        parts = [
            tag.to_bytes(2, "little")
            + kind.to_bytes(2, "little")
            + count.to_bytes(4, "little")
            + value.to_bytes(4, "little")
            for tag, kind, count, value in entries
        ]
        head = len(entries).to_bytes(2, "little")
        return head + b"".join(parts) + following.to_bytes(4, "little")

    head = b"II*\0" + (8).to_bytes(4, "little")
    block = b"Exif\0\0" + head + directory(entry, first) + directory(tags, 0) + body
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=90, exif=block)
    return out.getvalue()


def detail(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return read_provenance(image, data).detail


@pytest.fixture
def photo() -> Image.Image:
    with Image.open(builders.PHOTO) as picture:
        return picture.convert("RGB")


def small_of(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((160, 160))
    return small


def test_the_pictures_own_small_copy_is_no_hint(photo: Image.Image) -> None:
    assert detail(with_thumbnail(photo, small_of(photo))) == ""
    assert detail(with_thumbnail(photo, small_of(photo).rotate(90, expand=True), 6)) == ""


def test_black_bars_as_cameras_add_them_are_no_hint(photo: Image.Image) -> None:
    small = small_of(photo)
    barred = Image.new("RGB", (160, 160))
    barred.paste(small, ((160 - small.width) // 2, (160 - small.height) // 2))
    assert detail(with_thumbnail(photo, barred)) == ""


def test_a_copy_of_another_picture_is_a_hint(photo: Image.Image) -> None:
    with Image.open(builders.PHOTOS / "generated_000.jpg") as other:
        cut = other.convert("RGB").resize(photo.size)
    assert "shows something else" in detail(with_thumbnail(photo, small_of(cut)))


def test_a_picture_that_was_cut_afterwards_is_a_hint(photo: Image.Image) -> None:
    half = photo.crop((0, 0, photo.width, photo.height // 2))
    assert "shows something else" in detail(with_thumbnail(half, small_of(photo)))


def test_a_large_part_that_was_painted_over_is_a_hint(photo: Image.Image) -> None:
    changed = photo.copy()
    box = (0, 0, photo.width, photo.height // 2)
    ImageDraw.Draw(changed).rectangle(box, fill="white")
    assert "shows something else" in detail(with_thumbnail(changed, small_of(photo)))


def test_a_broken_copy_is_no_hint(photo: Image.Image) -> None:
    data = with_thumbnail(photo, small_of(photo))
    at = data.index(b"\xff\xd8", 10) + 2
    assert detail(data[:at] + bytes(40) + data[at + 40 :]) == ""
