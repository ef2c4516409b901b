"""`fakeface report`, and the scans that write its formats."""

import json
import os
import pathlib
import re
import resource
import sqlite3
from contextlib import closing
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.lock import locked
from fakefacecli.base.options import ReportTarget
from fakefacecli.cli.app import app
from fakefacecli.cli.report_table import print_changes
from fakefacecli.reports.diff import Kind, differences
from fakefacecli.reports.merge import members_of
from fakefacecli.reports.read import READABLE, read_report
from fakefacecli.reports.rows import Row, rows_of
from fakefacecli.reports.write import write_report
from tests import builders
from tests.builders import PHOTOS, ROOT, put
from tests.command import fakeface
from tests.reports import samples
from tests.reports.test_diff import changes


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, words)], env={"COLUMNS": "80"})


def written(
    path: pathlib.Path, run_id: str = "run1", rows: list[Row] | None = None
) -> pathlib.Path:
    rows = [row | {"run_id": run_id} for row in (samples.rows() if rows is None else rows)]
    target = ReportTarget(str(path), path.suffix[1:])
    write_report(target, samples.header(run_id, rows), rows, members_of(rows))
    return path


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a scan's report in each format, one of all: judged by one network."""
    folder = tmp_path_factory.mktemp("scanned")
    for number, name in enumerate(("a.jpg", "Фото.jpg")):
        put(folder / "in" / name, 300 + number)
    (folder / "in" / os.fsdecode(b"\xff.jpg")).write_bytes(b"no picture")
    Image.new("RGB", (80, 80)).save(folder / "in" / "plain.png")
    flags = [w for ending in READABLE for w in ("--report", f"out/r.{ending}")]
    (folder / "out").mkdir()
    more = ("--threshold", "0,0", "--overlays", "over", "--device", "cpu")
    done = fakeface("scan", "in", *flags, *more, cwd=folder)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    return folder


def test_a_scan_writes_the_same_rows_in_every_format(scanned: pathlib.Path) -> None:
    assert {path.name for path in (scanned / "out").iterdir()} == {f"r.{e}" for e in READABLE}
    first = read_report(str(scanned / "out" / "r.json"))
    assert [row["status"] for row in first.rows].count("ok") == 2
    for ending in READABLE:
        found = read_report(str(scanned / "out" / f"r.{ending}"))
        assert found.rows == first.rows
        assert found.header == (None if ending == "csv" else first.header)


