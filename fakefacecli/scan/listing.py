"""The listing of --files-from: paths, one a line, as other programs and our reports write them."""

import codecs
import os
from collections.abc import Iterator
from typing import IO

from fakefacecli.base.errors import UsageError
from fakefacecli.base.text import exact

# a listing is held in memory: these allow a million paths of 256 bytes, but no endless stream
LISTING_BYTES = 256 << 20
LISTING_PATHS = 4_000_000

# UTF-32 first: in little-endian order its mark begins with that of UTF-16
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def listing_bytes(handle: IO[bytes]) -> bytes:
    """All of a --files-from listing; UsageError when it is too long to be one."""
    data = handle.read(LISTING_BYTES + 1)
    if len(data) > LISTING_BYTES:
        raise UsageError(
            f"the --files-from listing has more than {LISTING_BYTES >> 20} MiB; is it a listing? "
            "If so, split it"
        )
    return data


def read_listing(data: bytes, zero: bool) -> tuple[str, ...]:
    """The paths in a --files-from listing: separated by newlines, or by NUL with `zero`.

    A byte order mark of UTF-8 is dropped. Where every line ends in CR LF the CR belongs to the
    line's end, not to the name. A path may also be written as a CSV report writes it, escaped:
    that counts where there is no file of the very name.
    """
    _refuse_wide(data, zero)
    data = data.removeprefix(codecs.BOM_UTF8)
    if not zero and data.count(b"\r\n") == data.count(b"\n"):
        data = data.replace(b"\r\n", b"\n")
    between = b"\0" if zero else b"\n"
    if data.count(between) > LISTING_PATHS:
        raise UsageError(f"the --files-from listing has over {LISTING_PATHS:,} paths; split it")
    entries = data.split(between)
    return tuple(_meant(os.fsdecode(entry)) for entry in entries if entry)


def _refuse_wide(data: bytes, zero: bool) -> None:
    """Raise UsageError for text in UTF-16 or UTF-32, and for NUL bytes without -0."""
    wide = next((name for mark, name in _WIDE.items() if data.startswith(mark)), "")
    nuls = data.count(0)
    # a mark alone is not enough: a name may begin with these bytes. But in UTF-16 every "/", every
    # "." and every line end has a NUL byte
    if wide and (nuls * 4 < len(data) if zero else not nuls):
        wide = ""
    if not wide and not zero and (b"\n\0" in data or b"\0\n" in data):
        # without a mark: NUL bytes are mostly the first, or mostly the second, of their pairs
        evens = data[::2].count(0)
        wide = "UTF-16" if 4 * min(evens, nuls - evens) < max(evens, nuls - evens) else ""
    if wide:
        raise UsageError(
            f"the --files-from listing is in {wide}; wanted UTF-8: "
            f"iconv -f {wide} -t UTF-8 LISTING | fakeface scan --files-from -"
        )
    if not zero and nuls:
        raise UsageError("the --files-from listing holds NUL bytes; read it with -0")


def _meant(entry: str) -> str:
    """The path that an entry stands for: itself, or what it is the escaped form of."""
    return next((path for path in _readings(entry) if os.path.lexists(path)), entry)


def _readings(entry: str) -> Iterator[str]:
    # most entries have one reading, and the file system is not asked for it
    bare = entry.removeprefix("'")  # see reports.rows.guarded
    if "\\" not in entry and bare == entry:
        return
    yield entry
    yield exact(entry)
    if bare != entry:
        yield from (bare, exact(bare))
