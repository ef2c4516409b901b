"""Faces are cut out once; groups and near-duplicates never stand on both sides of a split."""

import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.errors import UsageError
from fakefacecli.base.records import DecodedImage, ImageRef
from fakefacecli.decode.image import DecodeLimits, read_image
from fakefacecli.decode.primaries import Colours
from fakefacecli.labelled.data import LabelledImage, read_data
from fakefacecli.train.faces import CACHE_SCALE, CutOptions, LabelledFace, find_faces, read_face
from fakefacecli.train.split import divide, near_pairs_of_both_labels
from fakefacecli.train.traits import Traits, sharpness_of, traits_of
from tests.builders import PHOTOS
from tests.drawn import draw_set, drawn

TRAITS = Traits("JPEG", 64, 64, 1000, 90.0, 0, 5.0)


def labelled(path: pathlib.Path, fake: bool = True) -> LabelledImage:
    return LabelledImage(str(path), fake, "", "")


def test_faces_of_photographs_are_cut_once_into_a_cache(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    Image.new("RGB", (80, 80)).save(tmp_path / "plain.png")
    names = [PHOTOS / "generated_000.jpg", tmp_path / "broken.jpg", tmp_path / "plain.png"]
    images = [labelled(path) for path in names]
    cutting = CutOptions(str(tmp_path / "cache"))
    counts: list[int] = []
    [face], left_out = find_faces(images, cutting, counts.append)
    assert (face.image, face.scale) == (images[0], CACHE_SCALE)
    assert read_face(face.path).shape == (face.side, face.side, 3)
    assert left_out[str(tmp_path / "plain.png")] == "no face found"
    assert "JPEG" in left_out[str(tmp_path / "broken.jpg")]
    assert sum(counts) == 3
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert find_faces(images, cutting) == ([face], left_out)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.png")}
    assert after.items() <= before.items()


def test_a_cut_face_that_was_lost_is_cut_again(tmp_path: pathlib.Path) -> None:
    images, cutting = [labelled(PHOTOS / "official_001.jpg")], CutOptions(str(tmp_path))
    [face], _ = find_faces(images, cutting)
    pathlib.Path(face.path).unlink()
    with open(tmp_path / "cut-40px.jsonl", "a", encoding="utf-8") as handle:
        handle.write('{"sha256": "torn')
    assert find_faces(images, cutting)[0] == [face]
    assert read_face(face.path).shape[0] == face.side


def test_ready_crops_are_used_where_they_lie(tmp_path: pathlib.Path) -> None:
    images = read_data(str(draw_set(tmp_path / "data", 2)))
    faces, left_out = find_faces(images, CutOptions(str(tmp_path / "cache"), ready_scale=1.0))
    assert [face.path for face in faces] == [image.path for image in images]
    assert (left_out, {face.scale for face in faces}) == ({}, {1.0})
    assert not list((tmp_path / "cache").glob("*.png"))


def test_a_ready_crop_is_read_as_a_scan_reads_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "crop.jpg"
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    wide = Colours((0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.329)).profile()
    Image.fromarray(drawn(0, False)).save(path, xmp=xmp, icc_profile=wide)
    image = read_image(ImageRef(0, str(path), "a"), DecodeLimits())
    assert isinstance(image, DecodedImage)
    assert np.array_equal(read_face(str(path)), image.pixels)
    with Image.open(path) as opened:
        assert not np.array_equal(image.pixels, np.asarray(opened))


def test_traits_tell_format_quality_metadata_and_sharpness(tmp_path: pathlib.Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    for quality in (5, 30, 50, 75, 95, 100):
        path = tmp_path / f"{quality}.jpg"
        Image.fromarray(noise).save(path, quality=quality, exif=exif)
        image = read_image(ImageRef(0, str(path), "a"), DecodeLimits())
        assert isinstance(image, DecodedImage)
        found = traits_of(image)
        assert found.quality == quality
        assert (found.format, found.width, found.metadata > 0) == ("JPEG", 64, True)
        assert Traits(*found.row()) == found  # type: ignore[arg-type]
    assert sharpness_of(noise) > 10 * sharpness_of(drawn(0, False))


def face(number: int, fake: bool, group: str = "", split: str = "", phash: int = 0) -> LabelledFace:
    image = LabelledImage(f"{number}.png", fake, group, split)
    chance = int(np.random.default_rng(number).integers(0, 2**63))
    return LabelledFace(image.path, image, 64, 1.3, phash or chance, TRAITS)


def test_a_group_is_never_split_and_both_sides_have_both_classes() -> None:
    faces = [face(n, n % 2 == 1, group=f"g{n % 14}") for n in range(280)]
    division = divide(faces, seed=3)
    groups = [{f.image.group for f in side} for side in (division.train, division.val)]
    assert not groups[0] & groups[1]
    assert len(division.train) + len(division.val) == 280
    assert 0.1 <= len(division.val) / 280 <= 0.3
    assert {f.image.fake for f in division.val} == {True, False}
    assert divide(faces, seed=3) == division
    assert divide(faces, seed=4) != division


def test_near_duplicates_stay_on_one_side() -> None:
    faces = [face(n, n % 2 == 1) for n in range(100)]
    faces += [face(100 + n, n % 2 == 1, phash=faces[n].phash ^ 0b101) for n in range(100)]
    division = divide(faces, seed=0)
    train = {int(f.path[:-4]) % 100 for f in division.train}
    val = {int(f.path[:-4]) % 100 for f in division.val}
    assert not train & val
    assert len(train | val) == 100


def test_given_splits_are_kept_and_their_like_leaves_training() -> None:
    faces = [face(n, n % 2 == 1, split="train") for n in range(20)]
    faces += [face(20 + n, n % 2 == 1, split="val") for n in range(4)]
    faces += [face(30 + n, n % 2 == 1, split="held_out", group="new") for n in range(4)]
    faces.append(face(40, True, split="train", phash=faces[20].phash ^ 1))
    faces.append(face(41, True, group="new"))
    division = divide(faces, seed=0)
    assert sorted(f.path for f in division.train) == sorted(f.path for f in faces[:20])
    assert [f.path for f in division.val] == [f.path for f in faces[20:24]]
    assert "2 faces left out" in division.notes[0]


def test_groups_across_given_splits_are_told() -> None:
    faces = [face(n, n % 2 == 1, "a", "train" if n < 10 else "val") for n in range(20)]
    assert divide(faces, 0).notes == [
        "1 of 1 groups lie on both sides of the given splits (a), and are left there: the "
        "validation figures will be too good; give each group one split"
    ]


def test_the_first_three_groups_across_given_splits_are_named() -> None:
    faces = [face(n, n % 2 == 1, f"g{n // 4}", "train" if n % 4 < 2 else "val") for n in range(20)]
    assert (
        "5 of 5 groups lie on both sides of the given splits (g0, g1, g2 and 2 more)"
        in (divide(faces, 0).notes[0])
    )


def test_groups_across_training_and_testing_spoil_the_test_alone() -> None:
    faces = [face(n, n % 2 == 1, f"g{n // 4}", "train" if n % 4 < 2 else "test") for n in range(80)]
    note = divide(faces, 0).notes[0]
    assert "figures on the splits kept for testing will be too good" in note


def test_a_class_of_one_group_cannot_be_divided() -> None:
    faces = [face(n, n % 2 == 1, "fakes" if n % 2 else "") for n in range(40)]
    with pytest.raises(UsageError, match="no fake face is left for validation"):
        divide(faces, 0)


def test_the_same_look_under_both_labels_is_counted() -> None:
    one = face(1, True)
    assert near_pairs_of_both_labels([one, face(2, False, phash=one.phash), face(3, True)]) == 1


def test_cut_faces_follow_their_photograph(tmp_path: pathlib.Path) -> None:
    pair = Image.new("RGB", (1024, 512))
    for left, name in ((0, "official_003.jpg"), (512, "generated_001.jpg")):
        with Image.open(PHOTOS / name) as picture:
            pair.paste(picture.resize((512, 512)), (left, 0))
    pair.save(tmp_path / "pair.png")
    shutil.copy(tmp_path / "pair.png", tmp_path / "again.png")
    images = [labelled(tmp_path / name) for name in ("pair.png", "again.png")]
    faces, _ = find_faces(images, CutOptions(str(tmp_path / "cache")))
    assert [f.image.path for f in faces] == [
        str(tmp_path / n) for n in ("pair.png",) * 2 + ("again.png",) * 2
    ]
    assert len(list((tmp_path / "cache").glob("*.png"))) == 2


def test_cut_faces_of_another_least_face_are_other_files(tmp_path: pathlib.Path) -> None:
    """40, 120, 40 px again: the detector works at another scale, so its boxes differ too."""
    pair = Image.new("RGB", (1024, 512))
    for box, name in (
        ((0, 0, 100, 100), "official_003.jpg"),
        ((512, 0, 1024, 512), "generated_001.jpg"),
    ):
        with Image.open(PHOTOS / name) as picture:
            pair.paste(picture.resize((box[2] - box[0], box[3] - box[1])), box)
    pair.save(tmp_path / "pair.png")
    images, folder = [labelled(tmp_path / "pair.png")], str(tmp_path / "cache")
    both, _ = find_faces(images, CutOptions(folder))
    before = [read_face(face.path) for face in both]
    [large], _ = find_faces(images, CutOptions(folder, min_face_px=120))
    assert large.side not in {face.side for face in both}
    again, _ = find_faces(images, CutOptions(folder))
    assert again == both
    for face, pixels in zip(again, before, strict=True):
        assert (read_face(face.path) == pixels).all()
        assert len(pixels) == face.side
    assert read_face(large.path).shape == (large.side, large.side, 3)


def test_another_least_face_looks_again(tmp_path: pathlib.Path) -> None:
    images = [labelled(PHOTOS / "official_001.jpg")]
    assert len(find_faces(images, CutOptions(str(tmp_path)))[0]) == 1
    assert find_faces(images, CutOptions(str(tmp_path), min_face_px=2000))[0] == []
    assert len(find_faces(images, CutOptions(str(tmp_path)))[0]) == 1
