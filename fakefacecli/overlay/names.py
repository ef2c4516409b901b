"""Names of files that are made for inputs: one each, never too long, always the same."""

import hashlib
import os
import re

LONGEST = 255  # bytes a name may have on ext4, xfs, btrfs, apfs and ntfs
# half of Linux's PATH_MAX, so that the folder above may take the other half
LONGEST_PATH = 2048
MARK_CHARS = 8  # of the content's sha256, in hex

_HASH_CHARS = 32
_LIKE_A_CUT = re.compile(
    rf"~[0-9a-f]{{{_HASH_CHARS}}}~?(\.[a-z0-9]{{1,8}})?\Z", re.IGNORECASE | re.ASCII
)


def parts_of(name: str) -> list[str]:
    """The components of a relative path with slashes; ValueError if it could lead elsewhere."""
    parts = name.split("/")
    if os.path.isabs(name) or "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"name {name!r} found, wanted a path that stays in its folder")
    return parts


def too_long(parts: list[str]) -> bool:
    """Whether a path of `parts` has to become one `flat` name."""
    return len(os.fsencode("/".join(parts))) > LONGEST_PATH


def fitted(part: str, ending: str) -> str:
    """`part` and `ending` in LONGEST bytes at most.

    A part that looks as if it had been cut is hashed as well, so that no other file can be given
    the path of a cut one's.
    """
    if len(os.fsencode(part + ending)) <= LONGEST and not _LIKE_A_CUT.search(part):
        return part + ending
    return _cut(part, part, ending)


def flat(parts: list[str], ending: str) -> str:
    """One name for a whole path: as much of its last part as fits, and a hash of it all."""
    return _cut(parts[-1], "/".join(parts), ending)


def marked(ending: str, sha256: str | None, chars: int = MARK_CHARS) -> str:
    """`ending` behind the first digits of the content's hash: other content gets another name."""
    digits = (sha256 or "")[:chars]
    return f".{digits}{ending}" if digits else ending


def _cut(part: str, hashed: str, ending: str) -> str:
    ending = f"~{hashlib.sha256(os.fsencode(hashed)).hexdigest()[:_HASH_CHARS]}{ending}"
    kept = part[: LONGEST - len(ending)]
    while len(os.fsencode(kept + ending)) > LONGEST:  # by characters: half of one is not UTF-8
        kept = kept[:-1]
    return kept + ending
