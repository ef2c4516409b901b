"""Writing files whole or not at all: beside the target, fsynced, then moved into place."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import IO, Any

from fakefacecli.base.errors import CannotWrite

_ENDING = ".part"


@contextlib.contextmanager
def atomic_write(target: str, mode: str = "wb", most: int = 0o666, **how: Any) -> Iterator[IO[Any]]:
    """Open a file that replaces `target` when the block ends well, and vanishes when it does not.

    It gets the permissions of the file it replaces, or `most` less the umask. Raises CannotWrite,
    naming `target`, when the disk is full or the folder refuses the file; the old `target` is then
    byte for byte what it was.
    """
    folder = os.path.dirname(target) or "."
    beside = os.path.join(folder, _part(target, secrets.token_hex(8)))
    kept = _permissions(target)
    try:
        # "x", exclusive: a link that somebody put under this name is not followed. With the old
        # permissions from the start: who opens the file before they are set could read all of it
        with open(
            beside,
            mode.replace("w", "x"),
            opener=lambda path, flags: os.open(path, flags, most if kept is None else kept),
            **how,
        ) as handle:
            if kept is not None:
                with contextlib.suppress(OSError):  # some file systems know no permissions
                    # the umask may have taken away bits that the old file had
                    os.fchmod(handle.fileno(), kept)
            yield handle
            settle(handle)
        # the file is on the disk before its name is: a power cut leaves the old file or the new one
        os.replace(beside, target)
        sync_folder(folder)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        # after the rename there is nothing of this name any more, and the error is ignored
        with contextlib.suppress(OSError):
            os.unlink(beside)


def settle(handle: IO[Any]) -> None:
    """Put everything written so far on the disk; OSError when it has no room."""
    # flush gives Python's buffer to the system, fsync the system's to the disk: some file systems
    # say only then that they are full
    handle.flush()
    os.fsync(handle.fileno())


def sweep(target: str) -> None:
    """Remove what killed runs left unfinished beside `target`; its lock must be held."""
    with contextlib.suppress(OSError), os.scandir(os.path.dirname(target) or ".") as entries:
        for entry in entries:
            # the name of `target` is hashed into it: parts of other targets stay
            if entry.name.startswith(_part(target, "")[: -len(_ENDING)]):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def sync_folder(folder: str) -> None:
    """Make renames in `folder` survive a power cut, where the system lets us."""
    with contextlib.suppress(OSError):  # some file systems refuse fsync on a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256_of_file(path: str) -> str:
    """The sha256 of a file's bytes in hex, read in parts; OSError."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def open_plain(path: str, flags: int = 0) -> int:
    """Open a regular file of ours for reading and writing; no link is followed.

    Raises CannotWrite when `path` is something special; OSError when it cannot be opened.
    """
    # without O_NONBLOCK, opening a named pipe would wait for somebody to open its other end
    ours = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(path, ours | flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise in_the_way(path) from error
        raise
    # fstat of the open file, not stat of the name, which may be another file's by now
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise in_the_way(path)
    return handle


def make_folders(root: str, parts: list[str]) -> str:
    """Make `root` and the folders `parts` in it, each inside the one before; the last one's path.

    Raises NotADirectoryError, naming it, where one of `parts` is something else, such as a link,
    which could lead anywhere. Other OSErrors are raised unchanged.
    """
    os.makedirs(root, exist_ok=True)
    here = root
    for part in parts:
        here = os.path.join(here, part)
        with contextlib.suppress(FileExistsError):
            os.mkdir(here)
        # lstat and not stat: a link to a folder is refused as well
        if not stat.S_ISDIR(os.lstat(here).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), here)
    return here


def require_folder(target: str) -> None:
    """Raise CannotWrite when the folder that `target` should go into is not there."""
    folder = os.path.dirname(target) or "."
    if not os.path.isdir(folder):
        raise CannotWrite(f"cannot write {target}: there is no folder {folder}; make it first")


@contextlib.contextmanager
def local_faults(path: str) -> Iterator[None]:
    """Let an OSError of the block be CannotWrite: a fault of the disk here, not of a store."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(target: str, error: OSError) -> CannotWrite:
    """The one wording for every failed write."""
    why = (error.strerror or type(error).__name__).lower()
    return CannotWrite(f"cannot write {target}: {why}; nothing was replaced")


def in_the_way(path: str) -> CannotWrite:
    """The wording for a link, a folder, a pipe or a foreign file where ours should be."""
    return CannotWrite(
        f"cannot write {path}: something that is not fakeface's has this name; "
        "remove it, or name another report"
    )


def _part(target: str, chance: str) -> str:
    """An unfinished file's name: short, because `target` may already be as long as is allowed."""
    tag = hashlib.sha256(os.fsencode(os.path.basename(target))).hexdigest()[:8]
    return f".fakeface-{tag}-{chance}{_ENDING}"


def _permissions(target: str) -> int | None:
    with contextlib.suppress(OSError):
        # & 0o777: a report is no program, so it does not inherit set-uid and set-gid
        mode = os.lstat(target).st_mode
        return stat.S_IMODE(mode) & 0o777 if stat.S_ISREG(mode) else None
    return None
