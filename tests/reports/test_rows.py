import codecs
import csv
import dataclasses
import io
import json

import jsonschema
import pytest

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import ReportTarget
from fakefacecli.base.verdicts import Label, Opinion
from fakefacecli.reports.rows import (
    COLUMNS,
    CsvWriter,
    JsonLinesWriter,
    RowFacts,
    guarded,
    rows_of,
    writer_for,
)
from fakefacecli.reports.schema import report_schema
from tests import builders

FACTS = RowFacts("run1", "model-x", "a" * 64, "overlays")


def test_an_image_has_a_row_per_face_and_one_without() -> None:
    assert len(list(rows_of(builders.report(0.1, 0.5, 0.95), FACTS))) == 3
    assert len(list(rows_of(builders.report(), FACTS))) == 1
    assert len(list(rows_of(builders.error(), FACTS))) == 1


def test_every_row_has_every_column_in_order() -> None:
    for report in (builders.report(0.1), builders.report(), builders.error()):
        assert all(tuple(row) == COLUMNS for row in rows_of(report, FACTS))


OF_JUDGE = dataclasses.replace(FACTS, members=("wide", "near"))


def of_judge(probability: float) -> ImageReport:
    """A report of one face that two networks judged, turned by 12 degrees."""
    report = builders.report(probability)
    [face] = report.findings
    said = (Opinion("wide", 1.23456), Opinion("near", -0.5))
    verdict = dataclasses.replace(face.verdict, opinions=said)
    face = dataclasses.replace(face, verdict=verdict, roll=-12.34)
    return dataclasses.replace(report, findings=(face,))


def test_a_judge_of_several_networks_says_what_each_says() -> None:
    [row] = rows_of(of_judge(0.95), OF_JUDGE)
    assert tuple(row) == (*COLUMNS, "members")
    assert (row["roll"], row["members"]) == (-12.3, {"wide": 1.2346, "near": -0.5})
    [empty] = rows_of(builders.error(), OF_JUDGE)
    assert (empty["roll"], empty["members"]) == (None, None)


def test_every_report_says_how_a_face_is_turned_and_by_which_turn_it_was_found() -> None:
    report = builders.report(0.5)
    face = dataclasses.replace(report.findings[0], roll=-92.34, turn=90)
    report = dataclasses.replace(report, findings=(face,))
    [row] = rows_of(report, FACTS)
    assert (row["roll"], row["turn"]) == (-92.3, 90)
    [cells] = csv.DictReader(
        io.StringIO(CsvWriter(FACTS).start({}) + CsvWriter(FACTS).rows(report))
    )
    assert (cells["roll"], cells["turn"]) == ("-92.3", "90")
    [empty] = rows_of(builders.report(), FACTS)
    assert (empty["roll"], empty["turn"]) == (None, None)


def test_a_roll_just_below_level_is_zero_without_a_sign() -> None:
    report = builders.report(0.5)
    face = dataclasses.replace(report.findings[0], roll=-0.04)
    [row] = rows_of(dataclasses.replace(report, findings=(face,)), FACTS)
    assert str(row["roll"]) == "0.0"


def test_a_csv_has_a_column_for_each_network_of_a_judge() -> None:
    writer = CsvWriter(OF_JUDGE)
    text = writer.start({}) + writer.rows(of_judge(0.95)) + writer.rows(builders.error())
    face, error = csv.DictReader(io.StringIO(text))
    names = ("logit_wide", "logit_near")
    assert tuple(face) == (*COLUMNS, *names)
    assert [face[name] for name in names] == ["1.2346", "-0.5"]
    assert [error[name] for name in names] == ["", ""]


def test_rows_of_a_judge_fit_the_schema() -> None:
    lines = JsonLinesWriter(OF_JUDGE).rows(of_judge(0.95)).splitlines()
    schema = {**report_schema(), "$ref": "#/$defs/line"}
    for key in ("type", "properties", "required", "additionalProperties"):
        del schema[key]
    for line in lines:
        jsonschema.validate(json.loads(line), schema)


def test_an_error_row_carries_no_score() -> None:
    [row] = rows_of(builders.error(), FACTS)
    empty = ("p_fake", "verdict", "image_verdict", "face", "faces", "detection_score", "x1")
    assert {row[name] for name in empty} == {None}
    assert (row["status"], row["error_code"]) == ("error", "truncated")


def test_the_images_verdict_is_its_most_serious_faces() -> None:
    assert builders.report(0.1, 0.95, 0.5).label is Label.FLAGGED
    assert builders.report(0.1, 0.5).label is Label.INCONCLUSIVE
    assert builders.report(0.1).label is Label.NOT_FLAGGED
    assert builders.report().label is None


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "'"])
def test_risky_cells_are_guarded_and_the_guard_comes_off(start: str) -> None:
    cell = f"{start}cmd"
    assert guarded(cell) == f"'{cell}"
    assert str(guarded(cell))[1:] == cell


def test_numbers_and_ordinary_cells_are_not_guarded() -> None:
    assert guarded(-3.5) == -3.5
    assert guarded("plain=1") == "plain=1"


def test_csv_reads_back_with_awkward_names() -> None:
    name = 'a "b",\n=c.jpg'
    text = CsvWriter(FACTS).start({}) + CsvWriter(FACTS).rows(builders.report(0.95, name=name))
    [row] = csv.DictReader(io.StringIO(text))
    assert row["path"] == 'in/a "b",\\n=c.jpg'
    assert row["verdict"] == "flagged"
    assert row["x1"] == "10.12"


def test_each_json_line_fits_the_schema_and_broken_ones_do_not() -> None:
    schema = {**report_schema(), "$ref": "#/$defs/row"}
    for key in ("type", "properties", "required", "additionalProperties"):
        schema.pop(key)
    check = jsonschema.Draft202012Validator(schema)
    for report in (builders.report(0.1, 0.95), builders.report(), builders.error()):
        for line in JsonLinesWriter(FACTS).rows(report).splitlines():
            row = json.loads(line)
            assert check.is_valid(row)
            assert not check.is_valid({**row, "status": "fine"})
            assert not check.is_valid({**row, "extra": 1})
    [row] = rows_of(builders.error(), FACTS)
    assert not check.is_valid({**row, "p_fake": 0.5})


def test_a_message_is_escaped_in_its_row() -> None:
    raw = dataclasses.replace(builders.error(), message="lies in \x1b[31m a\\b \udcff")
    [row] = rows_of(raw, FACTS)
    assert row["error"] == r"lies in \u001b[31m a\\b \xff"


def test_a_marked_csv_is_utf8_to_a_spreadsheet_and_the_rest_of_it_is_the_same() -> None:
    name = "Фото Ёлка é.jpg"
    texts = []
    for bom in (False, True):
        writer = writer_for(ReportTarget("r.csv", "csv", bom), FACTS)
        text = writer.start({}) + writer.rows(builders.report(0.95, name=name)) + writer.end({})
        texts.append(text.encode())
    plain, marked = texts
    assert marked == codecs.BOM_UTF8 + plain
    [row] = csv.DictReader(io.StringIO(marked.decode("utf-8-sig")))
    assert row["path"] == f"in/{name}"
