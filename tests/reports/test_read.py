"""Whatever format a report is in, it gives back the same rows; what is no report is refused."""

import csv
import json
import pathlib
from typing import Any

import pytest

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.options import ReportTarget
from fakefacecli.base.text import printable
from fakefacecli.reports.merge import members_of
from fakefacecli.reports.read import READABLE, Report, read_report, require_whole
from fakefacecli.reports.rows import COLUMNS, Row, RowFacts
from fakefacecli.reports.write import write_report
from tests.reports import samples


def write(folder: pathlib.Path, ending: str, rows: list[Row], bom: bool = False) -> str:
    target = ReportTarget(str(folder / f"r.{ending}"), ending, bom)
    write_report(target, samples.header(given=rows), rows, members_of(rows))
    return target.path


def as_read(rows: list[Row]) -> list[Row]:
    """What a reader can know of rows: text that is not Unicode was made printable."""

    def cell(name: str, value: Any) -> Any:
        return printable(value) if name == "generator" and value else value

    return [{name: cell(name, value) for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("facts", [samples.FACTS, samples.OF_JUDGE], ids=["single", "judge"])
@pytest.mark.parametrize("ending", READABLE)
def test_every_format_becomes_every_other_and_the_rows_stay_the_same(
    tmp_path: pathlib.Path, ending: str, facts: RowFacts
) -> None:
    rows = samples.rows(facts)
    first = read_report(write(tmp_path, ending, rows))
    require_whole(first)
    assert first.rows == as_read(rows)
    for other in READABLE:
        again = read_report(write(tmp_path, other, first.rows))
        require_whole(again)
        assert again.rows == first.rows
        assert [list(map(type, row.values())) for row in again.rows] == [
            list(map(type, row.values())) for row in first.rows
        ]
        if other != "csv":
            assert again.header == samples.header(given=first.rows)
        assert again.complete


def test_a_marked_csv_is_read_like_one_without_the_mark(tmp_path: pathlib.Path) -> None:
    rows = samples.rows()
    plain = read_report(write(tmp_path, "csv", rows))
    assert read_report(write(tmp_path, "csv", rows, bom=True)).rows == plain.rows


def test_a_csv_that_pandas_or_a_spreadsheet_wrote_again_is_read(tmp_path: pathlib.Path) -> None:
    import pandas as pd

    path = write(tmp_path, "csv", samples.rows())
    table = pd.read_csv(
        path, keep_default_na=False, na_values=[""], dtype={"sha256": str, "pdq": str}
    )
    table.to_csv(path, index=False, lineterminator="\r\n")  # whole numbers are 640.0 now
    found = read_report(path).rows
    assert [row["width"] for row in found] == [row["width"] for row in samples.rows()]
    assert found == as_read(samples.rows())


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_an_older_report_has_fewer_columns(tmp_path: pathlib.Path, ending: str) -> None:
    older = COLUMNS[: COLUMNS.index("elapsed_ms") + 1]
    rows = [{name: row[name] for name in older} for row in samples.rows() if row["face"] in (1,)]
    rows = [row for row in rows if row["path"].isascii() and row["path"].isprintable()][:5]
    path = tmp_path / f"r.{ending}"
    if ending == "csv":
        with open(path, "w", newline="") as handle:
            table = csv.DictWriter(handle, older)
            table.writeheader()
            table.writerows(rows)
    elif ending == "json":
        path.write_text(json.dumps({"schema_version": 1, "rows": rows}))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"run": {}}]))
    found = read_report(str(path))
    require_whole(found)
    for row, was in zip(found.rows, rows, strict=True):
        # there was one detector then, and no signature was looked at
        assert (row["detector"], row["c2pa"]) == ("mtcnn", "not_checked")
        assert row["turn"] is row["warning"] is None
        assert tuple(row) == COLUMNS
        assert row["p_fake"] == was["p_fake"]


def test_json_lines_without_their_last_line_are_not_complete(tmp_path: pathlib.Path) -> None:
    path = pathlib.Path(write(tmp_path, "jsonl", samples.rows()))
    lines = path.read_bytes().splitlines(keepends=True)
    whole = read_report(str(path))
    assert whole.complete
    for kept in (b"".join(lines[:-1]), b"".join(lines[:-1]) + lines[-1][:20]):
        path.write_bytes(kept)
        cut = read_report(str(path))
        assert (cut.complete, cut.header) == (False, None)
        assert cut.rows == whole.rows
    path.write_bytes(b"".join(lines[:3]) + lines[3][:100])
    assert read_report(str(path)).rows == whole.rows[:3]


