"""Writing files whole or not at all: beside the target, fsynced, then moved into place."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import IO, Any

from fakefacecli.errors import CannotWrite
from fakefacecli.text import printable


@contextlib.contextmanager
def whole(target: str, mode: str = "wb", **how: Any) -> Iterator[IO[Any]]:
    """Open a file that replaces `target` when the block ends well, and vanishes when it does not.

    Raises CannotWrite, naming `target`, when the disk is full or the folder refuses the file; the
    old `target` is then byte for byte what it was.
    """
    folder = os.path.dirname(target) or "."
    # short and random: a target whose own name is as long as names can be still gets a neighbour
    beside = os.path.join(folder, f".fakeface-{secrets.token_hex(8)}.part")
    try:
        with open(beside, mode, **how) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, target)
        sync_folder(folder)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def sync_folder(folder: str) -> None:
    """Make renames in `folder` survive a power cut, where the system lets us."""
    with contextlib.suppress(OSError):  # some file systems refuse fsync on a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def cannot_write(target: str, error: OSError) -> CannotWrite:
    """The one wording for every failed write."""
    why = (error.strerror or type(error).__name__).lower()
    return CannotWrite(f"cannot write {printable(target)}: {why}; nothing was replaced")


def inside(folder: str, target: str) -> None:
    """Raise CannotWrite unless `target`'s folder lies in `folder`, links resolved."""
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(os.path.dirname(target))]) != root:
        raise CannotWrite(
            f"cannot write {printable(target)}: a link leads out of {printable(folder)}; remove it"
        )
