"""Labels are read from folders and CSVs; what cannot be understood is named with its row."""

import pathlib

import pytest
from PIL import Image

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.labelled.data import LabelledImage, read_data
from tests.builders import SHARED


def draw(*paths: pathlib.Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)


def listing(folder: pathlib.Path, text: str) -> str:
    draw(folder / "a.png", folder / "b.png")
    (folder / "list.csv").write_text(text)
    return str(folder / "list.csv")


def test_folders_give_label_group_and_split(tmp_path: pathlib.Path) -> None:
    draw(
        tmp_path / "train/real/a.png", tmp_path / "train/fake/sd/b.png", tmp_path / "val/real/c.png"
    )
    (tmp_path / "train/real/notes.txt").write_text("not an image")
    assert read_data(str(tmp_path)) == [
        LabelledImage(str(tmp_path / "train/fake/sd/b.png"), True, "sd", "train"),
        LabelledImage(str(tmp_path / "train/real/a.png"), False, "", "train"),
        LabelledImage(str(tmp_path / "val/real/c.png"), False, "", "val"),
    ]


def test_plain_folders_have_no_split(tmp_path: pathlib.Path) -> None:
    draw(tmp_path / "real/a.png", tmp_path / "fake/b.png", tmp_path / ".hidden/c.png")
    draw(tmp_path / "model.safetensors.faces/d.png")
    assert [(image.fake, image.split) for image in read_data(str(tmp_path))] == [
        (True, ""),
        (False, ""),
    ]


def test_a_csv_gives_rows_in_its_order(tmp_path: pathlib.Path) -> None:
    path = listing(tmp_path, "\ufefflabel,path,more,split\nFake,b.png,1,held_out\nreal,a.png,2,\n")
    assert read_data(path) == [
        LabelledImage(str(tmp_path / "b.png"), True, "", "held_out"),
        LabelledImage(str(tmp_path / "a.png"), False, "", ""),
    ]


def test_a_folder_with_a_labels_csv_is_that_csv(tmp_path: pathlib.Path) -> None:
    draw(tmp_path / "images/a.png")
    (tmp_path / "labels.csv").write_text("path,label,group\nimages/a.png,real,unsplash\n")
    assert [image.group for image in read_data(str(tmp_path))] == ["unsplash"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\na.png,maybe\n", "line 2: label 'maybe'"),
        ("path,label\na.png,real\ngone.png,fake\n", "line 3: no such file"),
        ("path,label\n,fake\n", "line 2: no such file"),
        ("path,label\na.png,real\n./a.png,fake\n", "line 3: .* line 2"),
        ("path,label,split\na.png,real,later\n", "line 2: split 'later'"),
        ("path,label\na.png\n", "line 2: label ''"),
        ("name,label\na.png,real\n", "columns name, label found"),
        ("path\na.png\n", "columns path found"),
        ("", "columns nothing found"),
        ('path,label\n"a.png,real\n', "not a CSV"),
    ],
)
def test_a_csv_that_cannot_be_understood_is_refused_by_row(
    tmp_path: pathlib.Path, text: str, words: str
) -> None:
    with pytest.raises(UsageError, match=rf"list\.csv.*{words}"):
        read_data(listing(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"path,label\n\xff\xfe,real\n")
    with pytest.raises(UsageError, match=r"a\.csv: not a CSV in UTF-8"):
        read_data(str(tmp_path / "a.csv"))


def test_strange_folders_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="no folder found, wanted real and fake"):
        read_data(str(tmp_path))
    draw(tmp_path / "real/a.png", tmp_path / "cats/b.png")
    with pytest.raises(UsageError, match="cats, real found"):
        read_data(str(tmp_path))
    draw(tmp_path / "other/train/dogs/a.png")
    with pytest.raises(UsageError, match="train: wanted the folders real and fake"):
        read_data(str(tmp_path / "other"))


def test_nothing_to_learn_from_is_said(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NothingToDo, match="no such file or folder"):
        read_data(str(tmp_path / "gone"))
    with pytest.raises(NothingToDo, match="no labelled image"):
        read_data(listing(tmp_path, "path,label\n"))
    (tmp_path / "data/real").mkdir(parents=True)
    with pytest.raises(NothingToDo, match="no labelled image"):
        read_data(str(tmp_path / "data"))


def test_the_shared_faces_are_readable() -> None:
    path = SHARED / "faces" / "labels.csv"
    if not path.exists():
        pytest.skip("the labelled faces are not at hand")
    found = read_data(str(path))
    assert len(found) == 2439
    assert {image.split for image in found} == {"train", "val", "held_out"}
    assert all(image.group for image in found if image.split == "held_out")


def test_unseen_is_a_split_of_csvs_and_folders(tmp_path: pathlib.Path) -> None:
    [image] = read_data(listing(tmp_path, "path,label,split\na.png,real,Unseen\n"))
    assert image.split == "unseen"
    draw(tmp_path / "data/unseen/real/a.png", tmp_path / "data/val/fake/b.png")
    assert {image.split for image in read_data(str(tmp_path / "data"))} == {"unseen", "val"}


def test_a_csv_may_tell_how_much_of_a_crop_was_no_photograph(tmp_path: pathlib.Path) -> None:
    csv = listing(tmp_path, "path,label,outside\na.png,fake,0.25\nb.png,real,\n")
    assert [image.outside for image in read_data(csv)] == [0.25, 0.0]
    for wrong in ("half", "-0.1", "1.5", "nan"):
        csv = listing(tmp_path, f"path,label,outside\na.png,fake,{wrong}\n")
        with pytest.raises(UsageError, match="line 2: outside"):
            read_data(csv)


def test_a_csv_may_tell_the_generator_and_the_faces_size(tmp_path: pathlib.Path) -> None:
    csv = listing(tmp_path, "path,label,generator,face_px\na.png,fake,sdxl,120.5\nb.png,real,,\n")
    told = [(image.generator, image.face_px) for image in read_data(csv)]
    assert told == [("sdxl", 120.5), ("", None)]
    for wrong in ("large", "-3", "nan", "inf"):
        csv = listing(tmp_path, f"path,label,face_px\na.png,fake,{wrong}\n")
        with pytest.raises(UsageError, match="line 2: face_px"):
            read_data(csv)
