"""The types that tables give their columns are those of the rows."""

from fakefacecli.base.verdicts import Label
from fakefacecli.reports.cells import INTEGERS, REALS, TABLE_COLUMNS, loaded
from fakefacecli.reports.rows import COLUMNS
from fakefacecli.reports.schema import report_schema
from tests.reports import samples


def test_every_number_of_the_schema_has_a_typed_column() -> None:
    properties = report_schema()["$defs"]["row"]["properties"]

    def kinds(schema: dict[str, object]) -> set[object]:
        parts = schema.get("anyOf", [schema])
        found: set[object] = set()
        for part in parts:  # type: ignore[attr-defined]
            listed = [*part.get("enum", ()), *([part["const"]] if "const" in part else ())]
            found |= {part.get("type"), *("integer" for v in listed if isinstance(v, int))}
        return found

    integers = {name for name in COLUMNS if "integer" in kinds(properties[name])}
    reals = {name for name in COLUMNS if "number" in kinds(properties[name])}
    assert (integers, reals) == (INTEGERS, REALS)
    assert set(properties) == set(TABLE_COLUMNS)


def test_every_cell_of_a_scan_has_the_type_of_its_column() -> None:
    for row in samples.rows():
        for name, cell in row.items():
            wanted = int if name in INTEGERS else float | int if name in REALS else str
            assert cell is None or isinstance(cell, wanted), (name, cell)


def test_a_long_number_keeps_its_last_digits() -> None:
    row = loaded({"path": "a", "bytes": "9007199254740993"}, "printable")
    assert row["bytes"] == 9007199254740993
    assert loaded({"path": "a", "width": "640.0"}, "printable")["width"] == 640
    assert loaded({"path": "a", "verdict": "flagged"}, "json")["verdict"] == Label.FLAGGED
