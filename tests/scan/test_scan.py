"""`fakeface scan` end to end, on the bundled model and the sample photographs."""

import csv
import hashlib
import json
import os
import pathlib
import re
import shutil

import jsonschema
import pytest
from PIL import Image

from fakefacecli.base.errors import EXIT_CODE_MEANINGS, ExitCode
from fakefacecli.cli.scan import EPILOG
from tests.builders import PHOTOS, ROOT
from tests.command import fakeface, json_lines, rows

EXPECTED = ROOT / "tests" / "data" / "expected"
NOT_COMPARED = {"run_id", "elapsed_ms"}
TOLERANCE = {
    "p_fake": 0.01,
    "detection_score": 1e-3,
    "face_px": 1,
    "x1": 1,
    "y1": 1,
    "x2": 1,
    "y2": 1,
}
STEPS = {"x1": 0.01, "y1": 0.01, "x2": 0.01, "y2": 0.01, "face_px": 0.1}  # of a report's pixels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One scan of the sample photographs with everything it can write."""
    folder = tmp_path_factory.mktemp("run")
    done = fakeface(
        *("scan", "tests/data/photos", "--report", folder / "out.csv"),
        *("--report", folder / "out.json", "--report", folder / "out.jsonl"),
        *("--overlays", folder / "overlays", "--copy-flagged", folder / "flagged"),
        cwd=ROOT,
    )
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    (folder / "stderr").write_text(done.stderr)
    return folder


def assert_like(found: list[dict[str, str]], wanted: list[dict[str, str]]) -> None:
    """Text is the same to the letter, measured numbers within TOLERANCE."""
    assert len(found) == len(wanted)
    for row, golden in zip(found, wanted, strict=True):
        for name, value in golden.items():
            if name in TOLERANCE and value:
                assert float(row[name]) == pytest.approx(float(value), abs=TOLERANCE[name]), row
            elif name not in NOT_COMPARED:
                assert row[name] == value, (row["path"], name)


def test_the_sample_photographs_get_the_rows_they_should(run: pathlib.Path) -> None:
    assert_like(rows(run / "out.csv"), rows(EXPECTED / "photos.csv"))


def test_the_three_formats_say_the_same(run: pathlib.Path) -> None:
    whole = json.loads((run / "out.json").read_text())
    lines, header = json_lines((run / "out.jsonl").read_text())
    assert lines == whole["rows"]
    assert header == whole["run"]
    for row, line in zip(rows(run / "out.csv"), lines, strict=True):
        assert row == {key: "" if value is None else str(value) for key, value in line.items()}


def test_the_json_report_fits_the_printed_schema(run: pathlib.Path) -> None:
    schema = json.loads(fakeface("schema").stdout)
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    check.check_schema(schema)
    whole = json.loads((run / "out.json").read_text())
    check.validate(whole)
    line = jsonschema.Draft202012Validator({"$ref": "#/$defs/line", "$defs": schema["$defs"]})
    for text in (run / "out.jsonl").read_text().splitlines():
        line.validate(json.loads(text))
    del whole["run"]["counts"]["faces"]
    assert not check.is_valid(whole)


def test_the_header_counts_what_the_rows_say(run: pathlib.Path) -> None:
    whole = json.loads((run / "out.json").read_text())
    counts = whole["run"]["counts"]
    assert counts["images"] == len({row["path"] for row in whole["rows"]}) == 12
    assert counts["faces"] == sum(row["status"] == "ok" for row in whole["rows"])
    for verdict, count in counts["verdict"].items():
        assert count == sum(row["verdict"] == verdict for row in whole["rows"])


def test_every_flagged_face_has_an_overlay_that_opens(run: pathlib.Path) -> None:
    flagged = [row for row in rows(run / "out.csv") if row["verdict"] == "flagged"]
    assert flagged
    for row in flagged:
        with Image.open(run / row["overlay"]) as picture:
            assert min(picture.size) > 300
    unflagged = [row for row in rows(run / "out.csv") if row["verdict"] != "flagged"]
    assert {row["overlay"] for row in unflagged} == {""}
    assert len(list((run / "overlays").iterdir())) == len(flagged)


