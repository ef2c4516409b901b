"""A file's bytes to the pictures that a viewer shows: upright, in sRGB, over white.

Everything here may raise whatever a decoder raises: the caller turns it into an error code.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageFile

from fakefacecli.base.evidence import Provenance
from fakefacecli.base.options import Frames
from fakefacecli.base.records import Pixels
from fakefacecli.base.verdicts import Caveat, ErrorCode
from fakefacecli.decode import formats, pixels
from fakefacecli.decode.colour import colouring
from fakefacecli.decode.file import Refused, refuse_large
from fakefacecli.decode.frames import chosen, pages, times_of
from fakefacecli.decode.incomplete import LEAST_SHARE, Rest, load_part, may_be_cut, rest_of
from fakefacecli.decode.orientation import levelled_tiff, stored_orientation
from fakefacecli.evidence import structure
from fakefacecli.evidence.provenance import Lists, read_provenance

_WHITE = 255
_TGA_FLAGS = 17  # its lower four bits count those of opacity


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a file, by its number from 1.

    `pixels` (H, W, 3) uint8, upright; `orientation` is how they were stored, 1..8.
    """

    number: int
    pixels: Pixels
    orientation: int


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a viewer shows of a file: those of its `count` pictures that are judged."""

    frames: tuple[Frame, ...]
    count: int
    format: str
    provenance: Provenance
    caveats: tuple[Caveat, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pictures of a file are wanted, of at most so many pixels in all.

    `begins` is called with those pixels before they are decoded. Without `lists` what the file says
    of itself is not looked at.
    """

    most_pixels: int
    frames: Frames = Frames.FIRST
    lists: Lists | None = None
    begins: Callable[[int], None] = lambda pixels: None


