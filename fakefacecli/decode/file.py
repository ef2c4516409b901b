"""The bytes of an untrusted path: regular files only, never waiting, never more than asked for."""

import errno
import os
import stat

from fakefacecli.base.records import FileFacts
from fakefacecli.base.verdicts import ErrorCode

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
_NO_ENTRY = frozenset({errno.EACCES, errno.EPERM})
_NO_FILE = frozenset({errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV})


class Refused(Exception):
    """A verdict on a file, not an error of ours."""

    def __init__(self, code: ErrorCode, message: str, facts: FileFacts | None = None):
        super().__init__(message)
        self.code, self.message, self.facts = code, message, facts


def refuse_large(size: tuple[int, int], most_pixels: int) -> None:
    """Raise Refused for a picture that its header says has more than `most_pixels`."""
    width, height = size
    if width * height > most_pixels:
        found = f"{width}x{height} is {width * height:,} pixels"
        message = f"{found}, at most {most_pixels:,} are decoded"
        raise Refused(ErrorCode.TOO_LARGE, message)


def read_file(path: str, most: int, follow: bool = True) -> tuple[bytes, FileFacts]:
    """The file's bytes, and their number and the file's time.

    Raises Refused for what is no regular file (nor, without `follow`, a link to one), cannot be
    read, is empty or has more than `most` bytes. Never waits on a pipe or a device.
    """
    try:
        # opening a device can already do something
        _require_regular(os.stat(path, follow_symlinks=follow))
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
        with open(handle, "rb") as file:
            # what was opened may be another file than the one that was looked at above
            status = os.fstat(handle)
            _require_regular(status)
            # one byte more than there should be: a file that grows meanwhile is noticed
            data = b"" if status.st_size > most else file.read(status.st_size + 1)
    except OSError as error:
        raise _why_not(error) from error
    except ValueError as error:  # a NUL, or a character that no file name can hold
        raise Refused(ErrorCode.NOT_A_FILE, "no file can have this name") from error
    facts = FileFacts(size=status.st_size, mtime_ns=status.st_mtime_ns)
    if status.st_size > most:
        message = f"the file has {status.st_size:,} bytes, at most {most:,} are read"
        raise Refused(ErrorCode.TOO_LARGE, message, facts)
    if len(data) != status.st_size:
        raise Refused(ErrorCode.IO_ERROR, "the file changed while it was read", facts)
    if not data:
        raise Refused(ErrorCode.EMPTY, "the file is empty", facts)
    return data, facts


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFLNK: "a symbolic link",
            stat.S_IFIFO: "a named pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(status.st_mode), "something else")
        raise Refused(ErrorCode.NOT_A_FILE, f"found {kind}, wanted a regular file")


def _why_not(error: OSError) -> Refused:
    number = error.errno or 0
    if number in _GONE:
        return Refused(ErrorCode.VANISHED, "the file is gone, or a link that leads nowhere")
    if number in _NO_ENTRY:
        return Refused(ErrorCode.FORBIDDEN, "no permission to read the file")
    if number in _NO_FILE:
        return Refused(ErrorCode.NOT_A_FILE, "not a regular file, or links that lead in a circle")
    reason = errno.errorcode.get(number, "unknown error")
    return Refused(ErrorCode.IO_ERROR, f"the file cannot be read ({reason})")
