"""Reports as Parquet and SQLite: what other programs see in them."""

import json
import pathlib
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakefacecli.base.errors import CannotWrite, UsageError
from fakefacecli.base.options import ReportTarget
from fakefacecli.base.text import from_json
from fakefacecli.reports.cells import INTEGERS, REALS, TABLE_COLUMNS
from fakefacecli.reports.read import read_report
from fakefacecli.reports.write import write_report
from tests.builders import ROOT
from tests.reports import samples

ROWS = samples.rows(samples.OF_JUDGE)
HEADER = samples.header(given=ROWS)


def write(path: pathlib.Path) -> pathlib.Path:
    write_report(ReportTarget(str(path), path.suffix[1:]), HEADER, ROWS, samples.MEMBERS)
    return path


def test_a_parquet_has_typed_columns_and_the_header(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "r.parquet")
    schema = pq.read_schema(path)
    assert tuple(schema.names) == TABLE_COLUMNS
    for field in schema:
        wanted = pa.int64() if field.name in INTEGERS else pa.string()
        assert field.type == (pa.float64() if field.name in REALS else wanted)
    assert json.loads(schema.metadata[b"fakeface"]) == HEADER
    table = pd.read_parquet(path)
    assert table["p_fake"].dtype == "float64"
    assert (table["verdict"] == "flagged").sum() == 2
    wanted = dict(zip(samples.MEMBERS, (1.2346, -0.5, 2.0), strict=True))
    assert json.loads(table["members"].dropna().iloc[0]) == wanted


def test_a_long_report_is_written_in_groups_of_rows(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "r.parquet"
    many = (ROWS * (10_000 // len(ROWS) + 1))[:10_000]
    write_report(ReportTarget(str(path), "parquet"), HEADER, iter(many), ())
    with pq.ParquetFile(path) as file:
        assert (file.num_row_groups, file.metadata.num_rows) == (3, 10_000)
    assert [row["path"] for row in read_report(str(path)).rows] == [row["path"] for row in many]


def test_a_database_is_one_file_with_typed_columns_and_indexes(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "r.sqlite")
    assert [found.name for found in tmp_path.iterdir()] == ["r.sqlite"]
    with closing(sqlite3.connect(path)) as db:
        kinds = dict(db.execute("SELECT name, type FROM pragma_table_info('rows')").fetchall())
        assert tuple(kinds) == TABLE_COLUMNS
        assert (kinds["faces"], kinds["p_fake"], kinds["path"]) == ("INTEGER", "REAL", "TEXT")
        plans = [
            db.execute(f"EXPLAIN QUERY PLAN SELECT * FROM rows WHERE {name} = ''").fetchone()[3]
            for name in ("path", "sha256", "verdict")
        ]
        assert all("USING INDEX" in plan for plan in plans)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        [(run_id, header)] = db.execute("SELECT run_id, header FROM run").fetchall()
        assert (run_id, json.loads(header)) == ("run1", HEADER)
        logit = "SELECT members ->> '$.wide' FROM rows WHERE face = 1 AND members IS NOT NULL"
        assert db.execute(logit).fetchone() == (1.2346,)


@pytest.mark.parametrize("ending", ["parquet", "sqlite"])
def test_no_name_is_lost_in_a_table(tmp_path: pathlib.Path, ending: str) -> None:
    path = write(tmp_path / f"r.{ending}")
    if ending == "parquet":
        cells = pq.read_table(path, columns=["path", "path_bytes"]).to_pylist()
    else:
        with closing(sqlite3.connect(path)) as db:
            db.row_factory = sqlite3.Row
            cells = list(map(dict, db.execute("SELECT path, path_bytes FROM rows")))
    names = [from_json(row["path"], row["path_bytes"]) for row in cells]
    assert names == [row["path"] for row in ROWS]
    # a name that is Unicode stands there as it is
    assert {row["path"] for row in cells} >= {
        name for name in samples.NAMES if "\udcff" not in name
    }


@pytest.mark.parametrize("ending", ["parquet", "sqlite", "csv", "json"])
def test_a_disk_without_room_leaves_the_old_report(tmp_path: pathlib.Path, ending: str) -> None:
    path = tmp_path / f"r.{ending}"
    path.write_text("the previous report")
    code = (
        "import sys\nfrom tests.reports import test_tables\n"
        "from fakefacecli.base.errors import CannotWrite\n"
        "import pathlib\n"
        "try:\n    test_tables.write(pathlib.Path(sys.argv[1]))\n"
        "except CannotWrite as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"cannot write {path}: "), done.stderr
    assert path.read_text() == "the previous report"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_database_that_another_program_has_open_is_not_replaced(
    tmp_path: pathlib.Path, ending: str
) -> None:
    path = write(tmp_path / "r.sqlite")
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if ending == "-wal":
            db.execute("PRAGMA journal_mode = WAL")
            before = path.read_bytes()
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM run")
        with pytest.raises(CannotWrite, match=rf"r\.sqlite{ending} is there"):
            write(path)
        assert path.read_bytes() == before
    assert write(path) == path


def test_a_folder_that_takes_no_file_is_told(tmp_path: pathlib.Path) -> None:
    for ending in ("parquet", "sqlite"):
        with pytest.raises(CannotWrite, match="no such file or directory"):
            write(tmp_path / "no" / f"r.{ending}")


def test_a_query_that_a_stranger_put_in_the_place_of_the_rows_is_not_run(
    tmp_path: pathlib.Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as db:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
        db.execute(f"CREATE VIEW rows AS {endless} SELECT x AS path FROM n")
    with pytest.raises(UsageError, match="no table rows in it"):
        read_report(str(tmp_path / "r.sqlite"))


def test_tables_with_cells_of_another_kind_are_refused(tmp_path: pathlib.Path) -> None:
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as db:
        db.execute("CREATE TABLE rows (path, status, x1)")
        db.execute("INSERT INTO rows VALUES ('a', 'ok', x'00')")
        db.commit()
    with pytest.raises(UsageError, match=r"row 1: x1 bytes found, wanted a number"):
        read_report(str(tmp_path / "r.sqlite"))
    pq.write_table(pa.table({"path": ["a", "b"], "p_fake": [[1.0], None]}), tmp_path / "r.parquet")
    with pytest.raises(UsageError, match=r"row 1: p_fake list found, wanted a number"):
        read_report(str(tmp_path / "r.parquet"))
    pq.write_table(pa.table({"path": ["a"], "members": ["{"]}), tmp_path / "r.parquet")
    with pytest.raises(UsageError, match=r"r\.parquet: not a report"):
        read_report(str(tmp_path / "r.parquet"))