def test_flagged_images_are_copied_byte_for_byte(run: pathlib.Path) -> None:
    flagged = {row["path"] for row in rows(run / "out.csv") if row["image_verdict"] == "flagged"}
    copies = {path.name for path in (run / "flagged").iterdir()}
    assert copies == {pathlib.Path(path).name for path in flagged}
    for name in copies:
        assert (run / "flagged" / name).read_bytes() == (PHOTOS / name).read_bytes()


def test_the_summary_says_what_was_found_and_where(run: pathlib.Path) -> None:
    summary = (run / "stderr").read_text()
    for words in ("images", "12", "flagged", "inconclusive", "errors", "images/s", "out.csv"):
        assert words in summary


def test_without_a_report_the_summary_names_what_was_flagged_and_unreadable(
    tmp_path: pathlib.Path,
) -> None:
    folder = some(tmp_path / "in", "generated_000.jpg", "official_003.jpg")
    for index in range(21):
        (folder / f"broken {index:02}\n.jpg").write_bytes(b"no picture")
    done = fakeface("scan", folder)
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    lines = done.stderr.splitlines()
    [named] = [line for line in lines if f"{folder}/generated_000.jpg" in line]
    assert re.fullmatch(rf"flagged         {folder}/generated_000\.jpg: p_fake 0\.9\d{{3}}", named)
    first = lines.index(f"unreadable      {folder}/broken 00\\n.jpg: not_an_image")
    assert lines[first + 19] == f"{' ' * 16}{folder}/broken 19\\n.jpg: not_an_image"
    assert lines[first + 20] == f"{' ' * 16}and 1 more; add --report FILE for all rows"
    assert "official_003.jpg" not in done.stderr
    assert fakeface("scan", folder, "--quiet").stderr == ""
    assert "broken 00" not in fakeface("scan", folder, "--report", tmp_path / "o.csv").stderr


@pytest.mark.slow
def test_the_inconclusive_are_named_and_a_single_image_has_its_score(
    tmp_path: pathlib.Path,
) -> None:
    folder = some(tmp_path / "in", "generated_000.jpg", "official_003.jpg")
    all_between = ("--threshold", "0,1")
    done = fakeface("scan", folder, *all_between)
    assert "100% of the faces: for a person to look at" in done.stderr
    assert f"inconclusive    {folder}/generated_000.jpg: p_fake 0.9" in done.stderr
    assert f"{' ' * 16}{folder}/official_003.jpg: p_fake 0." in done.stderr
    for name, words in (
        ("generated_000.jpg", r"flagged         p_fake 0\.9\d{3} \(above_high\)"),
        ("official_003.jpg", r"not flagged     p_fake 0\.\d{4} \(below_low\)"),
    ):
        lines = fakeface("scan", folder / name, "--report", tmp_path / "r.csv").stderr.splitlines()
        assert any(re.fullmatch(words, line) for line in lines), lines


@pytest.mark.slow
def test_inconclusive_faces_get_overlays_where_they_are_asked_for(tmp_path: pathlib.Path) -> None:
    folder = some(tmp_path / "in", "generated_000.jpg", "generated_001.jpg", "official_003.jpg")
    assert fakeface("scan", folder, "--report", tmp_path / "a.csv").returncode == 0
    by_score = sorted(rows(tmp_path / "a.csv"), key=lambda row: float(row["p_fake"]))
    low, between, high = (float(row["p_fake"]) for row in by_score)
    thresholds = f"{(low + between) / 2},{(between + high) / 2}"
    flags = ("--overlays", tmp_path / "o", "--explain", "inconclusive", "--threshold", thresholds)
    for more in ((), ("--state", tmp_path / "s.db"), ("--state", tmp_path / "s.db")):
        done = fakeface("scan", folder, "--report", tmp_path / "b.csv", *flags, *more)
        assert done.returncode == ExitCode.COMPLETE, done.stderr
        drawn = {row["verdict"]: bool(row["overlay"]) for row in rows(tmp_path / "b.csv")}
        assert drawn == {"flagged": True, "inconclusive": True, "not_flagged": False}
    assert "3  of them known from the state" in done.stderr


