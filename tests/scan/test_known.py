"""Known pictures in the rows of a scan."""

import json
import pathlib
from typing import Any

import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.options import EvidenceOptions
from fakefacecli.evidence import pdq
from fakefacecli.scan.run import known_pictures
from tests import builders
from tests.command import fakeface


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A portrait, an upload of it, another portrait, a flat picture and a broken file."""
    place = tmp_path_factory.mktemp("seen")
    with Image.open(builders.PHOTO) as photo:
        photo.resize((400, 400)).save(place / "a.jpg", quality=92)
        photo.resize((300, 300)).save(place / "b-again.jpg", quality=50)
    with Image.open(builders.PHOTOS / "official_000.jpg") as other:
        other.resize((300, 300)).save(place / "c-other.jpg", quality=90)
    Image.new("RGB", (64, 64), "white").save(place / "d-flat.png")
    (place / "e-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0broken")
    return place


def scanned(folder: pathlib.Path, *flags: object) -> tuple[int, dict[str, Any], dict[str, Any]]:
    done = fakeface("scan", folder, "--report", "-", "--format", "json", *flags)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    rows = {pathlib.Path(row["path"]).name: row for row in report["rows"]}
    return done.returncode, rows, report["run"]


def test_a_known_picture_is_said_with_its_distance_and_near_ones_share_a_cluster(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    code, rows, _ = scanned(folder)
    a, again, other = rows["a.jpg"], rows["b-again.jpg"], rows["c-other.jpg"]
    assert a["cluster"] == again["cluster"] != other["cluster"]
    assert rows["d-flat.png"]["cluster"] is rows["e-broken.jpg"]["cluster"] is None
    assert rows["d-flat.png"]["pdq_quality"] < 50
    assert a["known"] is None
    listed = tmp_path / "known.csv"
    broken = rows["e-broken.jpg"]["sha256"]
    listed.write_text(
        f"pdq,sha256,label,note\n{a['pdq']},,fake,ticket 7\n,{broken},fake,\n"
        f"{other['pdq']},,real,staff\n"
    )
    code, rows, run = scanned(folder, "--known", listed, "--fail-on", "known")
    assert code == ExitCode.FAIL_ON_AND_UNREADABLE
    assert (rows["a.jpg"]["known"], rows["a.jpg"]["known_distance"]) == ("fake", 0)
    again = rows["b-again.jpg"]
    assert (again["known"], again["known_note"]) == ("fake", "ticket 7")
    assert 0 < again["known_distance"] <= 31
    assert (again["image_verdict"], again["image_evidence"]) == ("flagged", "known")
    assert again["verdict"] == "not_flagged"
    other = rows["c-other.jpg"]
    assert (other["known"], other["image_evidence"]) == ("real", "score")
    assert rows["e-broken.jpg"]["known"] == "fake"
    assert rows["d-flat.png"]["known"] is None
    assert run["counts"]["known"] == 3
    assert run["evidence"]["known"][0]["entries"] == 3


def test_another_list_another_night_matches_anew_without_judging_again(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    state, listed = tmp_path / "state.db", tmp_path / "known.txt"
    _, rows, _ = scanned(folder, "--state", state)
    listed.write_text(f"pdq {rows['a.jpg']['pdq']}\n")
    _, rows, run = scanned(folder, "--state", state, "--known", listed)
    assert run["device"] == "not used"
    assert (rows["a.jpg"]["known"], rows["b-again.jpg"]["known"]) == ("known", "known")
    assert rows["a.jpg"]["image_evidence"] == "score"  # nobody has called it fake
    _, rows, run = scanned(folder, "--state", state)
    assert run["device"] == "not used"
    assert rows["a.jpg"]["known"] is None


def test_a_match_called_real_fails_nothing(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    _, rows, _ = scanned(folder)
    listed = tmp_path / "known.csv"
    listed.write_text(f"pdq,label\n{rows['c-other.jpg']['pdq']},real\n")
    code, _, _ = scanned(folder, "--known", listed, "--fail-on", "known")
    assert code == ExitCode.SOME_UNREADABLE


def test_all_formats_have_the_same_clusters(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    done = fakeface(
        *("scan", folder, "--report", tmp_path / "r.json", "--report", "-", "--batch-size", "1")
    )
    live = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    whole = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert [row["cluster"] for row in live] == [row["cluster"] for row in whole]


def test_pdq_without_its_library_is_refused_and_sha256_needs_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdq, "is_installed", lambda: False)
    hashes, files = tmp_path / "hashes.txt", tmp_path / "files.csv"
    hashes.write_text("pdq " + "0f" * 32 + "\n")
    files.write_text("sha256,label\n" + "ab" * 32 + ",fake\n")
    with pytest.raises(UsageError, match=r"pdqhash.*\[pdq\]"):
        known_pictures(EvidenceOptions(known=(str(hashes),)))
    found = known_pictures(EvidenceOptions(known=(str(files),)))
    assert found is not None
    assert found.match("ab" * 32, None) is not None


def test_a_list_that_is_none_is_refused_before_anything_is_scanned(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("hello\n")
    done = fakeface("scan", folder, "--known", wrong, "--report", tmp_path / "out.csv")
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(f"fakeface: {wrong}, line 1: ")
    assert not (tmp_path / "out.csv").exists()