def line_of(**cells: object) -> str:
    rows = [row for row in samples.rows() if row["path"] == "in/known.jpg"]
    return json.dumps(rows[0] | cells) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no\n" + line_of(), "line 1: no JSON"),
        (line_of() + "[1]\n", "line 2: list found, wanted an object"),
        (line_of() + line_of(p_fake="nan"), "line 2: p_fake nan found, wanted a number"),
        (line_of() + line_of(p_fake=True), "line 2: p_fake True found, wanted a number"),
        (line_of(width=640.5), "line 1: width 640.5 found, wanted a whole number"),
        (line_of(bytes=2**63), "line 1: bytes 9223372036854775808 found, wanted a whole"),
        (line_of(width=1e400), "line 1: width inf found, wanted a whole number"),
        (line_of(path=None), "line 1: no path found"),
        (line_of(path="\ud800"), "line 1: path .* found, wanted the name of a file"),
        (line_of(path_bytes="?"), "line 1: path in/known.jpg found, wanted the name"),
        (line_of(path=["a"]), "line 1: path list found, wanted a text"),
        (line_of(verdict="real"), "line 1: verdict real found, wanted one of flagged, inc"),
        (line_of(status="fine"), "line 1: status fine found, wanted one of ok, no_face"),
        (line_of(members=[1]), "line 1: members list found"),
        (line_of(members={"a": "b"}), "line 1: the logit of a b found, wanted a number"),
        (line_of(schema_version=2), "line 1: schema_version 2 found, this fakeface reads 1"),
        ('{"run": {}}\n' + line_of(), "line 2: more than one report"),
        ('{"run": 3}\n', "int found, wanted the header"),
        ("[" * 100_000 + "\n", "nested too deep|no JSON"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: pathlib.Path, text: str, words: str) -> None:
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(UsageError, match=rf"r\.jsonl: not a report of fakeface scan \(?.*{words}"):
        read_report(str(tmp_path / "r.jsonl"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("path,path\n", "line 1: two columns have the same name"),
        ("path,status\na,ok\nb\n", "line 3: 1 cells found, wanted 2"),
        ("path,status,x1\na,ok,1\nb,ok,left\n", "line 3: x1 left found, wanted a number"),
        ('path,status\n"a\nb",ok\nc,?\n', "line 4: status . found"),
        ("path,status\n\udcff,ok\n", "no UTF-8"),
        (f"path,status\n{'a' * 200_000},ok\n", "line 2: field larger than"),
    ],
)
def test_a_row_of_a_csv_that_is_none_is_named(
    tmp_path: pathlib.Path, text: str, words: str
) -> None:
    (tmp_path / "r.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match=rf"r\.csv: not a report of fakeface scan \(.*{words}"):
        read_report(str(tmp_path / "r.csv"))


@pytest.mark.parametrize("ending", READABLE)
def test_bytes_of_something_else_are_refused(tmp_path: pathlib.Path, ending: str) -> None:
    path = tmp_path / f"r.{ending}"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe" * 50)
    with pytest.raises(UsageError, match=rf"r\.{ending}"):
        read_report(str(path))


def test_what_cannot_be_a_report_is_refused_by_its_name(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NothingToDo, match=r"gone\.csv: no such file"):
        read_report(str(tmp_path / "gone.csv"))
    with pytest.raises(UsageError, match=r"a page cannot be read back"):
        read_report(str(tmp_path / "r.html"))
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="not a regular file"):
        read_report(str(tmp_path / "folder.json"))


def with_rows(tmp_path: pathlib.Path, *rows: Row) -> Report:
    (tmp_path / "r.json").write_text(json.dumps({"rows": rows}))
    return read_report(str(tmp_path / "r.json"))


def test_a_report_that_lacks_something_or_has_more_is_not_converted(
    tmp_path: pathlib.Path,
) -> None:
    row: Row = json.loads(line_of())
    require_whole(with_rows(tmp_path, row))
    bad = {
        "no column p_fake": [{name: cell for name, cell in row.items() if name != "p_fake"}],
        "column note is none of": [row, row | {"note": "mine"}],
        "row 1: status ok found": [row | {"verdict": None}],
        "row 2: status error found": [row, row | {"status": "error"}],
        "row 1: a box without an area": [row | {"x2": 1}],
    }
    for words, rows in bad.items():
        with pytest.raises(UsageError, match=words):
            require_whole(with_rows(tmp_path, *rows))