def test_nothing_but_the_reports_is_left_beside_them(run: pathlib.Path) -> None:
    names = {path.name for path in run.iterdir()} - {"stderr"}
    assert names == {"out.csv", "out.json", "out.jsonl", "overlays", "flagged"}


def some(folder: pathlib.Path, *names: str) -> pathlib.Path:
    """A folder with a few of the sample photographs."""
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(PHOTOS / name, folder / name)
    return folder


def test_rows_stream_to_stdout_as_json_lines_by_default(tmp_path: pathlib.Path) -> None:
    folder = some(tmp_path / "in", "official_003.jpg")
    done = fakeface("scan", folder, "--report", "-", "--quiet")
    [row], header = json_lines(done.stdout)
    assert (row["status"], row["path"]) == ("ok", f"{folder}/official_003.jpg")
    assert header["counts"]["images"] == 1
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["csv", "json"])
def test_stdout_takes_the_other_formats_too(tmp_path: pathlib.Path, name: str) -> None:
    folder = some(tmp_path / "in", "official_003.jpg")
    done = fakeface("scan", folder, "--report", "-", "--format", name)
    if name == "json":
        assert len(json.loads(done.stdout)["rows"]) == 1
    else:
        assert len(list(csv.DictReader(done.stdout.splitlines()))) == 1


def test_batch_size_changes_no_box_and_no_score(tmp_path: pathlib.Path, run: pathlib.Path) -> None:
    for size in (1, 32):
        done = fakeface("scan", PHOTOS, "--report", tmp_path / f"{size}.csv", "--batch-size", size)
        assert done.returncode == 0, done.stderr
    for one, many in zip(rows(tmp_path / "1.csv"), rows(tmp_path / "32.csv"), strict=True):
        assert one["path"] == many["path"]
        assert one["verdict"] == many["verdict"]
        for name in TOLERANCE:
            # a pixel on the edge between two numbers of a report may be rounded either way
            near = 1e-4 + STEPS.get(name, 0)
            assert float(one[name]) == pytest.approx(float(many[name]), abs=near)


def test_thresholds_can_be_overridden(tmp_path: pathlib.Path) -> None:
    folder = some(tmp_path / "in", "official_003.jpg", "generated_000.jpg")
    done = fakeface("scan", folder, "--report", "-", "--threshold", "0,0")
    found, header = json_lines(done.stdout)
    assert {row["verdict"] for row in found} == {"flagged"}
    assert header["options"]["paths"] == [str(folder)]
    assert header["model"]["thresholds"] == {"low": 0.0, "high": 0.0}


