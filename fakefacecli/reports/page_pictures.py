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

# Width in pixels, JPEG quality, and about how many characters an overlay then has in base64
# (measured on 23). The more pictures there are the smaller they get: the page says in words what
# their lettering says
SIZES = ((720, 80, 97_000), (560, 75, 60_000), (420, 70, 33_000))
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
    width, quality = _size(len(set(data.overlays) - {None}), most_chars)
    for row, overlay in _by_urgency(data):
        if overlay in known:
            found.number[row] = known[overlay]
            continue
        text = _text(os.path.join(folder, overlay), width, quality) if room else "left_out"
        if text in _REASONS:
            found.missing[row] = text
        elif len(text) > room:
            room = 0  # the next ones are less urgent: none of them jumps the queue
            found.missing[row] = "left_out"
        else:
            room -= len(text)
            found.number[row] = known[overlay] = len(found.data)
            found.data.append(text)
    return found


_REASONS = ("gone", "unreadable", "left_out")


def _size(pictures: int, most_chars: int) -> tuple[int, int]:
    """Width and quality at which as many `pictures` as possible fit; the largest that fits all."""
    fitting = [size for size in SIZES if size[2] * pictures <= most_chars]
    width, quality, _ = (fitting or SIZES[-1:])[0]
    return width, quality


def _text(path: str, width: int, quality: int) -> str:
    """The picture at `path` as base64, or one of _REASONS."""
    try:
        return base64.b64encode(_smaller(_read(path), width, quality)).decode()
    except FileNotFoundError:
        return "gone"
    except _BROKEN:
        return "unreadable"


# what Pillow raises for files that are no pictures; a ValueError also is a NUL in a path
_BROKEN = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, MemoryError),
    *(KeyError, IndexError, TypeError, OverflowError, Warning),
)


def _by_urgency(data: PageData) -> Iterator[tuple[int, str]]:
    """The numbers of the rows that have a picture, and its path."""
    urgent = [row for rows in data.review.values() for row in rows]
    for row in (*urgent, *sorted(set(range(len(data.rows))) - set(urgent))):
        overlay = data.overlays[row]
        if overlay is not None:
            yield row, overlay


def _read(path: str) -> bytes:
    # O_NONBLOCK: a pipe of this name would wait for a writer
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
            raise ValueError("not a picture of ours")
        return file.read(_MOST_BYTES)


def _smaller(data: bytes, most_wide: int, quality: int) -> bytes:
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
    if width > most_wide:
        size = (most_wide, max(1, round(height * most_wide / width)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
