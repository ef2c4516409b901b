"""Files that end before their picture does: how much of it there is, by the decoder's own output.

The same bytes are decoded twice. What came from the file is the same both times; what did not is
filler, and the filler differs. Pillow's LOAD_TRUNCATED_IMAGES stays off: it is one switch for all
files, and it does not say how much was there.
"""

import contextlib
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from fakefacecli.decode.file import refuse_large
from fakefacecli.evidence.structure import jpeg_scan, riff_chunks

LEAST_SHARE = 0.9  # of a picture that is judged though its end is missing

Mask = npt.NDArray[np.bool_]
AnyPixels = npt.NDArray[Any]
_TAIL_BYTES = 1 << 16  # of filler that makes a difference: some rows of blocks
_GREY = 128  # what libjpeg makes of blocks that are not there
_FILLERS = (b"\0", b"\x55", b"\xaa", b"\x33", b"\x66", b"\x99")
_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Rest:
    """What there is of a picture: a file that can be opened, and where its pixels are the picture.

    `there` is (H, W), as stored. With `partly` loading the file ends in an error, which `load_part`
    survives.
    """

    data: bytes
    there: Mask
    partly: bool

    @property
    def share(self) -> float:
        """How much of the picture there is, 0..1."""
        return float(self.there.mean())


def rest_of(data: bytes, what: str, most_pixels: int) -> Rest | None:
    """What there is of the picture in a file that does not decode; None where that is not known.

    Raises Refused for more than `most_pixels`, and whatever a decoder raises.
    """
    if what in ("JPEG", "MPO"):
        return _jpeg_rest(data, most_pixels)
    if what == "WEBP":
        return _webp_rest(data, most_pixels)
    if what not in ("PNG", "GIF", "BMP", "TIFF", "PPM", "TGA"):
        return None
    one, other = (_marked(data, what, most_pixels, fill) for fill in (0, 255))
    same = one == other
    return Rest(data, same.all(axis=2) if same.ndim == 3 else same, partly=True)


def may_be_cut(image: Image.Image) -> bool:
    """Does a loaded JPEG end in the grey that libjpeg fills up with, and so may have no end?"""
    corner = np.asarray(image.crop((image.width - 4, image.height - 4, *image.size)))
    return image.mode in ("L", "RGB") and bool((abs(corner.astype(int) - _GREY) <= 1).all())


def load_part(image: ImageFile.ImageFile) -> None:
    """Load what can be loaded of an opened picture; the rest keeps what was there before."""
    try:
        image.load()
    except (OSError, SyntaxError, ValueError):
        if image.tile:
            image.tile = []  # there is nothing more to load
        image.load()


def _marked(data: bytes, what: str, most_pixels: int, fill: int) -> AnyPixels:
    """The pixels in the picture's own mode; where its data do not reach, all are `fill`."""
    with Image.open(io.BytesIO(data), formats=(what,)) as image:
        refuse_large(image.size, most_pixels)
        assert isinstance(image, ImageFile.ImageFile)  # noqa: S101  (for mypy)
        prepare = image.load_prepare

        def filled() -> None:
            prepare()
            ink = (fill,) * len(image.getbands())
            for tile in image.tile:
                image.im.paste(ink if len(ink) > 1 else fill, tile[1])

        # the only place between making room for the pixels and decoding into it
        image.load_prepare = filled  # type: ignore[method-assign]
        load_part(image)
        return np.array(image)


def _jpeg_rest(data: bytes, most_pixels: int) -> Rest | None:
    begin, end = jpeg_scan(data)
    if not begin:
        return None
    body = data[:end].rstrip(b"\xff")  # half of an escaped byte
    noise = np.random.default_rng(0).integers(0, 255, _TAIL_BYTES, np.uint8).tobytes()
    # a decoder that waits for a restart marker skips all up to it: the next ones are there as well
    last, number = max((body.rfind(bytes((0xFF, 0xD0 + n)), begin), n) for n in range(8))
    following = [0 if last < 0 else (number + step) % 8 for step in range(1, 9)]
    tail = b"".join(noise[at::9] + bytes((0xFF, 0xD0 + n)) for at, n in enumerate(following))
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        layers = getattr(image, "layer", ())
        unit = 8 * max((layer[2] for layer in layers), default=1)
    whole = body + _END
    one, other = _pictures((whole, body + noise[:8] + tail + _END), "JPEG", most_pixels)
    return Rest(whole, _same(one, other, unit, reach=1), partly=False)


def _webp_rest(data: bytes, most_pixels: int) -> Rest | None:
    parts: list[bytes] = []
    for kind, start, end in riff_chunks(data):
        if kind == b"ANMF":
            return None
        if end <= len(data):
            parts.append(data[start:end])
            continue
        if kind not in (b"VP8 ", b"VP8L"):
            break  # metadata behind the picture: without them it is whole
        missing = end - len(data)
        if missing > (1 - LEAST_SHARE) * (end - start) * 2:
            return None
        files = (_riff([*parts, data[start:] + byte * missing]) for byte in _FILLERS)
        # a lossless picture does not bear every filler
        found = list(itertools.islice(_decodable(files, "WEBP", most_pixels), 2))
        if len(found) < 2:
            return None
        (file, one), (_, other) = found
        unit, reach = (16, 8) if kind == b"VP8 " else (1, 0)
        return Rest(file, _same(one, other, unit, reach), partly=False)
    whole = _riff(parts)
    [picture] = _pictures([whole], "WEBP", most_pixels)
    return Rest(whole, np.ones(picture.shape[:2], np.bool_), partly=False)


def _riff(chunks: list[bytes]) -> bytes:
    body = b"WEBP" + b"".join(chunk + bytes(len(chunk) % 2) for chunk in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _pictures(files: Sequence[bytes], what: str, most_pixels: int) -> Iterator[AnyPixels]:
    for data in files:
        with Image.open(io.BytesIO(data), formats=(what,)) as image:
            refuse_large(image.size, most_pixels)
            image.load()
            yield np.asarray(image)


def _decodable(
    files: Iterable[bytes], what: str, most_pixels: int
) -> Iterator[tuple[bytes, AnyPixels]]:
    for data in files:
        with contextlib.suppress(OSError):
            yield data, next(_pictures([data], what, most_pixels))


def _same(one: AnyPixels, other: AnyPixels, unit: int, reach: int) -> Mask:
    """Where two pictures are the same, up to the first block in which they differ.

    Blocks come row by row and are `unit` high; smoothing carries a difference `reach` rows up.
    """
    apart = one != other
    if apart.ndim == 3:
        apart = apart.any(axis=2)
    there = np.ones(apart.shape, np.bool_)
    if apart.any():
        row = (int(apart.any(axis=1).argmax()) + reach) // unit * unit
        column = int(apart[row : row + unit - reach].any(axis=0).argmax())
        there[row : row + unit, column:] = False
        there[row + unit :] = False
    return there
