"""Reports as one: the rows of all, counts from the rows, a header that fits the schema."""

import dataclasses
import json
import os
import pathlib

import jsonschema
import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.base.options import ReportTarget
from fakefacecli.reports.merge import joined, members_of, own_header, relocated
from fakefacecli.reports.read import READABLE, Report, read_report
from fakefacecli.reports.rows import COLUMNS, Row
from fakefacecli.reports.runs import counts_of
from fakefacecli.reports.schema import report_schema
from fakefacecli.reports.tally import Tally
from fakefacecli.reports.write import write_report
from tests.reports import samples

CHECK = jsonschema.Draft202012Validator(report_schema())


def report(run_id: str | None, rows: list[Row], header: bool = True, path: str = "") -> Report:
    of_run = [row | {"run_id": run_id} for row in rows]
    said = samples.header(str(run_id), of_run) if header else None
    return Report(path or f"{run_id}.json", said, of_run, frozenset(COLUMNS))


def valid(folder: pathlib.Path, header: dict[str, object], rows: list[Row]) -> dict[str, object]:
    """Write it as JSON, hold it against the schema, and give its header."""
    target = ReportTarget(str(folder / "whole.json"), "json")
    write_report(target, header, rows, members_of(rows))
    whole = json.loads((folder / "whole.json").read_text())
    CHECK.validate(whole)
    return whole["run"]  # type: ignore[no-any-return]


def test_the_counts_of_rows_are_those_of_the_scan() -> None:
    tally = Tally()
    for one in samples.reports():
        tally.add(one)
    assert counts_of(samples.rows()) == tally.counts({}) | {"skipped": None}


@pytest.mark.parametrize("ending", READABLE)
@pytest.mark.parametrize("runs", [1, 2], ids=["one run", "two runs"])
def test_whatever_is_converted_fits_the_schema(
    tmp_path: pathlib.Path, ending: str, runs: int
) -> None:
    header, rows = joined(
        [report(f"r{n}", samples.rows(facts)) for n, facts in enumerate(FACTS[:runs])]
    )
    target = ReportTarget(str(tmp_path / f"r.{ending}"), ending)
    write_report(target, header, rows, members_of(rows))
    again = read_report(target.path)
    made = own_header(again)
    said = valid(tmp_path, made, again.rows)
    assert said["counts"]["images"] == runs * len(samples.reports())  # type: ignore[index]
    if ending == "csv":
        assert said["device"] is None
        assert said["model"]["name"] == "model-x"  # type: ignore[index]
        merged = said.get("merged", [])
        assert [run["run_id"] for run in merged] == ([] if runs == 1 else ["r0", "r1"])  # type: ignore[attr-defined]
    else:
        assert made == header


FACTS = (samples.FACTS, samples.OF_JUDGE)


def test_merged_reports_keep_the_header_of_each_run(tmp_path: pathlib.Path) -> None:
    one, other = report("r1", samples.rows()), report("r2", samples.rows(samples.OF_JUDGE))
    assert other.header is not None
    changed = dataclasses.replace(other, header=other.header | {"device": "cuda:0"})
    header, rows = joined([changed, one])
    assert [row["run_id"] for row in rows] == ["r2"] * len(rows[::2]) + ["r1"] * len(rows[::2])
    assert {"members" in row for row in rows} == {True}
    assert header["merged"] == [changed.header, one.header]
    assert (header["run_id"], header["device"], header["precision"]) == (None, None, "fp32")
    assert header["counts"]["skipped"] == {"hidden": 4}
    assert header["counts"]["faces"] == 2 * counts_of(samples.rows())["faces"]
    valid(tmp_path, header, rows)
    # what was merged can be merged again
    more, _ = joined([Report("m.json", header, rows, one.columns), report("r3", samples.rows())])
    assert [run["run_id"] for run in more["merged"]] == ["r2", "r1", "r3"]


def test_the_same_run_is_not_counted_twice() -> None:
    one, same = report("r1", samples.rows()), report("r1", samples.rows(), False, "again.csv")
    with pytest.raises(UsageError, match=r"r1\.json and again\.csv are of the same run"):
        joined([one, report("r2", []), same])
    with pytest.raises(UsageError, match="of the same run"):
        joined([report("r1", []), report("r1", [], path="b.json")])


def test_reports_without_a_row_are_merged_too(tmp_path: pathlib.Path) -> None:
    empty = Report("e.csv", None, [], frozenset(COLUMNS))
    header, rows = joined([empty, empty])
    assert (header["run_id"], header["counts"]["images"], rows) == (None, 0, [])
    valid(tmp_path, header, rows)
    header, rows = joined([empty, report("r1", samples.rows())])
    assert (header["run_id"], len(rows)) == ("r1", len(samples.rows()))
    valid(tmp_path, header, rows)


@pytest.mark.parametrize(
    "header",
    [
        {"model": 3},
        {"counts": [1]},
        {"counts": {"skipped": {"a": "b"}}},
        {"counts": {"skipped": [1]}},
        {"merged": 3},
        {"merged": ["a"]},
        {"merged": [{"merged": [{}]}]},
        {"run_id": 5},
    ],
)
def test_a_header_of_something_else_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"odd\.json: not a report of fakeface scan"):
        own_header(Report("odd.json", header, samples.rows(), frozenset(COLUMNS)))


def test_an_older_header_is_filled_up(tmp_path: pathlib.Path) -> None:
    old = samples.header()
    del old["evidence"], old["counts"]["known"], old["model"]["calibration"]
    header = own_header(Report("r.json", old, samples.rows(), frozenset(COLUMNS)))
    assert header["evidence"] is header["model"]["calibration"] is None
    assert header["counts"]["known"] == 1
    valid(tmp_path, header, samples.rows())


def test_overlays_are_found_from_the_new_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a" / "over").mkdir(parents=True)
    (tmp_path / "a" / "over" / "x\udcff.jpg").write_text("picture")
    (tmp_path / "b" / "c").mkdir(parents=True)
    names = ("over/x\udcff.jpg", None, "/abs/y.jpg")
    rows = [samples.rows()[0] | {"overlay": name} for name in names]
    was = Report(str(tmp_path / "a" / "r.csv"), None, rows, frozenset(COLUMNS))
    moved = relocated(was, str(tmp_path / "b" / "c"))
    [first, none, absolute] = [row["overlay"] for row in moved.rows]
    assert (none, absolute) == (None, "/abs/y.jpg")
    assert os.path.exists(tmp_path / "b" / "c" / first)
    assert relocated(was, str(tmp_path / "b" / ".." / "a")) is was