def test_a_face_below_the_cards_minimum_is_inconclusive(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    with Image.open(PHOTOS / "generated_000.jpg") as picture:
        picture.resize((112, 112)).save(tmp_path / "in" / "small.png")
    done = fakeface("scan", tmp_path / "in", "--report", "-")
    [row], _ = json_lines(done.stdout)
    assert (row["verdict"], row["reason"]) == ("inconclusive", "face_too_small")
    done = fakeface("scan", tmp_path / "in", "--report", "-", "--min-face", "120")
    [row], _ = json_lines(done.stdout)
    assert row["status"] == "no_face"


def test_an_image_without_a_face_has_one_row(tmp_path: pathlib.Path) -> None:
    Image.new("RGB", (64, 64), "gray").save(tmp_path / "plain.png")
    done = fakeface("scan", tmp_path, "--report", "-")
    [row], _ = json_lines(done.stdout)
    assert (row["status"], row["faces"], row["p_fake"]) == ("no_face", 0, None)
    assert done.returncode == ExitCode.COMPLETE


def test_files_are_read_from_a_listing_on_stdin(tmp_path: pathlib.Path) -> None:
    names = [str(PHOTOS / "official_003.jpg"), str(tmp_path / "gone.jpg")]
    for extra, data in (((), "\n"), (("-0",), "\0")):
        listing = data.join(names).encode()
        done = fakeface("scan", "--files-from", "-", *extra, "--report", "-", stdin=listing)
        found, _ = json_lines(done.stdout)
        assert [(row["status"], row["error_code"]) for row in found] == [
            ("ok", None),
            ("error", "vanished"),
        ]


def test_dry_run_lists_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    flags = ("--overlays", tmp_path / "o" / "p", "--copy-flagged", tmp_path / "c")
    done = fakeface("scan", PHOTOS, "--report", tmp_path / "out.csv", *flags, "--dry-run")
    assert len(done.stdout.splitlines()) == 12
    assert done.returncode == ExitCode.COMPLETE
    assert list(tmp_path.iterdir()) == []


def test_overlays_mirror_the_tree_and_cannot_collide(tmp_path: pathlib.Path) -> None:
    folder = some(tmp_path / "in", "official_003.jpg")
    sub = some(folder / "sub", "official_003.jpg")
    with Image.open(sub / "official_003.jpg") as picture:
        picture.save(sub / "official_003.png")
    fakeface("scan", folder, "--overlays", folder / "overlays", "--explain", "all")
    found = {str(p.relative_to(folder / "overlays")) for p in folder.rglob("overlays/**/*.jpg")}
    jpeg, png = (digits_of(sub / name) for name in ("official_003.jpg", "official_003.png"))
    assert found == {
        f"official_003.jpg.{jpeg}.face1.jpg",
        f"sub/official_003.jpg.{jpeg}.face1.jpg",
        f"sub/official_003.png.{png}.face1.jpg",
    }
    again = fakeface("scan", folder, "--overlays", folder / "overlays", "--report", "-")
    assert json_lines(again.stdout)[1]["counts"]["images"] == 3


def test_a_second_scan_into_the_same_folders_replaces_no_evidence(tmp_path: pathlib.Path) -> None:
    photos = {"a": "generated_000.jpg", "b": "official_003.jpg"}
    for name, photo in photos.items():
        some(tmp_path / name, photo)
        (tmp_path / name / photo).rename(tmp_path / name / "x.jpg")
    overlays, copies = tmp_path / "overlays", tmp_path / "copies"
    flags = ("--overlays", overlays, "--copy-flagged", copies, "--threshold", "0,0")
    before: dict[str, bytes] = {}
    for name in (*photos, *photos):
        report = tmp_path / f"{name}.csv"
        done = fakeface("scan", tmp_path / name, "--report", report, *flags)
        assert done.returncode == ExitCode.COMPLETE, done.stderr
        now = {str(p): p.read_bytes() for folder in (overlays, copies) for p in folder.iterdir()}
        assert {path: now[path] for path in before} == before
        [row] = rows(report)
        assert row["overlay"] == f"overlays/x.jpg.{row['sha256'][:8]}.face1.jpg"
        before = now
    second = digits_of(PHOTOS / photos["b"])
    assert {path.name for path in copies.iterdir()} == {"x.jpg", f"x.{second}.jpg"}
    assert (copies / "x.jpg").read_bytes() == (PHOTOS / photos["a"]).read_bytes()
    assert (copies / f"x.{second}.jpg").read_bytes() == (PHOTOS / photos["b"]).read_bytes()
    assert len(list(overlays.iterdir())) == 2


def digits_of(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


# exit codes: 6, 130 and 143 are proved in test_interruptions.py


def test_exit_0_is_complete(run: pathlib.Path) -> None:
    assert (run / "out.csv").exists()


def test_exit_1_is_an_internal_error(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "torch"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('\\x1b[31mbroken install')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = fakeface("scan", PHOTOS, env=env)
    assert done.returncode == ExitCode.INTERNAL
    assert "internal error" in done.stderr
    assert "\x1b" not in done.stderr


USAGE = {
    "unknown flag": ("--nonsense",),
    "threshold": ("--threshold", "0.9,0.1"),
    "threshold words": ("--threshold", "low"),
    "fail-on": ("--fail-on", "real"),
    "suffix": ("--report", "out.txt"),
    "format": ("--report", "-", "--format", "xml"),
    "same report twice": ("--report", "a.csv", "--report", "./a.csv"),
    "stdout twice": ("--report", "-", "--report", "-"),
    "device": ("--device", "abacus"),
    "no gpu 99": ("--device", "cuda:99"),
    "listing": ("--files-from", "no-such-listing"),
    "batch": ("--batch-size", "0"),
    "batch words": ("--batch-size", "many"),
    "batch large": ("--batch-size", "1025"),
    "idle -0": ("-0",),
    "idle format": ("--format", "csv"),
    "idle explain": ("--explain", "all"),
    "idle resume": ("--resume",),
}


@pytest.mark.parametrize("kind", USAGE)
def test_exit_2_is_wrong_usage(tmp_path: pathlib.Path, kind: str) -> None:
    done = fakeface("scan", PHOTOS, *USAGE[kind], cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert list(tmp_path.iterdir()) == []


EMPTY = (
    "--report",
    "--overlays",
    "--copy-flagged",
    "--state",
    "--model",
    "--files-from",
    "--include",
    "--exclude",
)


@pytest.mark.parametrize("flag", EMPTY)
def test_an_empty_value_is_refused_by_its_flags_name(tmp_path: pathlib.Path, flag: str) -> None:
    done = fakeface("scan", PHOTOS, flag, "", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert f"{flag} is empty; name " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_path_is_refused(tmp_path: pathlib.Path) -> None:
    for paths in (("",), (PHOTOS, "")):
        done = fakeface("scan", *paths, cwd=tmp_path)
        assert (done.returncode, "PATH is empty" in done.stderr) == (ExitCode.USAGE, True)


def test_exit_3_is_complete_with_unreadable_files(tmp_path: pathlib.Path) -> None:
    folder = some(tmp_path / "in", "official_003.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    done = fakeface("scan", folder, "--report", tmp_path / "out.csv")
    assert done.returncode == ExitCode.SOME_UNREADABLE
    broken, fine = rows(tmp_path / "out.csv")
    assert (broken["status"], broken["error_code"]) == ("error", "not_an_image")
    assert fine["status"] == "ok"
    assert "1 not_an_image" in done.stderr


def test_exit_4_is_nothing_to_do(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "out.csv").write_text("old")
    for argument in (tmp_path / "empty", tmp_path / "gone"):
        done = fakeface("scan", argument, "--report", tmp_path / "out.csv")
        assert done.returncode == ExitCode.NOTHING_TO_DO
    assert "gone" in done.stderr
    assert (tmp_path / "out.csv").read_text() == "old"


def test_exit_5_is_a_refused_model(tmp_path: pathlib.Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")
    done = fakeface("scan", PHOTOS, "--model", tmp_path / "model.safetensors")
    assert done.returncode == ExitCode.MODEL_REFUSED
    assert len(done.stderr.splitlines()) == 1
    assert "model.safetensors" in done.stderr


def test_exit_7_is_output_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("in the way")
    shutil.copy(PHOTOS / "official_003.jpg", tmp_path / "picture.csv")
    for flags in (
        ("--report", tmp_path / "folder.csv"),
        ("--report", tmp_path / "no" / "out.csv"),
        ("--report", tmp_path / "picture.csv"),
        ("--overlays", tmp_path / "file"),
        ("--copy-flagged", tmp_path / "file" / "below"),
    ):
        done = fakeface("scan", PHOTOS, *flags)
        assert done.returncode == ExitCode.CANNOT_WRITE, flags
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text() == "in the way"
    assert (tmp_path / "picture.csv").read_bytes() == (PHOTOS / "official_003.jpg").read_bytes()


def test_exit_10_and_13_are_fail_on(tmp_path: pathlib.Path) -> None:
    folder = some(tmp_path / "in", "official_003.jpg")
    flags = ("--threshold", "0,0", "--fail-on", "flagged,inconclusive")
    assert fakeface("scan", folder, *flags).returncode == ExitCode.FAIL_ON
    (folder / "broken.jpg").write_bytes(b"no picture")
    assert fakeface("scan", folder, *flags).returncode == ExitCode.FAIL_ON_AND_UNREADABLE
    flags = ("--threshold", "1,1", "--fail-on", "flagged")
    assert fakeface("scan", folder, *flags).returncode == ExitCode.SOME_UNREADABLE


def test_help_lists_every_exit_code() -> None:
    shown = " ".join(fakeface("scan", "--help").stdout.split())
    for code, meaning in EXIT_CODE_MEANINGS.items():
        assert f"{int(code)} {meaning}" in shown
        assert meaning in EPILOG
