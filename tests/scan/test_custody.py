"""Hashes of what was read and written, stand-ins for names, sheets and the page's pictures."""

import base64
import csv
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import sqlite3

import pandas as pd
import pytest
from PIL import Image

from fakefacecli.base.errors import CannotWrite, ExitCode
from fakefacecli.scan.page_folder import open_page_folder, remove_page_folder
from tests import bad_files, builders
from tests.command import fakeface

FLAGGED = "generated_002.jpg"  # by the small model
EVERY_OUTPUT = ("html", "csv", "json", "jsonl", "parquet", "sqlite")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A flagged portrait, one that is not, and a broken file, in a folder with a telling name."""
    place = tmp_path / "SecretSource" / "DeskNine"
    place.mkdir(parents=True)
    for name in (FLAGGED, "official_003.jpg"):
        shutil.copy(builders.PHOTOS / name, place / f"Witness-{name}")
    (place / "Witness-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0broken")
    return place


def reports(out: pathlib.Path) -> list[object]:
    return [word for kind in EVERY_OUTPUT for word in ("--report", out / f"r.{kind}")]


def facts(folder: pathlib.Path) -> dict[str, tuple[str, int, int]]:
    found = {}
    for path in sorted(folder.iterdir()):
        status = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.name] = (digest, status.st_mtime_ns, status.st_mode)
    return found


def test_no_input_is_changed_by_any_output_and_every_hash_is_in_the_manifest(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    before, out = facts(folder), tmp_path / "out"
    out.mkdir()
    done = fakeface(
        *("scan", folder, *reports(out), "--overlays", out / "overlays", "--explain", "all"),
        *("--copy-flagged", out / "copies", "--state", out / "state.db"),
        *("--contact-sheet", out / "sheet.png", "--manifest", out / "m.json"),
    )
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert facts(folder) == before
    manifest = json.loads((out / "m.json").read_text())
    assert {pathlib.Path(i["path"]).name: i["sha256"] for i in manifest["inputs"]} == {
        name: digest for name, (digest, *_) in before.items()
    }
    kinds = [entry["kind"] for entry in manifest["outputs"]]
    assert (kinds.count("report"), kinds.count("overlay")) == (len(EVERY_OUTPUT), 2)
    assert kinds.count("contact sheet") == 1
    for entry in manifest["outputs"]:
        data = (out / entry["path"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["bytes"])
    digest = hashlib.sha256((out / "m.json").read_bytes()).hexdigest()
    assert digest in done.stderr
    checked = fakeface("verify", out / "m.json")
    assert (checked.returncode, checked.stdout) == (ExitCode.COMPLETE, "")
    assert "12 files as before" in checked.stderr


def test_verify_names_what_is_not_what_it_was(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    manifest = tmp_path / "m.json"
    fakeface("scan", folder, "--report", tmp_path / "r.csv", "--manifest", manifest)
    with (folder / f"Witness-{FLAGGED}").open("ab") as handle:
        handle.write(b"x")
    (folder / "Witness-official_003.jpg").unlink()
    (tmp_path / "r.csv").write_text("other")
    done = fakeface("verify", manifest)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    states = {}
    for line in done.stdout.splitlines():
        state, _, path = line.split("  ")
        states[pathlib.Path(path).name] = state
    assert states == {
        f"Witness-{FLAGGED}": "changed",
        "Witness-official_003.jpg": "missing",
        "r.csv": "changed",
    }
    assert "1 file as before, 3 changed, missing or unreadable" in done.stderr


def test_a_folder_that_was_moved_whole_still_verifies(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    place = folder.parent
    fakeface("scan", folder, "--report", place / "r.csv", "--manifest", place / "m.json")
    place.rename(tmp_path / "moved")
    assert fakeface("verify", tmp_path / "moved" / "m.json").returncode == ExitCode.COMPLETE


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"fakeface_manifest": 2}', '{"fakeface_manifest": 1, "inputs": [{}]}']
)
def test_what_is_no_manifest_is_refused(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    done = fakeface("verify", path)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(f"fakeface: {path}: ")
    assert done.stderr.count("\n") == 1


def all_text(path: pathlib.Path) -> str:
    """Everything a file says, also what is compressed or in base64 pictures' metadata."""
    data = path.read_bytes()
    found = [data.decode("latin-1")]
    if path.suffix == ".parquet":
        found.append(pd.read_parquet(path).to_csv())
    if path.suffix == ".sqlite":
        with sqlite3.connect(path) as db:
            found += db.iterdump()
        db.close()
    if path.suffix in (".png", ".jpg"):
        with Image.open(io.BytesIO(data)) as image:
            found.append(str(image.info))
    # the pictures inside a page: what their bytes say
    packed = re.findall(rb"base64,([A-Za-z0-9+/=]{40,})", data)
    found += [base64.b64decode(part).decode("latin-1") for part in packed]
    return "\n".join(found)


