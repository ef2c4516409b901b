"""A file's bytes to the picture that a viewer shows: upright, in sRGB, see-through over white.

Everything here may raise whatever a decoder raises: the caller turns it into an error code.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageFile

from fakefacecli.base.records import Pixels, Provenance
from fakefacecli.base.verdicts import Caveat, ErrorCode
from fakefacecli.decode import formats, pixels
from fakefacecli.decode.colour import colouring
from fakefacecli.decode.file import Refused, refuse_large
from fakefacecli.decode.incomplete import LEAST_SHARE, Rest, load_part, may_be_cut, rest_of
from fakefacecli.decode.orientation import levelled_tiff, stored_orientation
from fakefacecli.evidence import structure
from fakefacecli.evidence.provenance import read_provenance

_WHITE = 255
_TGA_FLAGS = 17  # its lower four bits count those of opacity


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """`pixels` (H, W, 3) uint8, upright; `orientation` is how they were stored, 1..8."""

    pixels: Pixels
    orientation: int
    format: str
    provenance: Provenance
    caveats: tuple[Caveat, ...]


def show(data: bytes, what: str, most_pixels: int, opened: bytes | Rest | None = None) -> Shown:
    """The first picture in `data`, a file of Pillow's format `what`.

    Where that file cannot be decoded as it is, `opened` is read in its place; what the file says of
    its picture still counts. Raises Refused for more than `most_pixels`, a raw photograph, and a
    JPEG of which too little is there.
    """
    rest = opened if isinstance(opened, Rest) else None
    bare = opened if isinstance(opened, bytes) else None
    file, stated = _openable(rest.data if rest else bare or data, what)
    with Image.open(file, formats=(what,)) as image:
        refuse_large(image.size, most_pixels)
        _refuse_raw(image, what)
        if what == "TIFF":
            image.info.pop("xmp", None)  # Pillow would turn it by that; its tags still hold it
        if rest and rest.partly and isinstance(image, ImageFile.ImageFile):
            load_part(image)
        else:
            image.load()
        orientation = stated[0] if stated else stored_orientation(image, data, what)
        cut = rest is not None or _is_cut(image, data, what)
        # before its mode changes: the colours are brought to sRGB in place
        colours = colouring(image, data, what)
        if what == "TGA" and image.mode == "RGBA" and not data[_TGA_FLAGS] & 0x0F:
            image.putalpha(_WHITE)  # the fourth byte is none of opacity, and often 0
        stored, ignored = pixels.rgb(image, colours)
        if rest and what not in ("JPEG", "MPO"):  # these are shown with the grey that is there
            stored = stored.copy()
            stored[~rest.there] = _WHITE
        caveats = ((Caveat.INCOMPLETE, cut), (Caveat.PROFILE_IGNORED, ignored))
        return Shown(
            pixels.upright(stored, orientation),
            orientation,
            image.format or what,
            read_provenance(image, data),
            tuple(caveat for caveat, found in caveats if found),
        )


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
