"""What files say of themselves, in the rows of a scan."""

import json
import pathlib
from typing import Any

import pytest

from fakefacecli.base.errors import ExitCode
from tests import bad_files, builders, signing
from tests.command import fakeface
from tests.evidence.test_provenance import text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A photograph of a face, the same signed and then changed, and files without a face."""
    place = tmp_path_factory.mktemp("said")
    plain = builders.put(place / "plain.jpg").read_bytes()
    signer = signing.signer_of("OpenAI")
    signed = signing.sign(plain, "image/jpeg", signing.manifest(agent="GPT-4o"), signer)
    (place / "signed.jpg").write_bytes(signed)
    (place / "tampered.jpg").write_bytes(signed[:-40] + bytes([signed[-40] ^ 1]) + signed[-39:])
    (place / "asked.png").write_bytes(text(parameters="a face\nSteps: 20, Sampler: Euler a"))
    camera = bad_files.exif(Make="Canon", Model="EOS R5")
    (place / "camera.jpg").write_bytes(bad_files.saved(bad_files.picture(), "JPEG", exif=camera))
    return place


def scanned(folder: pathlib.Path, *flags: str) -> tuple[ExitCode, dict[str, Any], dict[str, Any]]:
    """The exit code, the rows by their files' names, and the header."""
    done = fakeface("scan", str(folder), "--report", "-", "--format", "json", *flags)
    report = json.loads(done.stdout)
    rows = {pathlib.Path(row["path"]).name: row for row in report["rows"]}
    return ExitCode(done.returncode), rows, report["run"]


def test_a_declaration_flags_the_image_and_never_the_face(folder: pathlib.Path) -> None:
    code, rows, run = scanned(folder, "--fail-on", "provenance")
    assert code is ExitCode.FAIL_ON
    plain, signed = rows["plain.jpg"], rows["signed.jpg"]
    assert (plain["image_verdict"], plain["image_evidence"]) == (plain["verdict"], "score")
    # the same pixels: the same score, and the same verdict on the face
    assert signed["p_fake"] == plain["p_fake"]
    assert signed["verdict"] == plain["verdict"] != "flagged"
    assert (signed["image_verdict"], signed["image_evidence"]) == ("flagged", "provenance")
    assert (signed["provenance"], signed["provenance_claim"]) == ("ai_declared", "generated")
    assert (signed["generator"], signed["c2pa_signer"]) == ("GPT-4o", "OpenAI")
    assert (signed["c2pa"], signed["c2pa_trust"]) == ("valid", "untrusted")
    tampered = rows["tampered.jpg"]
    assert (tampered["provenance"], tampered["c2pa"]) == ("invalid", "invalid")
    assert tampered["image_evidence"] == "score"
    asked, camera = rows["asked.png"], rows["camera.jpg"]
    assert (asked["status"], asked["image_verdict"]) == ("no_face", "flagged")
    assert (asked["image_evidence"], asked["c2pa"]) == ("provenance", "none")
    assert (camera["provenance"], camera["image_verdict"]) == ("camera_declared", None)
    assert run["counts"]["provenance"]["ai_declared"] == 2
    assert run["evidence"]["trust_list"] is None


def test_a_trust_list_makes_its_signers_trusted_and_stands_in_the_header(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    listed = tmp_path / "trusted.pem"
    listed.write_bytes(signing.signer_of("OpenAI").root)
    _, rows, run = scanned(folder, "--trust-list", str(listed))
    assert rows["signed.jpg"]["c2pa_trust"] == "trusted"
    assert run["evidence"]["trust_list"]["certificates"] == 1
    assert len(run["evidence"]["trust_list"]["sha256"]) == 64


def test_without_provenance_nothing_is_said(folder: pathlib.Path) -> None:
    _, rows, _ = scanned(folder, "--no-provenance")
    for row in rows.values():
        assert (row["provenance"], row["c2pa"]) == ("not_checked", "not_checked")
        assert row["provenance_detail"] is row["generator"] is None
        assert row["image_evidence"] in ("score", None)


def test_another_list_means_that_images_are_looked_at_anew(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    listed, state = tmp_path / "trusted.pem", str(tmp_path / "state.db")
    listed.write_bytes(signing.signer_of("OpenAI").root)
    _, rows, _ = scanned(folder, "--state", state)
    assert rows["signed.jpg"]["c2pa_trust"] == "untrusted"
    _, rows, _ = scanned(folder, "--state", state, "--trust-list", str(listed))
    assert rows["signed.jpg"]["c2pa_trust"] == "trusted"
    _, rows, run = scanned(folder, "--state", state)
    assert rows["signed.jpg"]["c2pa_trust"] == "untrusted"
    assert run["device"] == "not used"  # known from the state


@pytest.mark.parametrize("flag", ["--trust-list", "--generators"])
def test_a_list_that_is_none_is_refused_before_anything_is_scanned(
    flag: str, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("nothing of the kind")
    report = tmp_path / "out.csv"
    done = fakeface("scan", str(folder), "--report", str(report), flag, str(wrong))
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(f"fakeface: {wrong}: ")
    assert done.stderr.count("\n") == 1
    assert not report.exists()
    done = fakeface("scan", str(folder), "--no-provenance", flag, str(wrong))
    assert done.returncode == ExitCode.USAGE
