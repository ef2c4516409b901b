"""`--detector`: what the second detector adds to a report, and what it leaves as it is."""

import pathlib

import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from tests.builders import PHOTO, PHOTOS
from tests.command import fakeface, json_lines

OF_THE_RUN = {"run_id", "elapsed_ms"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A dark portrait, which MTCNN misses; one beside a bright one; and a bright one."""
    folder = tmp_path_factory.mktemp("in")
    with Image.open(PHOTO) as picture:
        bright = picture.convert("RGB").resize((400, 400))
    dark = bright.point(lambda value: value // 20)
    pair = Image.new("RGB", (800, 400))
    pair.paste(bright)
    pair.paste(dark, (400, 0))
    for name, picture in (("bright", bright), ("dark", dark), ("pair", pair)):
        picture.save(folder / f"{name}.png")
    return folder


def scanned(folder: pathlib.Path, *flags: str) -> list[dict[str, object]]:
    done = fakeface("scan", folder, "--report", "-", "--quiet", *flags)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    found, _ = json_lines(done.stdout)
    return [{k: v for k, v in row.items() if k not in OF_THE_RUN} for row in found]


def test_without_the_second_detector_the_rows_of_the_first_are_the_same(
    folder: pathlib.Path,
) -> None:
    both = scanned(folder)
    alone = scanned(folder, "--detector", "mtcnn")
    names = [(pathlib.Path(str(row["path"])).stem, row["face"], row["detector"]) for row in both]
    assert names == [
        ("bright", 1, "mtcnn"),
        ("dark", 1, "centerface"),
        ("pair", 1, "mtcnn"),
        ("pair", 2, "centerface"),
    ]
    assert [(row["status"], row["detector"]) for row in alone] == [
        ("ok", "mtcnn"),
        ("no_face", None),
        ("ok", "mtcnn"),
    ]
    assert both[0] == alone[0]
    # what is said of the whole image counts the further face
    changed = {"faces", "image_verdict", "p_fake"}
    for one, other in zip(both[2].items(), alone[2].items(), strict=True):
        assert one == other or one[0] in changed
    assert both[2]["p_fake"] == pytest.approx(alone[2]["p_fake"], abs=1e-5)


def test_a_face_that_the_first_finds_in_a_turned_picture_has_one_row(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with Image.open(folder / "pair.png") as pair:
        pair.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "pair.png")
    # the dark one is not looked for in turned pictures
    [row] = scanned(tmp_path)
    assert (row["detector"], row["turn"]) == ("mtcnn", 90)


def test_explain_says_which_face_the_second_detector_found(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = ("--out", tmp_path / "o.jpg")
    done = fakeface("explain", folder / "pair.png", *flags)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    assert "Found by CenterFace alone: face 2." in done.stdout
    done = fakeface("explain", folder / "dark.png", *flags, "--detector", "mtcnn")
    assert "no face found" in done.stdout


def test_an_interrupted_run_is_not_resumed_with_another_detector(tmp_path: pathlib.Path) -> None:
    from fakefacecli.base.options import Detectors, JudgeOptions, ScanOptions, SourceOptions

    source = SourceOptions((str(PHOTOS),))
    both, alone = (
        ScanOptions(source, judge=JudgeOptions(detector=detector)).affecting_rows
        for detector in (Detectors.BOTH, Detectors.MTCNN)
    )
    assert both != alone


def test_the_self_test_asks_the_second_detector_by_its_name() -> None:
    done = fakeface("models", "selftest", "centerface")
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("detector        centerface, sha256 1a9dbc792d96")
    assert second.startswith("box             within 0.")