def test_every_report_of_a_scan_converts_to_its_json(
    scanned: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # beside the others, where overlays have the same names
    for ending in READABLE:
        out = scanned / "out" / f"from-{ending}.json"
        done = run(scanned / "out" / f"r.{ending}", "--to", out)
        assert (done.exit_code, done.stdout) == (0, ""), done.output
        assert "4 rows written to" in done.stderr
        if ending != "csv":
            assert out.read_bytes() == (scanned / "out" / "r.json").read_bytes()
        out.unlink()


def test_overlays_are_found_from_wherever_a_report_is_written(
    scanned: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    assert run(scanned / "out" / "r.csv", "--to", tmp_path / "deep" / "r.parquet").exit_code == 0
    rows = read_report(str(tmp_path / "deep" / "r.parquet")).rows
    overlays = [row["overlay"] for row in rows if row["overlay"]]
    assert len(overlays) == 2
    assert all((tmp_path / "deep" / name).is_file() for name in overlays)
    monkeypatch.chdir(scanned)
    done = run(tmp_path / "deep" / "r.parquet", "--to", "-")
    lines = list(map(json.loads, done.stdout.splitlines()))
    assert sum(os.path.isfile(line.get("overlay") or "") for line in lines) == 2
    assert "run" in lines[-1]


def test_a_resumed_scan_writes_tables_too(tmp_path: pathlib.Path) -> None:
    for number in range(3):
        put(tmp_path / "in" / f"{number}.jpg", 240 + number)
    flags = ("scan", "in", "--report", "r.parquet", "--report", "r.sqlite", "--batch-size", 1)
    # no room for the journal of all images: the run ends in the middle
    (tmp_path / "r.parquet").write_text("the previous report")
    (tmp_path / "r.sqlite").write_text("another")
    limit = (1500, 1500)
    done = fakeface(
        *flags,
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert done.returncode == ExitCode.CANNOT_WRITE, done.stderr
    assert (tmp_path / "r.parquet").read_text() == "the previous report"
    assert (tmp_path / "r.sqlite").read_text() == "another"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"in", "r.parquet", "r.sqlite", "r.parquet.journal"}
    done = fakeface(*flags, "--resume", cwd=tmp_path)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "of them finished before" in " ".join(done.stderr.split())
    found = [read_report(str(tmp_path / name)).rows for name in ("r.parquet", "r.sqlite")]
    assert found[0] == found[1]
    assert [row["path"] for row in found[0]] == [f"in/{n}.jpg" for n in range(3)]


def test_reports_of_several_runs_become_one(tmp_path: pathlib.Path) -> None:
    ins = [written(tmp_path / f"r{n}.{ending}", f"run{n}") for n, ending in enumerate(READABLE)]
    done = run(*ins, "--to", tmp_path / "all.sqlite")
    assert done.exit_code == ExitCode.COMPLETE, done.output
    with closing(sqlite3.connect(tmp_path / "all.sqlite")) as db:
        runs = [run_id for (run_id,) in db.execute("SELECT run_id FROM run")]
        count = db.execute("SELECT count(*), count(DISTINCT run_id) FROM rows").fetchone()
    assert runs == [f"run{n}" for n in range(5)]
    assert count == (5 * len(samples.rows()), 5)
    done = run(ins[0], ins[1], tmp_path / "all.sqlite", "--to", tmp_path / "more.csv")
    assert done.exit_code == ExitCode.USAGE
    assert "of the same run; give each run once" in done.stderr
    assert not (tmp_path / "more.csv").exists()


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl"])
def test_a_pipe_gets_what_a_file_would(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    given = written(tmp_path / "r.parquet", rows=samples.rows(samples.OF_JUDGE))
    monkeypatch.chdir(tmp_path)  # where a report on stdout finds its overlays
    assert run(given, "--to", tmp_path / f"out.{ending}").exit_code == 0
    done = run(given, "--to", "-", "--format", ending)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout_bytes == (tmp_path / f"out.{ending}").read_bytes()


def test_a_csv_for_excel_has_its_mark(tmp_path: pathlib.Path) -> None:
    given = written(tmp_path / "r.json")
    assert run(given, "--to", tmp_path / "x.csv", "--csv-bom").exit_code == 0
    assert (tmp_path / "x.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_an_incomplete_report_is_said_to_be_one(tmp_path: pathlib.Path) -> None:
    given = written(tmp_path / "r.jsonl")
    lines = given.read_text().splitlines(keepends=True)
    given.write_text("".join(lines[:-1]))
    done = run(given, "--to", tmp_path / "x.csv")
    assert done.exit_code == ExitCode.COMPLETE
    said = " ".join(done.stderr.split())
    missing = "its last line, which holds the header of the run, is missing"
    assert f"r.jsonl: it is not complete: {missing}; {len(lines) - 1} rows read" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("r.csv", 2, "nothing to do; add --to FILE, or --diff"),
        ("r.csv --to x.txt", 2, "--to x.txt: its suffix is none of .csv, .json, .jsonl, .html"),
        ("r.csv --to x", 2, "or use --to - with --format"),
        ("r.csv --to - --format parquet", 2, "name a file that ends in .parquet instead"),
        ("r.csv --to - --format html", 2, "name a file that ends in .html instead"),
        ("r.csv --to - --format xml", 2, "--format xml: wanted csv, json or jsonl"),
        ("r.csv --to x.csv --format csv", 2, "--format goes with --to -"),
        ("r.csv --to x.json --csv-bom", 2, "--csv-bom goes with --to a CSV"),
        ("--diff r.csv", 2, "name OLD and NEW"),
        ("--diff r.csv r.csv r.csv", 2, "name OLD and NEW"),
        ("--diff r.csv r.csv --to x.sqlite", 2, "differences are written as .csv, .json, .jsonl"),
        ("r.csv --to r.csv", 7, "it is one of the inputs"),
        ("r.csv --to link.csv", 7, "not a regular file"),
        ("r.csv --to sub/../r.csv", 7, "it is one of the inputs"),
        ("r.csv --to picture.csv", 7, "it holds an image"),
        ("r.csv --to no/x.csv", 7, "there is no folder no; make it first"),
        ("gone.csv --to x.csv", 4, "gone.csv: no such file"),
        ("labels.csv --to x.csv", 2, "labels.csv: no column schema_version"),
        ("page.html --to x.csv", 2, "a page cannot be read back"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "r.csv")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to("r.csv")
    (tmp_path / "picture.csv").write_bytes((PHOTOS / "generated_000.jpg").read_bytes())
    (tmp_path / "labels.csv").write_text("path,label\na.jpg,real\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = run(*words.split())
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert said in " ".join(done.stderr.split())
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_a_report_that_another_run_writes_is_left_alone(tmp_path: pathlib.Path) -> None:
    given = written(tmp_path / "r.csv")
    with locked(str(tmp_path / "x.json")):
        assert run(given, "--to", tmp_path / "x.json").exit_code == ExitCode.LOCKED


def two(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    facts = samples.FACTS
    long = f"{'very/long/' * 12}\x1b[31m face.jpg"
    old = [builders.report(0.95, 0.1, name=long), builders.report(0.95, name="gone.jpg")]
    new = [builders.report(0.5, 0.1, name=long), builders.error(name="new\udcff.jpg")]
    old[1] = replace(old[1], facts=replace(old[1].facts, sha256="1" * 64))
    # two faces in one place: the second is moved away
    rows = [[row for one in made for row in rows_of(one, facts)] for made in (old, new)]
    for of in rows:
        for row in of:
            if row["face"] == 2:
                row |= {"x1": 300.0, "x2": 400.0}
    return (
        written(folder / "old.csv", "run1", rows[0]),
        written(folder / "new.parquet", "run2", rows[1]),
    )


def test_two_reports_are_compared_in_a_table_of_80_columns(tmp_path: pathlib.Path) -> None:
    old, new = two(tmp_path)
    header = samples.header("run2", read_report(str(new)).rows)
    header["model"] |= {"name": "other", "thresholds": {"low": 0.1, "high": 0.2}}
    write_report(ReportTarget(str(new), "parquet"), header, read_report(str(new)).rows, ())
    done = run("--diff", old, new)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:2] == [
        "not the same model: model-x before, other now",
        "not the same thresholds: 0.25 and 0.9 before, 0.1 and 0.2 now",
    ]
    assert lines[-1] == "1 face with another verdict, 1 image new, 1 image gone"
    for words in (r"\u001b[31m", r"new\xff.jpg", "flagged 0.9500", "inconclusive 0.5000"):
        assert words in done.stdout
    assert "\x1b" not in done.stdout
    assert "\u2026" not in done.stdout
    assert re.search(r"image\s+│ not there\s+│ truncated", done.stdout)
    same = run("--diff", old, old)
    assert (same.exit_code, same.stdout) == (0, "no verdict has changed\n")


def test_differences_go_to_a_file_or_a_pipe(tmp_path: pathlib.Path) -> None:
    old, new = two(tmp_path)
    for ending in ("csv", "json", "jsonl"):
        done = run("--diff", old, new, "--to", tmp_path / f"d.{ending}")
        assert (done.exit_code, done.stdout) == (0, "")
        assert "1 face with another verdict, 1 image new, 1 image gone" in done.stderr
        text = run("--diff", old, new, "--to", "-", "--format", ending).stdout
        assert text == (tmp_path / f"d.{ending}").read_text("utf-8")
    table = pd.read_csv(tmp_path / "d.csv")
    assert list(table["change"]) == ["verdict", "image_appeared", "image_vanished"]
    done = run("--diff", old, new, "--to", old)
    assert done.exit_code == ExitCode.CANNOT_WRITE


def test_moved_and_changed_files_are_told_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    moved = changes()
    print_changes([moved[1], replace(moved[0], file="changed")], [])
    shown = "".join(re.findall(r"│ (.*?) +│", capsys.readouterr().out))
    assert r"'b\n.jpg (was old'b\n.jpg)" in shown
    assert r"=a\xff.jpg (another file now)" in shown
    assert {change.kind for change in moved} == {Kind.VERDICT}


def test_the_examples_of_the_page_run(tmp_path: pathlib.Path) -> None:
    page = (ROOT / "fakefacecli" / "docs" / "report.md").read_text("utf-8")
    written(tmp_path / "out.parquet")
    written(tmp_path / "out.sqlite")
    [python] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [sql] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    found: dict[str, object] = {}
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        exec(python, found)
    finally:
        os.chdir(before)
    assert len(found["flagged"]) == 2  # type: ignore[arg-type]
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as db:
        answers = [db.execute(query).fetchall() for query in sql.split(";") if query.strip()]
    assert all(answers)
    assert list(differences(*[read_report(str(tmp_path / "out.sqlite"))] * 2)) == []
