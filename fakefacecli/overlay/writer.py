"""Overlays on disk: what the picture of a flagged face is called, and writing it."""

import os
import re

from PIL import Image

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.files import atomic_write, cannot_write, make_folders
from fakefacecli.base.records import ImageRef
from fakefacecli.overlay.mark import save_marked
from fakefacecli.overlay.names import fitted, flat, marked, parts_of, too_long
from fakefacecli.overlay.sheet import draw_overlay

__all__ = ["OverlayWriter", "draw_overlay", "overlay_name"]

JPEG_QUALITY = 90

_LIKE_AN_OVERLAY = re.compile(r"\.face[0-9]+\.jpg~*\Z", re.IGNORECASE)


def overlay_name(ref: ImageRef, number: int, sha256: str | None, frame: int = 1) -> str:
    """Path of the overlay of face `number` (from 1), under the overlays folder, with slashes.

    sub/a.jpg, face 2 -> sub/a.jpg.3fa1b2c4.face2.jpg, the digits being the first of `sha256`, the
    hash of the image's bytes: scans of other folders may share the overlays folder. Without it
    there are no digits, as in overlays of older versions. Two faces never share a path, nor does
    an overlay take a folder's: a folder that is called like an overlay gets a ~, and a name
    without room for its ending is cut and ends in a hash of the whole. A path of more than
    names.LONGEST_PATH bytes becomes one such name. A face of a later `frame` of its file names it,
    as in a.gif.3fa1b2c4.frame3.face2.jpg. Raises ValueError for a name that is empty,
    absolute or leads upwards.
    """
    if number < 1:
        raise ValueError(f"face number {number} found, wanted 1 or more")
    of_frame = f".frame{frame}" if frame > 1 else ""
    ending = marked(f"{of_frame}.face{number}.jpg", sha256)
    *folders, name = parts = parts_of(ref.name.replace(os.sep, "/"))
    if too_long(parts):
        return flat(parts, ending)
    return "/".join([*map(_folder, folders), fitted(name, ending)])


class OverlayWriter:
    """Writes overlays under `folder`, which it makes; raises CannotWrite when it cannot."""

    def __init__(self, folder: str):
        self.folder = folder

    def write(self, name: str, picture: Image.Image) -> None:
        """Save `picture` as JPEG at `name` (of `overlay_name`), whole or not at all.

        A symbolic link among the folders of `name` is refused: it could lead anywhere.
        """
        *folders, last = parts_of(name)
        target = os.path.join(self.folder, *folders, last)
        try:
            make_folders(self.folder, folders)
        except NotADirectoryError as error:
            raise CannotWrite(
                f"cannot write {target}: {error.filename} is not a"
                " folder of its own; remove it or choose another overlays folder"
            ) from error
        except OSError as error:
            raise cannot_write(target, error) from error
        with atomic_write(target) as handle:
            save_marked(picture, handle, "JPEG", JPEG_QUALITY)


def _folder(part: str) -> str:
    """A source folder's name among the overlays, where overlays are files."""
    return fitted(part, "~" if _LIKE_AN_OVERLAY.search(part) else "")
