"""What a file's name says of it: an image's suffix, what file managers leave, patterns."""

import fnmatch
import os

IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib"),
        *("tif", "tiff", "heic", "heif", "hif", "avif"),
        *("jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "ppm", "pgm", "pbm", "pnm", "pfm", "tga"),
    )
)
OWN_PARTS = ".fakeface-"  # files.atomic_write's unfinished files
# what file managers leave in folders: AppleDouble companions ("._" before the name of a file that
# was copied from a Mac) and the settings and thumbnails of a folder
_COMPANION = "._"
_SYSTEM_FILES = frozenset(
    {".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini"}
)


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Whether a relative path, or its last part alone, fits one of the patterns."""
    # whatever the case: cameras write .JPG, people --include "*.jpg"
    name = name.lower()
    base = os.path.basename(name)
    patterns = [glob.lower() for glob in globs]
    return any(fnmatch.fnmatchcase(name, g) or fnmatch.fnmatchcase(base, g) for g in patterns)


def has_image_suffix(name: str) -> bool:
    """Whether the suffix is that of an image format."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def left_behind(name: str) -> str:
    """What a file manager has left under this name; "" for any other."""
    if name.startswith(_COMPANION):
        return "companion file of macOS"
    return "system file" if name.lower() in _SYSTEM_FILES else ""
