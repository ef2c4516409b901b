import csv
import io
import json

import jsonschema
import pytest

from fakefacecli.base.verdicts import Label
from fakefacecli.reports.rows import (
    COLUMNS,
    CsvWriter,
    JsonLinesWriter,
    RowFacts,
    guarded,
    rows_of,
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
