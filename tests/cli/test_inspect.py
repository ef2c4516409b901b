"""`fakeface inspect`: what it prints of a file, what it saves, and what it never touches."""

import hashlib
import json
import os
import pathlib
import unicodedata

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fakefacecli.base.errors import ExitCode
from tests import bad_files
from tests.bad_files import picture, saved
from tests.builders import PHOTOS
from tests.command import fakeface
from tests.evidence.test_manifest import signed

NARROW = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}


def test_a_photograph_is_shown_as_a_tree_that_fits_80_columns(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.png").write_bytes((PHOTOS / "generated_000.jpg").read_bytes())
    done = fakeface("inspect", "a.png", cwd=tmp_path, env=NARROW)
    assert (done.returncode, done.stderr) == (ExitCode.COMPLETE, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.replace("│", " ").split())
    assert hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest() in text
    assert "container: JPEG (the name ends in .png, which is another format's)" in text
    assert "quantisation table 0 (8 bit): nearest to libjpeg's luminance table" in text
    for part in ("file", "picture", "parts of the file", "JPEG", "saved twice?", "provenance"):
        assert f"── {part}" in done.stdout
    assert text.count("how to read it: ") == text.count("how not to: ") >= 5


def test_json_has_everything_and_is_ascii(tmp_path: pathlib.Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "\u00e9\x1b[31m" + "x" * 500)
    (tmp_path / "a.png").write_bytes(saved(picture(), "PNG", pnginfo=info))
    done = fakeface("inspect", "a.png", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (ExitCode.COMPLETE, "")
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    found = json.loads(done.stdout)
    [field] = found["sections"]["metadata"]["value"]
    assert (field["name"], len(field["value"])) == ("Title", 506)
    assert found["picture"]["width"] == 96
    assert found["provenance"]["kind"] == "none"


def test_a_signed_manifest_is_shown(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jpg").write_bytes(signed("JPEG"))
    done = fakeface("inspect", "a.jpg", cwd=tmp_path)
    assert "── C2PA" in done.stdout
    assert "name: a test of ours" in done.stdout
    assert "\x1b" not in done.stdout
    found = json.loads(fakeface("inspect", "a.jpg", "--json", cwd=tmp_path).stdout)
    assert "active_manifest" in found["sections"]["c2pa"]["value"]


def test_both_pictures_are_saved_with_how_to_read_them(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jpg").write_bytes((PHOTOS / "official_003.jpg").read_bytes())
    for _ in range(2):  # a second time they are known again
        done = fakeface("inspect", "a.jpg", "--ela", "e.png", "--noise", "n.jpg", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (ExitCode.COMPLETE, "")
    with Image.open(PHOTOS / "official_003.jpg") as photo:
        size = photo.size
    for name in ("e.png", "n.jpg"):
        assert f"saved: {name}" in done.stdout
        with Image.open(tmp_path / name) as shown:
            assert (shown.size, shown.mode) == (size, "RGB")
            assert np.asarray(shown).std() > 1


def test_the_quality_of_the_analysis_can_be_chosen(tmp_path: pathlib.Path) -> None:
    path = PHOTOS / "official_003.jpg"
    for quality in (50, 90):
        done = fakeface(
            *("inspect", path, "--ela", f"{quality}.png", "--ela-quality", quality), cwd=tmp_path
        )
        assert done.returncode == ExitCode.COMPLETE
    assert (tmp_path / "50.png").read_bytes() != (tmp_path / "90.png").read_bytes()
    assert fakeface("inspect", path, "--ela-quality", 0).returncode == ExitCode.USAGE


@pytest.mark.parametrize("flag", ["--ela", "--noise"])
def test_no_picture_replaces_the_input_or_a_foreign_file(tmp_path: pathlib.Path, flag: str) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes((PHOTOS / "official_003.jpg").read_bytes())
        done = fakeface("inspect", "a.jpg", flag, name, cwd=tmp_path)
        assert done.returncode == ExitCode.CANNOT_WRITE
        assert name in done.stderr
        assert (tmp_path / name).read_bytes() == (PHOTOS / "official_003.jpg").read_bytes()
    done = fakeface("inspect", "a.jpg", flag, "x.bmp", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert flag in done.stderr


def test_two_pictures_need_two_names(tmp_path: pathlib.Path) -> None:
    done = fakeface("inspect", PHOTOS / "official_003.jpg", "--ela", "a.png", "--noise", "./a.png")
    assert done.returncode == ExitCode.USAGE
    assert not (tmp_path / "a.png").exists()


def test_a_file_that_cannot_be_decoded_still_has_its_hash_and_its_parts(
    tmp_path: pathlib.Path,
) -> None:
    whole = saved(picture(), "JPEG", comment=b"still here")
    (tmp_path / "cut.jpg").write_bytes(whole[:700])
    done = fakeface("inspect", "cut.jpg", "--ela", "e.png", cwd=tmp_path)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    assert done.stderr.startswith("fakeface: cut.jpg: ")
    assert done.stderr.count("\n") == 1
    assert hashlib.sha256(whole[:700]).hexdigest() in done.stdout
    assert "Comment: still here" in done.stdout
    assert "not decoded: " in done.stdout
    assert not (tmp_path / "e.png").exists()


def test_what_is_no_image_is_said_to_be_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    done = fakeface("inspect", "a.jpg", cwd=tmp_path)
    assert done.returncode == ExitCode.SOME_UNREADABLE
    assert "container: no known image format" in done.stdout
    assert fakeface("inspect", tmp_path).returncode == ExitCode.NOTHING_TO_DO
    assert fakeface("inspect", tmp_path / "gone.jpg").returncode == ExitCode.NOTHING_TO_DO
    for flags in (["", "--json"], ["a.jpg", "--ela", ""], ["a.jpg", "--noise", ""]):
        assert fakeface("inspect", *flags, cwd=tmp_path).returncode == ExitCode.USAGE


@pytest.mark.slow
def test_hostile_files_print_no_control_character_and_end_as_they_should(
    tmp_path: pathlib.Path,
) -> None:
    corpus = bad_files.build(tmp_path)
    names = sorted(corpus)[::9]
    assert len(names) > 10
    for name in names:
        # ./ as a name may begin with a dash
        done = fakeface("inspect", os.path.join(".", name), cwd=tmp_path)
        read = corpus[name] is None
        wanted = ExitCode.COMPLETE if read else ExitCode.SOME_UNREADABLE
        assert done.returncode == wanted, (name, done.stderr)
        odd = {c for c in done.stdout if unicodedata.category(c) in ("Cc", "Cf", "Cs")} - {"\n"}
        assert not odd, name
