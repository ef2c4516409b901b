"""Lists of known pictures, by PDQ or by sha256, and what in them an image matches."""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import UsageError
from fakefacecli.base.evidence import KnownPicture, PerceptualHash
from fakefacecli.evidence.pdq import LEAST_QUALITY, MOST_DISTANCE

_HEX = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_LINE = re.compile(r"(?:(pdq|sha256)[\s,:]+)?([0-9a-f]{64})\b\s*(.*)", re.IGNORECASE)
# of another kind, such as vpdq or video_md5
_OTHER = re.compile(r"(?!pdq\b|sha256\b)[a-z][\w-]{1,30}\s+\S{3,}", re.IGNORECASE)
_WORDS = 4  # of 64 bits
_MOST_BYTES = 1 << 30
# the most serious first
_ORDER = ("fake", "unsure", "", "real")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: a hash of one kind or both, in small letters, and what is said of it."""

    pdq: str = ""
    sha256: str = ""
    label: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class KnownList:
    """A file of entries; `skipped` counts its lines of kinds that are not known here."""

    path: str
    sha256: str
    entries: tuple[Entry, ...]
    skipped: int = 0


class Hashes:
    """PDQ hashes that another one can be compared with, all at once; more can be added."""

    def __init__(self, digits: Sequence[str] = ()):
        words = np.frombuffer(bytes.fromhex("".join(digits)), ">u8").reshape(-1, _WORDS)
        # a column for each word: sums over a short last axis are slow
        self._columns = np.ascontiguousarray(words.T.astype(np.uint64))
        self._count = len(digits)

    def __len__(self) -> int:
        return self._count

    def add(self, digits: str) -> None:
        """One more, at the end."""
        if self._count == self._columns.shape[1]:
            wider = np.zeros((_WORDS, max(1024, 2 * self._count)), np.uint64)
            wider[:, : self._count] = self._columns
            self._columns = wider
        self._columns[:, self._count] = np.frombuffer(bytes.fromhex(digits), ">u8")
        self._count += 1

    def distances(self, digits: str) -> npt.NDArray[np.uint8]:
        """To each of them in bits, (N,); 255 stands for 255 and 256."""
        words = np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64)
        total = np.zeros(self._count, np.uint16)
        for column, word in zip(self._columns[:, : self._count], words, strict=True):
            total += np.bitwise_count(column ^ word)
        return np.minimum(total, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class KnownPictures:
    """All entries of some lists, to be asked for a match."""

    lists: tuple[KnownList, ...]
    _by_sha256: dict[str, list[Entry]] = field(default_factory=dict, compare=False)
    _hashed: list[Entry] = field(default_factory=list, compare=False)
    _hashes: Hashes = field(default_factory=Hashes, compare=False)

    @property
    def sha256(self) -> str:
        """One hash over all lists."""
        return hashlib.sha256(" ".join(one.sha256 for one in self.lists).encode()).hexdigest()

    @property
    def needs_pdq(self) -> bool:
        """Whether an entry can only be matched by PDQ."""
        return any(not entry.sha256 for entry in self._hashed)

    def match(self, sha256: str | None, pdq: PerceptualHash | None) -> KnownPicture | None:
        """The nearest entry, of equally near ones the most serious; None for an unknown picture.

        The same bytes match before all hashes. A hash matches within MOST_DISTANCE bits, if its
        quality is at least LEAST_QUALITY.
        """
        if same := self._by_sha256.get(sha256 or ""):
            return _found(same, 0)
        if pdq is None or pdq.quality < LEAST_QUALITY or not len(self._hashes):
            return None
        distances = self._hashes.distances(pdq.digits)
        nearest = int(distances.min())
        if nearest > MOST_DISTANCE:
            return None
        places = np.flatnonzero(distances == nearest).tolist()
        return _found([self._hashed[place] for place in places], nearest)


def read_known(paths: Sequence[str]) -> KnownPictures:
    """The lists in these files; UsageError for what is no such list, with its line."""
    lists = tuple(_read(path) for path in paths)
    by_sha256: dict[str, list[Entry]] = {}
    entries = [entry for one in lists for entry in one.entries]
    for entry in entries:
        if entry.sha256:
            by_sha256.setdefault(entry.sha256, []).append(entry)
    hashed = [entry for entry in entries if entry.pdq]
    return KnownPictures(lists, by_sha256, hashed, Hashes([entry.pdq for entry in hashed]))


def _found(entries: Sequence[Entry], distance: int) -> KnownPicture:
    def seriousness(entry: Entry) -> int:
        label = entry.label.lower()
        return _ORDER.index(label) if label in _ORDER else _ORDER.index("")

    best = min(entries, key=seriousness)
    return KnownPicture(best.label, best.note, distance)


def _read(path: str) -> KnownList:
    try:
        with open(path, "rb") as handle:
            data = handle.read(_MOST_BYTES)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not text in UTF-8; wanted a list of known pictures") from error
    head = next((line for line in text.splitlines() if line.strip()), "")
    columns = [name.strip().lower() for name in head.split(",")]
    table = {"pdq", "sha256"}.intersection(columns) and not _LINE.match(head.strip())
    skipped: list[int] = []
    found = list(_of_table(path, text) if table else _of_lines(path, text, skipped))
    if not found:
        raise UsageError(f"{path}: no hash in it; wanted CSV with a column pdq or sha256, or lines")
    return KnownList(path, hashlib.sha256(data).hexdigest(), tuple(found), len(skipped))


def _of_table(path: str, text: str) -> Iterator[Entry]:
    """A CSV with the columns pdq or sha256, label (or decision, as the HTML page has it), note."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\r\n"), newline=""), strict=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    try:
        for row in reader:
            # the apostrophe that keeps spreadsheets from running a cell, see reports.rows.guarded
            cells = {
                key: (value or "").removeprefix("'").strip() for key, value in row.items() if key
            }
            pdq, sha256 = (cells.get(name, "").lower() for name in ("pdq", "sha256"))
            if not pdq and not sha256:
                continue  # of a file that could not be read
            for name, digits in (("pdq", pdq), ("sha256", sha256)):
                if digits and not _HEX.fullmatch(digits):
                    where = f"{path}, line {reader.line_num}"
                    raise UsageError(f"{where}: {name} '{digits[:80]}' found, wanted 64 hex digits")
            label = cells.get("label") or cells.get("decision", "")
            yield Entry(pdq, sha256, label, cells.get("note", ""))
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _of_lines(path: str, text: str, skipped: list[int]) -> Iterator[Entry]:
    """Lines such as `pdq HEX`, as ThreatExchange's tool writes them; a bare HEX is PDQ."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        if match := _LINE.match(words):
            kind, digits, note = match[1] or "pdq", match[2].lower(), match[3].strip()
            if kind.lower() == "pdq":
                yield Entry(pdq=digits, note=note)
            else:
                yield Entry(sha256=digits, note=note)
        elif _OTHER.match(words):
            skipped.append(number)
        else:
            where = f"{path}, line {number}"
            raise UsageError(f"{where}: '{words[:60]}' found, wanted 'pdq' and 64 hex digits")
