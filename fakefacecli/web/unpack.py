"""Unpacking an uploaded zip: within limits, into one flat folder, and never outside of it."""

import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from fakefacecli.base.errors import UsageError
from fakefacecli.base.text import printable

_PIECE = 1 << 20
_LONGEST = 200  # bytes of a name; file systems take 255
_NOT_OURS = ("__MACOSX", ".DS_Store")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of what is unpacked: how many files, bytes of one, bytes of all."""

    files: int = 1000
    file_bytes: int = 200 << 20
    all_bytes: int = 2 << 30


@dataclass(slots=True)
class Unpacked:
    """How many files were unpacked, and how many entries were left out, by the reason."""

    files: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def unpack(
    path: str, folder: str, limits: Limits, stop: Callable[[], None] = lambda: None
) -> Unpacked:
    """Unpack the zip at `path` into `folder`; sub/a.jpg becomes sub__a.jpg.

    Links, folders and encrypted entries are left out. Raises UsageError for what is no zip, is
    damaged, or holds more than `limits` allow.
    """
    found = Unpacked()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > limits.files:
                raise UsageError(
                    f"the zip holds {len(entries):,} files; wanted {limits.files:,} or fewer. "
                    "Divide it, or use fakeface scan"
                )
            room, names = limits.all_bytes, set[str]()
            for entry in entries:
                stop()
                if why := _unwanted(entry):
                    found.left_out[why] += 1
                    continue
                name = _flat(entry.filename, names)
                room -= _copy(archive, entry, os.path.join(folder, name), limits, room)
                found.files += 1
    # what a damaged archive raises: also NotImplementedError for a method it does not know,
    # RuntimeError for a password, and errors of the decompressors
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise UsageError(
            "this is no zip that can be read, or it is damaged; make it again"
        ) from error
    except RuntimeError as error:
        raise UsageError("the zip cannot be unpacked; make one without a password") from error
    return found


def _unwanted(entry: zipfile.ZipInfo) -> str:
    """Why an entry is left out; "" for one that is taken."""
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "links and special files"
    if entry.flag_bits & 1:
        return "encrypted files"
    parts = entry.filename.replace("\\", "/").split("/")
    if any(part in _NOT_OURS or part.startswith("._") for part in parts):
        return "files of macOS"
    return ""


def _flat(name: str, taken: set[str]) -> str:
    """A file name of its own for the entry `name`, wherever that leads."""
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".", "..")]
    # a control character in a name would be a nuisance to everybody; a leading dot would hide it
    whole = printable("__".join(parts)).replace("\\", "_").lstrip(".") or "file"
    stem, suffix = os.path.splitext(whole)
    suffix = suffix.encode()[:20].decode(errors="ignore")
    for number in range(1, len(taken) + 2):
        end = (f"-{number}" if number > 1 else "") + suffix
        fitted = stem.encode()[: _LONGEST - len(end.encode())].decode(errors="ignore") + end
        if fitted.casefold() not in taken:
            break
    taken.add(fitted.casefold())
    return fitted


def _copy(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: str, limits: Limits, room: int
) -> int:
    """Unpack one entry and return its bytes, counted here: a header may lie."""
    written = 0
    with archive.open(entry) as source, open(target, "xb") as handle:
        while piece := source.read(_PIECE):
            written += len(piece)
            if written > limits.file_bytes or written > room:
                name = printable(entry.filename)[:80]
                raise UsageError(
                    f"the zip holds too much: {name} goes over the limit of "
                    f"{limits.file_bytes >> 20} MB a file and {limits.all_bytes >> 20} MB in all"
                )
            handle.write(piece)
    return written
