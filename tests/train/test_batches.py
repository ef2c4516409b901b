"""What training shows a network is what a scan, a measurement, would show it."""

import pathlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import DecodedImage, ImageRef, Pixels
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FaceReader, FoundFace, read_faces
from fakefacecli.models.bundled import find_model
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import shrink
from fakefacecli.models.window import FLAT_WINDOW, LEVEL_WINDOW
from fakefacecli.scan.classify import unfit
from fakefacecli.scan.crop import cut
from fakefacecli.scan.pipeline import Judge
from fakefacecli.train.batches import Sampler
from fakefacecli.train.faces import PLAIN_WINDOW, CutOptions, LabelledFace, find_faces
from fakefacecli.train.feed import Shown, box_share, disturbed_face, fed_face, window_px
from fakefacecli.train.options import TrainOptions
from tests.builders import PHOTO, FakeClassifier, FakeDetector

CARD = replace(find_model("inception-resnet-v1").card, input_px=48)


def noise(path: pathlib.Path, width: int, height: int, channels: int = 3) -> str:
    chance = np.random.default_rng(width * height)
    pixels = chance.integers(0, 256, (height, width, channels), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def trained_and_measured(
    path: str, ready_scale: float, cache: str, card: ModelCard = CARD
) -> tuple[Pixels, FoundFace]:
    """What training feeds of a ready crop, and what `evaluate --faces-only` finds in it."""
    images = [LabelledImage(path, True, "", "")]
    [face], _ = find_faces(images, CutOptions(cache, ready_scale, workers=1))
    decoder = WorkerDecoder(1, DecodeLimits())
    try:
        judge = Judge(FakeDetector(), FakeClassifier(), card.window)
        [found] = read_faces(images, FaceReader(judge, decoder, ready_scale))
    finally:
        decoder.close()
    assert isinstance(found, FoundFace)
    if not card.rule:
        assert window_px(face, card) == found.crop.window.side
    return fed_face(face, card), found


@pytest.mark.parametrize(
    ("width", "height", "ready_scale"),
    [(96, 96, 1.15), (97, 97, 1.3), (89, 109, 1.15), (109, 88, 1.3), (96, 96, 1.0), (89, 109, 1.0)],
)
def test_training_sees_the_pixels_of_a_ready_crop_that_a_measurement_sees(
    tmp_path: pathlib.Path, width: int, height: int, ready_scale: float
) -> None:
    path = noise(tmp_path / "a.png", width, height)
    fed, found = trained_and_measured(path, ready_scale, str(tmp_path))
    assert (fed == shrink(found.crop, CARD)).all()


WINDOW = replace(CARD, rule=LEVEL_WINDOW, crop_scale=1.3, via_px=64)
NATIVE = replace(CARD, rule=LEVEL_WINDOW, crop_scale=1.8, view="native")


@pytest.mark.parametrize("card", [WINDOW, NATIVE], ids=["window", "native"])
@pytest.mark.parametrize(
    ("width", "height", "ready_scale"),
    [(96, 96, 1.8), (97, 97, 1.8), (40, 40, 1.8), (89, 109, 1.8), (96, 96, 1.3), (90, 90, 2.5)],
)
def test_training_sees_of_a_ready_window_what_a_measurement_sees(
    tmp_path: pathlib.Path, card: ModelCard, width: int, height: int, ready_scale: float
) -> None:
    path = noise(tmp_path / "a.png", width, height)
    fed, found = trained_and_measured(path, ready_scale, str(tmp_path), card)
    assert (fed == shrink(found.crop, card)).all()


@pytest.mark.parametrize("card", [WINDOW, NATIVE], ids=["window", "native"])
def test_training_sees_of_a_photograph_what_a_scan_sees(
    tmp_path: pathlib.Path, card: ModelCard
) -> None:
    """Cut, turned level and reduced by the scanner's own detector, then kept as a picture."""
    path = str(tmp_path / "turned.jpg")
    with Image.open(PHOTO) as picture:
        turned = picture.convert("RGB").rotate(20, Image.Resampling.BICUBIC, fillcolor="grey")
        turned.save(path, quality=95)
    images = [LabelledImage(path, True, "", "")]
    found, _ = find_faces(images, CutOptions(str(tmp_path / "cache"), workers=1, rule=card.window))
    detector = MtcnnDetector("cpu")
    [photo] = photographs(images)
    crops = [
        crop
        for number, face in enumerate(detector.detect([photo])[0], 1)
        if not unfit(crop := cut(photo, face, number, card.window), card.window)
    ]
    assert [crop.levelled for crop in crops] == [True]
    for face, crop in zip(found, crops, strict=True):
        assert (face.side, face.scale) == (crop.side, 1.8)
        assert (fed_face(face, card) == shrink(crop, card)).all()


def photographs(images: list[LabelledImage]) -> list[DecodedImage]:
    decoder = WorkerDecoder(1, DecodeLimits())
    try:
        refs = (ImageRef(n, image.path, "") for n, image in enumerate(images))
        return [item for item in decoder.decode(refs) if isinstance(item, DecodedImage)]
    finally:
        decoder.close()


def test_faces_that_a_scan_would_not_judge_are_not_learnt_from(tmp_path: pathlib.Path) -> None:
    """Of a picture that shows a face and nothing around it, the window is mostly elsewhere."""
    [photo] = photographs([LabelledImage(str(PHOTO), True, "", "")])
    [[face]] = MtcnnDetector("cpu").detect([photo])
    box = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    Image.fromarray(photo.pixels).crop(tuple(map(round, box))).save(tmp_path / "near.png")
    images = [LabelledImage(str(tmp_path / "near.png"), True, "", "")]
    why = {images[0].path: "no face that a scan would judge"}
    for rule in (LEVEL_WINDOW, PLAIN_WINDOW):
        _, left_out = find_faces(images, CutOptions(str(tmp_path / "c"), workers=1, rule=rule))
        assert left_out == why


def test_windows_cut_otherwise_are_other_files(tmp_path: pathlib.Path) -> None:
    images = [LabelledImage(str(PHOTO), True, "", "")]
    names = set()
    for rule in (PLAIN_WINDOW, FLAT_WINDOW, LEVEL_WINDOW):
        [face], _ = find_faces(images, CutOptions(str(tmp_path), workers=1, rule=rule))
        names.add(face.path)
    assert len(names) == 3


def test_a_native_view_keeps_its_pixels_unless_a_size_is_asked_for(tmp_path: pathlib.Path) -> None:
    image = LabelledImage(noise(tmp_path / "a.png", 96, 96), True, "", "")
    face = LabelledFace(image.path, image, 96, 1.8, 0, None)  # type: ignore[arg-type]
    whole = np.asarray(Image.open(image.path))
    seen = disturbed_face(face, NATIVE, Shown(56), 0)
    assert (seen == whole[20:76, 20:76]).all()
    assert (seen[4:52, 4:52] == fed_face(face, NATIVE)).all()
    assert box_share(face, NATIVE, Shown(56)) == pytest.approx(96 / 1.8 / 56)
    smaller = Image.fromarray(whole).resize((60, 60), Image.Resampling.BICUBIC)
    shrunk = disturbed_face(face, NATIVE, Shown(56, 60), 0)
    assert (shrunk == np.asarray(smaller)[2:58, 2:58]).all()
    # a window smaller than the input is enlarged to it, as in a scan; around it its edges repeat
    tiny = disturbed_face(face, NATIVE, Shown(56, 30), 0)
    assert (tiny[:4] == tiny[4]).all()
    assert box_share(face, NATIVE, Shown(56, 30)) == pytest.approx(48 / 1.8 / 56)


def test_native_batches_that_are_not_resized_hold_faces_of_like_size(
    tmp_path: pathlib.Path,
) -> None:
    """Real windows of 60 to 300 px, fake ones of 100 to 600: size must not tell them apart."""
    faces = []
    for n in range(120):
        side = 100 + 8 * (n // 2) if n % 2 else 60 + 4 * (n // 2)
        image = LabelledImage(str(n), n % 2 == 1, f"g{n % 3}", "train")
        faces.append(LabelledFace(str(n), image, side, 1.8, n, None))  # type: ignore[arg-type]
    sampler = Sampler(faces, NATIVE, TrainOptions("d", "o", "c", batch_size=16))
    chance = np.random.default_rng(0)
    for px in range(sampler.least_px, sampler.most_px, 20):
        places = sampler._balanced(chance, 16, px, untouched=True)
        ratio = sampler.px[places] / px
        assert ratio.max() < 1.26
        assert ratio.min() > 1 / 1.26


def test_no_finer_picture_is_drawn_than_a_scan_would_show() -> None:
    """By way of 64 px a window of 1.8 keeps 46 px for what lies within 1.3 times the box."""
    faces = []
    for n in range(8):
        image = LabelledImage(str(n), n % 2 == 1, "", "train")
        faces.append(LabelledFace(str(n), image, 600, 1.8, n, None))  # type: ignore[arg-type]
    how = TrainOptions("d", "o", "c", batch_size=4)
    wide = replace(WINDOW, via_px=0)
    assert [Sampler(faces, card, how).most_px for card in (WINDOW, wide, NATIVE)] == [46, 67, 600]


def test_a_crop_that_is_not_square_is_its_middle_and_nothing_else(tmp_path: pathlib.Path) -> None:
    path = noise(tmp_path / "a.png", 89, 109)
    _, found = trained_and_measured(path, CARD.crop_scale, str(tmp_path))
    assert isinstance(found.photo, DecodedImage)
    assert (found.crop.pixels == found.photo.pixels[10:99]).all()


def test_see_through_crops_are_read_as_a_scan_reads_them(tmp_path: pathlib.Path) -> None:
    path = noise(tmp_path / "a.png", 64, 64, channels=4)
    fed, found = trained_and_measured(path, 1.15, str(tmp_path))
    assert (fed == shrink(found.crop, CARD)).all()


@pytest.mark.parametrize(("scale", "side"), [(1.0, 55), (1.15, 48), (1.3, 48)])
def test_a_crop_narrower_than_the_window_is_disturbed_at_the_windows_scale(
    tmp_path: pathlib.Path, scale: float, side: int
) -> None:
    image = LabelledImage(noise(tmp_path / "a.png", 48, 48), True, "", "")
    face = LabelledFace(image.path, image, 48, scale, 0, None)  # type: ignore[arg-type]
    seen = disturbed_face(face, CARD, Shown(side), 0)
    with Image.open(image.path) as picture:
        border = (side - 47) // 2  # the window is rounded to the left
        whole = np.pad(np.asarray(picture), ((border, side - 48 - border),) * 2 + ((0, 0),), "edge")
    assert (seen == whole).mean() > 0.99


def test_a_picture_smaller_than_its_record_still_gives_the_window(tmp_path: pathlib.Path) -> None:
    image = LabelledImage(noise(tmp_path / "a.png", 20, 20), True, "", "")
    face = LabelledFace(image.path, image, 200, 1.3, 0, None)  # type: ignore[arg-type]
    narrow = np.asarray(Image.open(image.path))[1:19, 1:19]
    wanted = Image.fromarray(narrow).resize((48, 48), Image.Resampling.BICUBIC)
    assert (fed_face(face, CARD) == np.asarray(wanted)).all()
