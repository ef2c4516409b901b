"""The saved pictures of faces, made smaller and written into the HTML report."""

import base64
import contextlib
import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from fakefacecli.reports.page_data import PageData

WIDTH_PX = 720
QUALITY = 80
# of base64 in one page: browsers open a page of this size in a few seconds
MOST_CHARS = 60_000_000
# an overlay is about 1200 x 1000 pixels and 0.4 MB: what is much larger is none of ours
_MOST_PIXELS = 50_000_000
_MOST_BYTES = 64 * 2**20


@dataclass(slots=True)
class Pictures:
    """The pictures of a page.

    `data` are JPEG files in base64. `number` leads from a row's number to its place in `data`,
    `missing` from that of a row with a picture that could not be put in to the reason: "gone",
    "unreadable" or "left_out" for the page's bound.
    """

    data: list[str] = field(default_factory=list)
    number: dict[int, int] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """How many did not fit."""
        return sum(why == "left_out" for why in self.missing.values())


def read_pictures(data: PageData, folder: str, most_chars: int = MOST_CHARS) -> Pictures:
    """Read the pictures of `data`, those that a person should look at first, from `folder`.

    At most `most_chars` of base64 are taken. No file is an error: `missing` says what was wrong.
    """
    found = Pictures()
    known: dict[str, int] = {}
    room = most_chars
    for row in _by_urgency(data):
        overlay = data.overlays[row]
        if overlay is None:
            continue
        if overlay in known:
            found.number[row] = known[overlay]
            continue
        if room <= 0:
            found.missing[row] = "left_out"
            continue
        try:
            text = base64.b64encode(_smaller(_read(os.path.join(folder, overlay)))).decode()
        except FileNotFoundError:
            found.missing[row] = "gone"
            continue
        except _BROKEN:
            found.missing[row] = "unreadable"
            continue
        if len(text) > room:
            room = 0  # the next ones are less urgent: none of them jumps the queue
            found.missing[row] = "left_out"
            continue
        room -= len(text)
        found.number[row] = known[overlay] = len(found.data)
        found.data.append(text)
    return found


# what Pillow raises for files that are no pictures; a ValueError also is a NUL in a path
_BROKEN = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, MemoryError),
    *(KeyError, IndexError, TypeError, OverflowError, Warning),
)


def _by_urgency(data: PageData) -> Iterator[int]:
    urgent = [row for rows in data.review.values() for row in rows]
    yield from urgent
    yield from sorted(set(range(len(data.rows))) - set(urgent))


def _read(path: str) -> bytes:
    # O_NONBLOCK: a pipe of this name would wait for a writer
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
            raise ValueError("not a picture of ours")
        return file.read(_MOST_BYTES)


def _smaller(data: bytes) -> bytes:
    from PIL import Image

    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")  # such as Pillow's of a decompression bomb
        try:
            image = stack.enter_context(Image.open(io.BytesIO(data), formats=("JPEG", "PNG")))
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from error
        width, height = image.size
        if width * height > _MOST_PIXELS:
            raise ValueError(f"{width} x {height} pixels")
        picture = image.convert("RGB")
    if width > WIDTH_PX:
        size = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