def show(data: bytes, what: str, wanted: Wanted, opened: bytes | Rest | None = None) -> Shown:
    """The pictures in `data`, a file of Pillow's format `what`, that are wanted.

    Where that file cannot be decoded as it is, `opened` is read in its place; what the file says of
    its picture still counts. Raises Refused for a first picture of more pixels than wanted, a raw
    photograph, and a JPEG of which too little is there. A later picture that is broken is left out.
    """
    rest = opened if isinstance(opened, Rest) else None
    bare = opened if isinstance(opened, bytes) else None
    file, stated = _openable(rest.data if rest else bare or data, what)
    with Image.open(file, formats=(what,)) as image:
        refuse_large(image.size, wanted.most_pixels)
        _refuse_raw(image, what)
        # of a file that is not whole, only the first picture is looked for
        numbers, broken = ([0], False) if rest else pages(image)
        held = image.width * image.height * (1 if wanted.frames is Frames.FIRST else len(numbers))
        wanted.begins(min(held, wanted.most_pixels))
        source = _Source(image, data, what, stated)
        first, ignored, cut = _first(source, rest, alone=len(numbers) == 1)
        # before other pictures are loaded: some formats forget what they said with the first
        name = image.format or what
        claim = read_provenance(image, data, wanted.lists) if wanted.lists else Provenance()
        others: list[Frame] = []
        if wanted.frames is not Frames.FIRST and len(numbers) > 1:
            times = times_of(data, what, max(numbers) + 1)
            most = wanted.most_pixels // (image.width * image.height)
            picked = [numbers[n] for n in chosen([times[n] for n in numbers], wanted.frames, most)]
            others, some_broken = _others(source, picked, wanted.most_pixels, first)
            broken |= some_broken
        caveats = ((Caveat.INCOMPLETE, cut or broken), (Caveat.PROFILE_IGNORED, ignored))
        return Shown(
            tuple(others) or (first,),
            len(numbers),
            name,
            claim,
            tuple(caveat for caveat, found in caveats if found),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """An opened file: its bytes, its format, and what a TIFF's pages said of their orientations."""

    image: Image.Image
    data: bytes
    what: str
    stated: tuple[int, ...]


def _first(source: _Source, rest: Rest | None, *, alone: bool) -> tuple[Frame, bool, bool]:
    """The first picture, and whether a profile was ignored and whether its end is missing."""
    image, what = source.image, source.what
    if rest and rest.partly and isinstance(image, ImageFile.ImageFile):
        load_part(image)
    else:
        _load(image, what)
    cut = rest is not None or _is_cut(image, source.data, what)
    stored, orientation, ignored = _stored(source, 0, alone=alone)
    if rest and what not in ("JPEG", "MPO"):  # these are shown with the grey that is there
        stored = stored.copy()
        stored[~rest.there] = _WHITE
    return Frame(1, pixels.upright(stored, orientation), orientation), ignored, cut


def _others(
    source: _Source, numbers: list[int], most_pixels: int, first: Frame
) -> tuple[list[Frame], bool]:
    """The pictures with these numbers, from 0, and whether one was left out.

    That is one that is broken, or for which there are not enough pixels left.
    """
    frames: list[Frame] = []
    image, left = source.image, most_pixels
    missing = False
    for number in numbers:
        frame = first
        if number:
            try:
                image.seek(number)
                if image.width * image.height > left:
                    missing = True
                    continue
                _load(image, source.what)
                stored, orientation, _ = _stored(source, number, alone=False)
            except (OSError, EOFError, SyntaxError, ValueError, KeyError, TypeError, IndexError):
                missing = True
                if source.what == "TIFF":  # its pages do not build on each other
                    continue
                break
            frame = Frame(number + 1, pixels.upright(stored, orientation), orientation)
        left -= frame.pixels.shape[0] * frame.pixels.shape[1]
        frames.append(frame)
    return frames, missing


def _load(image: Image.Image, what: str) -> None:
    if what == "TIFF":
        image.info.pop("xmp", None)  # Pillow would turn it by that; its tags still hold it
    image.load()


def _stored(source: _Source, number: int, *, alone: bool) -> tuple[Pixels, int, bool]:
    """The loaded picture in sRGB as it is stored, its orientation, and if a profile was ignored."""
    image, data, what = source.image, source.data, source.what
    if number < len(source.stated):
        orientation = source.stated[number]
    else:
        orientation = stored_orientation(image, data, what)
    colours = colouring(image, data, what)
    # colours are brought to sRGB in place, and the next frame may be drawn over this one
    picture = image if alone else image.copy()
    if what == "TGA" and picture.mode == "RGBA" and not data[_TGA_FLAGS] & 0x0F:
        picture.putalpha(_WHITE)  # the fourth byte is none of opacity, and often 0
    stored, ignored = pixels.rgb(picture, colours)
    return stored, orientation, ignored


def refuse_cut(share: float, what: str) -> None:
    """Raise Refused for a picture of which less than LEAST_SHARE is there."""
    if share < LEAST_SHARE:
        there = f"{int(share * 100)} % of it can be decoded"
        message = f"the {what} data end before the picture does: {there}"
        raise Refused(ErrorCode.TRUNCATED, message)


def _is_cut(image: Image.Image, data: bytes, what: str) -> bool:
    """Does a file that was decoded without an error still lack its end?"""
    if what == "PNG":
        return structure.ends_early(data, what)
    if what not in ("JPEG", "MPO"):
        return False
    if structure.ends_early(data, what):
        return True  # its end marker alone: the decoder missed no row
    if not may_be_cut(image):
        return False
    rest = rest_of(data, what, image.width * image.height)
    if rest is None or rest.share == 1.0:
        return False
    refuse_cut(rest.share, what)
    return True


def _refuse_raw(image: Image.Image, what: str) -> None:
    tags = getattr(image, "tag_v2", None) if what == "TIFF" else None
    if tags is not None and formats.is_raw_thumbnail(tags):
        raise Refused(ErrorCode.UNSUPPORTED, "found a raw photograph, which is not decoded")


def _openable(data: bytes, what: str) -> tuple[io.BytesIO, tuple[int, ...]]:
    """The file to open, and the orientations of a TIFF's pages, which it says no more."""
    return levelled_tiff(data) if what == "TIFF" else (io.BytesIO(data), ())
