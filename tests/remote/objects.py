"""The same files in a bucket and in a folder here, and rows that can be compared."""

import io
import pathlib

from PIL import Image

from tests.builders import PHOTO, PHOTOS
from tests.command import NOT_COMPARED, rows
from tests.remote.conftest import Bucket

OTHERS = 7  # inputs that `fill` adds to the small ones


def tiny(number: int) -> bytes:
    """A JPEG of 24x24, another one for each number, without a face."""
    held = io.BytesIO()
    colour = (number % 256, number // 256 % 256, 128)
    Image.new("RGB", (24, 24), colour).save(held, "JPEG")
    return held.getvalue()


def fill(bucket: Bucket, folder: pathlib.Path, count: int) -> None:
    """The same files in the bucket below in/ and in the folder: small ones, portraits, others."""
    files = {f"{n % 7}/{n:05}.jpg": tiny(n) for n in range(count)}
    for photo in sorted(PHOTOS.iterdir())[:3]:
        files[f"p/{photo.name}"] = photo.read_bytes()
    files |= {
        "p/upload-1": PHOTO.read_bytes(),
        "p/notes.txt": b"no picture",
        "p/.ds_store": b"no picture",
        "p/broken.jpg": b"no picture",
        "p/empty.png": b"",
        "x y/ü.jpg": tiny(1),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        bucket.put(f"in/{name}", data)
    bucket.put("in/p/", b"")  # what a console makes for a folder
    bucket.put("other/never.jpg", tiny(0))


def relative(report: pathlib.Path, root: str) -> list[dict[str, str]]:
    """The rows of a CSV with names relative to `root`, less what differs between runs."""
    found = []
    for row in rows(report):
        assert row["path"].startswith(root)
        cells = {k: v for k, v in row.items() if k not in NOT_COMPARED and k != "error"}
        found.append(cells | {"path": row["path"].removeprefix(root).lstrip("/")})
    return found
