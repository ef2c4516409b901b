import codecs
import json
import os
import pathlib

import pytest

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef
from fakefacecli.reports.rows import CsvWriter, JsonLinesWriter, RowFacts, guarded
from fakefacecli.scan.listing import read_listing
from fakefacecli.scan.source import PathSource
from tests import builders
from tests.command import fakeface

FACTS = RowFacts("run1", "model-x", "a" * 64)
NAMES = [
    "soft\u00adhyphen.jpg",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.jpg",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family.jpg",
    "back\\slash.jpg",
    "looks\\u200dlike.jpg",
    "bidi \u202egpj.jpg",
    "tab\there.jpg",
    "e\u0301.jpg",
    "=formula.jpg",
    "'quoted'.jpg",
    "\U000f0000private.jpg",
]
RAW = os.fsdecode(b"latin \xe9.jpg")


def test_listings_are_split_at_newlines_or_nul() -> None:
    assert read_listing(b"a.jpg\nb c.jpg\n\n", zero=False) == ("a.jpg", "b c.jpg")
    assert read_listing(b"a.jpg\r\nb.jpg\r\n", zero=False) == ("a.jpg", "b.jpg")
    assert read_listing(b"a\r\nb\n", zero=False) == ("a\r", "b")
    assert read_listing(b"a\nb.jpg\0c.jpg\0", zero=True) == ("a\nb.jpg", "c.jpg")
    with pytest.raises(UsageError, match="-0"):
        read_listing(b"a\0b", zero=False)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name in (*NAMES, RAW):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(listing: bytes) -> list[str]:
    items = PathSource(SourceOptions(listed=read_listing(listing, zero=False)))
    return [item.path if isinstance(item, ImageRef) else "gone" for item in items]


def path_in(report: str) -> dict[str, str]:
    row: dict[str, str] = json.loads(report)
    return row


@pytest.mark.parametrize("name", NAMES)
def test_a_json_path_is_the_name_itself_and_opens_the_file(name: str, folder: pathlib.Path) -> None:
    line = JsonLinesWriter(FACTS).rows(builders.report(name=name))
    assert line.isascii()
    assert path_in(line)["path"] == f"in/{name}"
    assert "path_bytes" not in path_in(line)
    assert opened(name.encode() + b"\n") == [name]


@pytest.mark.parametrize("name", [*NAMES, RAW])
def test_a_listing_takes_names_as_a_csv_report_writes_them(name: str, folder: pathlib.Path) -> None:
    from fakefacecli.base.text import printable

    cell = str(guarded(printable(name)))
    assert cell.removeprefix("'") in CsvWriter(FACTS).rows(builders.report(name=name))
    assert opened(cell.encode() + b"\n") == [name]


def test_the_very_name_comes_before_what_it_could_stand_for(folder: pathlib.Path) -> None:
    escaped = r"soft\u00adhyphen.jpg"
    (folder / escaped).write_bytes(b"\xff\xd8\xff\xe0")
    assert opened(escaped.encode()) == [escaped]
    assert opened(rb"no\u00adsuch\Uffffffff.jpg") == ["gone"]


def test_a_name_that_is_not_unicode_has_its_bytes_in_json(folder: pathlib.Path) -> None:
    row = path_in(JsonLinesWriter(FACTS).rows(builders.report(name=RAW)))
    assert row["path"] == r"in/latin \xe9.jpg"
    assert row["path_bytes"] == "aW4vbGF0aW4g6S5qcGc="  # base64 of in/latin, a space, E9, .jpg


def test_a_mark_of_utf8_is_dropped(folder: pathlib.Path) -> None:
    name = NAMES[0]
    assert opened(codecs.BOM_UTF8 + name.encode() + b"\r\n") == [name]
    assert read_listing(codecs.BOM_UTF8 + b"a\0b", zero=True) == ("a", "b")


TEXT = "photos/a.jpg\r\nphotos/\u4e00\u5200\u4e00.jpg\r\n"
WIDE = {
    "utf-16": TEXT.encode("utf-16"),
    "utf-16 of big-endian order": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "utf-16 without a mark": TEXT.encode("utf-16-le"),
    "utf-16-be without a mark": TEXT.encode("utf-16-be"),
    "utf-32": TEXT.encode("utf-32"),
}


@pytest.mark.parametrize("kind", WIDE)
def test_utf16_is_named(kind: str) -> None:
    with pytest.raises(UsageError, match=kind[:6].upper()):
        read_listing(WIDE[kind], zero=False)
    if "without" not in kind:
        with pytest.raises(UsageError, match=kind[:6].upper()):
            read_listing(WIDE[kind].replace(b"\n", b"\0"), zero=True)


def test_a_name_that_begins_like_utf16_is_a_name() -> None:
    raw = codecs.BOM_UTF16_LE + b".jpg"
    assert read_listing(raw + b"\n", zero=False) == (os.fsdecode(raw),)
    assert read_listing(raw + b"\0b.jpg\0", zero=True) == (os.fsdecode(raw), "b.jpg")


def test_the_paths_of_a_report_are_scanned_again(tmp_path: pathlib.Path) -> None:
    for name in NAMES[:3]:
        builders.put(tmp_path / "in" / name)
    first = fakeface("scan", tmp_path / "in", "--report", "-", "-q")
    rows = [json.loads(line) for line in first.stdout.splitlines()[:-1]]
    listing = "".join(f"{row['path']}\n" for row in rows).encode()
    again = fakeface("scan", "--files-from", "-", "--dry-run", stdin=listing)
    assert again.returncode == ExitCode.COMPLETE, again.stderr
    assert again.stdout.count("\n") == 3
