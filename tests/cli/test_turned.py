"""Pictures that lie on a side, and little memory, through the command."""

import json
import pathlib

from PIL import Image

from tests.builders import PHOTOS
from tests.command import assert_same, fakeface, json_lines, rows


def test_a_picture_stored_on_its_side_gets_the_verdict_of_its_upright_twin(
    tmp_path: pathlib.Path,
) -> None:
    with Image.open(PHOTOS / "generated_002.jpg") as picture:
        picture.convert("RGB").save(tmp_path / "upright.png")
        picture.convert("RGB").transpose(Image.Transpose.ROTATE_270).save(tmp_path / "lying.png")
    done = fakeface("scan", tmp_path, "--report", "-", "--overlays", tmp_path / "o")
    [lying, upright], _ = json_lines(done.stdout)
    assert (lying["turn"], upright["turn"]) == (270, 0)
    for name in ("p_fake", "verdict", "reason", "face_px", "detection_score"):
        assert lying[name] == upright[name]
    # boxes are those of the picture as a viewer shows it: turned clockwise by a quarter
    assert lying["x1"] == round(upright["height"] - upright["y2"], 2)
    assert lying["y1"] == upright["x1"]
    assert abs(lying["roll"] - upright["roll"] - 90) < 0.2
    assert pathlib.Path(lying["overlay"]).is_file()
    # CenterFace sees this one as it lies
    flags = ("--turns", "never", "--detector", "mtcnn")
    never = fakeface("scan", tmp_path / "lying.png", "--report", "-", *flags)
    [row], header = json_lines(never.stdout)
    assert (row["status"], row["roll"], row["turn"]) == ("no_face", None, None)
    assert header["options"]["turns"] == "never"


def test_a_state_of_other_turns_does_not_count(tmp_path: pathlib.Path) -> None:
    with Image.open(PHOTOS / "generated_002.jpg") as picture:
        picture.convert("RGB").rotate(90).resize((400, 400)).save(tmp_path / "lying.png")
    faces = []
    for turns in ("never", "auto", "auto"):
        done = fakeface(
            *("scan", tmp_path, "--report", "-", "--state", tmp_path / "s.state"),
            *("--turns", turns, "--detector", "mtcnn"),
        )
        faces.append([row["faces"] for row in map(json.loads, done.stdout.splitlines()[:-1])])
    assert faces == [[0], [1], [1]]


def test_little_memory_changes_no_row(tmp_path: pathlib.Path) -> None:
    for number, name in enumerate(("generated_002.jpg", "official_001.jpg", "official_003.jpg")):
        with Image.open(PHOTOS / name) as picture:
            picture.resize((1300, 1300)).save(tmp_path / f"{number}.jpg")
    for name, more in (("a.csv", ()), ("b.csv", ("--max-memory", "1M"))):
        done = fakeface("scan", tmp_path, "--report", tmp_path / name, *more)
        assert done.returncode in (0, 3), done.stderr
    assert_same(tmp_path / "a.csv", tmp_path / "b.csv")
    assert len(rows(tmp_path / "b.csv")) == 3
    refused = fakeface("scan", tmp_path, "--max-memory", "much")
    assert refused.returncode == 2
    assert "--max-memory much: wanted bytes" in refused.stderr