def test_a_redacted_run_names_no_input_anywhere(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = fakeface(
        *("scan", folder, *reports(out), "--overlays", out / "overlays", "--explain", "all"),
        *("--contact-sheet", out / "sheet.png", "--manifest", out / "m.json", "--redact-paths"),
        *("--exclude", "Witness-nobody*"),
        cwd=tmp_path,
    )
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) == len(EVERY_OUTPUT) + 2 + 2
    for path in files:
        said = str(path.relative_to(out)) + all_text(path)
        for word in ("SecretSource", "DeskNine", "Witness", "official_003", "generated_002"):
            assert word not in said, (path, word)
    with (out / "r.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    names = {row["path"] for row in rows}
    assert len(names) == 3
    assert all(re.fullmatch(r"image-[0-9a-f]{16}", name) for name in names)
    by_hash = {row["sha256"]: row for row in rows}
    original = hashlib.sha256((folder / f"Witness-{FLAGGED}").read_bytes()).hexdigest()
    assert by_hash[original]["verdict"] == "flagged"
    checked = fakeface("verify", out / "m.json")
    assert checked.returncode == ExitCode.COMPLETE
    assert "3 not checked" in checked.stderr


@pytest.mark.parametrize("flag", ["--copy-flagged", "--list-skipped"])
def test_what_would_name_files_is_refused_with_redacted_paths(
    flag: str, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    done = fakeface("scan", folder, "--redact-paths", flag, tmp_path / "x")
    assert done.returncode == ExitCode.USAGE
    assert "--redact-paths" in done.stderr


def page_pictures(page: pathlib.Path) -> int:
    return page.read_text().count("data:image/")


def test_a_page_has_the_pictures_of_its_faces_and_leaves_none_beside_it(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    page, table = tmp_path / "r.html", tmp_path / "r.csv"
    fakeface("scan", folder, "--report", page, "--report", table)
    assert page_pictures(page) >= 1
    assert not list(tmp_path.glob("*.pictures"))
    with table.open() as handle:
        assert {row["overlay"] for row in csv.DictReader(handle)} == {""}


def test_a_page_inside_the_scanned_folder_is_no_input_of_its_own_scan(
    folder: pathlib.Path,
) -> None:
    done = fakeface("scan", folder, "--report", folder / "r.html", "--report", folder / "r.json")
    assert done.returncode == ExitCode.SOME_UNREADABLE
    rows = json.loads((folder / "r.json").read_text())["rows"]
    assert len(rows) == 3


def test_the_folder_of_a_page_is_never_emptied_of_what_is_not_ours(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "r.html.pictures"
    place.mkdir()
    (place / "holiday.jpg").write_bytes(bad_files.saved(bad_files.picture(), "JPEG"))
    with pytest.raises(CannotWrite, match=r"holiday\.jpg"):
        open_page_folder(str(place), resumes=False)
    assert (place / "holiday.jpg").exists()
    (place / "holiday.jpg").unlink()
    (place / "link").symlink_to(tmp_path)
    with pytest.raises(CannotWrite):
        remove_page_folder(str(place))
    (place / "link").unlink()
    open_page_folder(str(place), resumes=False)
    assert os.stat(place).st_mode & 0o777 == 0o700


def test_a_contact_sheet_shows_each_flagged_face_and_is_there_without_one(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    sheet = tmp_path / "sheet.png"
    done = fakeface("scan", folder, "--contact-sheet", sheet)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    with Image.open(sheet) as picture:
        full = picture.size
        colours = picture.convert("RGB").getcolors(1 << 20)
    assert colours is not None
    assert len(colours) > 1000  # a photograph is on it
    (folder / f"Witness-{FLAGGED}").unlink()
    assert fakeface("scan", folder, "--contact-sheet", sheet).returncode == done.returncode
    with Image.open(sheet) as picture:
        assert picture.size[1] < full[1]


@pytest.mark.parametrize(
    ("flag", "name", "code"),
    [
        ("--contact-sheet", "sheet.gif", ExitCode.USAGE),
        ("--manifest", "m.json", ExitCode.USAGE),  # without a report there is nothing to hash
    ],
)
def test_outputs_that_cannot_work_are_refused(
    flag: str, name: str, code: ExitCode, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    done = fakeface("scan", folder, flag, tmp_path / name)
    assert done.returncode == code
    assert not (tmp_path / name).exists()


def test_a_photograph_is_never_replaced_by_a_sheet(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    mine = tmp_path / "mine.jpg"
    data = bad_files.saved(bad_files.picture(), "JPEG")
    mine.write_bytes(data)
    done = fakeface("scan", folder, "--contact-sheet", mine)
    assert done.returncode == ExitCode.CANNOT_WRITE
    assert mine.read_bytes() == data
