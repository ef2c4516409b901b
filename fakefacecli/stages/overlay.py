"""Overlays on disk: what the picture of a flagged face is called, and writing it."""

import hashlib
import os
import re
import stat

from PIL import Image

from fakefacecli.errors import CannotWrite
from fakefacecli.files import cannot_write, whole
from fakefacecli.records import ImageRef
from fakefacecli.stages.overlay_sheet import draw_overlay
from fakefacecli.text import printable

__all__ = ["OverlayWriter", "draw_overlay", "overlay_name"]

LONGEST = 255  # bytes a name may have on ext4, xfs, btrfs, apfs and ntfs
JPEG_QUALITY = 90

_HASH_CHARS = 32
_LIKE_AN_OVERLAY = re.compile(r"\.face[0-9]+\.jpg~*\Z", re.IGNORECASE)
_LIKE_A_CUT = re.compile(rf"~[0-9a-f]{{{_HASH_CHARS}}}~?\Z", re.IGNORECASE)


def overlay_name(ref: ImageRef, number: int) -> str:
    """Path of the overlay of face `number` (from 1), under the overlays folder, with slashes.

    sub/a.jpg, face 2 -> sub/a.jpg.face2.jpg. Two faces never share a path, nor does an overlay
    take a folder's: a folder that is called like an overlay gets a ~, and a name without room for
    its ending is cut and ends in a hash of the whole. Raises ValueError for a name that is empty,
    absolute or leads upwards.
    """
    if number < 1:
        raise ValueError(f"face number {number} found, wanted 1 or more")
    *folders, name = _parts(ref.name.replace(os.sep, "/"))
    return "/".join([*map(_folder, folders), _fitted(name, f".face{number}.jpg")])


class OverlayWriter:
    """Writes overlays under `folder`, which it makes; raises CannotWrite when it cannot."""

    def __init__(self, folder: str):
        self.folder = folder

    def write(self, name: str, picture: Image.Image) -> None:
        """Save `picture` as JPEG at `name` (of `overlay_name`), whole or not at all.

        A symbolic link among the folders of `name` is refused: it could lead anywhere.
        """
        *folders, last = _parts(name)
        target = os.path.join(self.folder, *folders, last)
        try:
            os.makedirs(self.folder, exist_ok=True)
            here = self.folder
            for folder in folders:
                here = os.path.join(here, folder)
                if not _is_own_folder(here):
                    raise CannotWrite(
                        f"cannot write {printable(target)}: {printable(here)} is not a folder of"
                        " its own; remove it or choose another overlays folder"
                    )
        except OSError as error:
            raise cannot_write(target, error) from error
        with whole(target) as handle:
            picture.save(handle, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _is_own_folder(path: str) -> bool:
    """Make the folder `path`; False where something else, such as a link, is in its place."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    return True


def _parts(name: str) -> list[str]:
    """The components of a relative path with slashes; ValueError if it could lead elsewhere."""
    parts = name.split("/")
    if os.path.isabs(name) or "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"name {printable(name)!r} found, wanted a path that stays in its folder")
    return parts


def _folder(part: str) -> str:
    """A source folder's name among the overlays, where overlays are files."""
    return _fitted(part, "~" if _LIKE_AN_OVERLAY.search(part) else "")


def _fitted(part: str, ending: str) -> str:
    """`part` and `ending` in LONGEST bytes at most.

    A part that looks as if it had been cut is hashed as well, so that no other file can be given
    the path of a cut one's overlay.
    """
    if len(os.fsencode(part + ending)) <= LONGEST and not _LIKE_A_CUT.search(part):
        return part + ending
    ending = f"~{hashlib.sha256(os.fsencode(part)).hexdigest()[:_HASH_CHARS]}{ending}"
    kept = part[: LONGEST - len(ending)]
    while len(os.fsencode(kept + ending)) > LONGEST:  # by characters: half of one is not UTF-8
        kept = kept[:-1]
    return kept + ending
