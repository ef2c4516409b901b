"""Degradations do what they say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.records import Box, DecodedImage, Face, FaceCrop, Pixels
from fakefacecli.base.verdicts import Reason
from fakefacecli.evaluate import degrade, edits
from fakefacecli.evaluate.degrade import GRID, Degradation
from fakefacecli.evaluate.turn import Turn
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.labelled.faces import FoundFace, face_in_middle
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.classify import unfit
from fakefacecli.scan.crop import cut
from tests.builders import PHOTOS, ref

LEVELLING = WindowRule(1.8, level_from=8, level_to=60, most_px=614, most_outside=0.2)
AS_IT_LIES = WindowRule(1.15)


def photo(side: int = 96) -> DecodedImage:
    with Image.open(PHOTOS / "official_003.jpg") as picture:
        return DecodedImage(ref(), np.asarray(picture.convert("RGB").resize((side, side))))


def found(picture: DecodedImage, face: Face, rule: WindowRule) -> FoundFace:
    crop = cut(picture, face, 1, rule)
    return FoundFace(LabelledImage("a.jpg", False, "", ""), picture, crop, face.box.longer_side)


def ready(side: int = 96, rule: WindowRule = LEVELLING) -> FoundFace:
    """A ready window: the whole picture, no eyes."""
    picture = photo(side)
    return found(picture, face_in_middle(picture, rule.span), rule)


def in_a_photo(roll: float = 0.0, rule: WindowRule = LEVELLING) -> FoundFace:
    """A face of 90 px in the middle of 400 px, its eyes turned by `roll` degrees."""
    eye = 20 * np.array([math.cos(math.radians(roll)), math.sin(math.radians(roll))])
    middle = np.array([200.0, 200.0])
    points = np.array([middle - eye, middle + eye, middle, middle, middle], np.float32)
    return found(photo(400), Face(Box(155, 155, 245, 245), points, 0.99), rule)


def away(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def cell_of(words: str) -> Degradation:
    [cell] = [cell for cell in GRID if f"{cell.family} {cell.strength:g}".startswith(words)]
    return cell


def middle_of(crop: FaceCrop) -> Pixels:
    """The middle third of a crop, at 32 px."""
    third = crop.side // 3
    return np.asarray(
        Image.fromarray(crop.pixels[third : 2 * third, third : 2 * third]).resize((32, 32))
    )


@pytest.mark.parametrize("rule", [LEVELLING, AS_IT_LIES], ids=["levelling", "as it lies"])
@pytest.mark.parametrize("cell", GRID, ids=lambda cell: f"{cell.family} {cell.strength:g}")
@pytest.mark.parametrize("side", [1, 7, 96])
def test_every_degradation_gives_a_changed_square_and_the_same_one_twice(
    cell: Degradation, side: int, rule: WindowRule
) -> None:
    before = ready(side, rule)
    after = cell(before, rule)
    assert after.pixels.shape == (after.window.side, after.window.side, 3)
    assert after.pixels.dtype == np.uint8
    assert (after.pixels == cell(before, rule).pixels).all()
    if side == 96:
        plain = before.crop.pixels
        assert after.pixels.shape != plain.shape or away(after.pixels, plain) > 0


def test_the_grid_has_every_family_and_no_cell_twice() -> None:
    names = {f"{cell.family} {cell.strength:g}" for cell in GRID}
    assert len(names) == len(GRID)
    words = " ".join(names)
    for family in (
        "JPEG quality 90",
        "JPEG quality 30",
        "WebP",
        "resize",
        "blur",
        "noise",
        "screenshot",
        "denoising",
        "smoothing",
        "upscaling",
        "tone mapping",
        "grading",
        "turn, degrees 45",
    ):
        assert family in words


def test_lower_qualities_stray_further() -> None:
    pixels = photo().pixels
    off = [away(degrade.jpeg(pixels, quality), pixels) for quality in (90, 60, 30)]
    assert off == sorted(off)
    assert off[0] > 0


def test_resize_blur_and_noise_have_the_stated_strength() -> None:
    before = ready(90)
    halved = cell_of("resize 0.5")(before, LEVELLING)
    assert (halved.window.side, halved.face.box.longer_side) == (45, 25)
    assert degrade.resize(photo().pixels, 0.25).shape == (24, 24, 3)
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert degrade.noise(grey, 10).std() == pytest.approx(10, rel=0.05)
    dot = np.zeros((31, 31, 3), np.uint8)
    dot[15, 15] = 255
    spread = degrade.blur(np.repeat(np.repeat(dot, 3, 0), 3, 1), 2)[..., 0].astype(float)
    rows = np.arange(len(spread)) - 46
    # a square of 3 pixels has the variance 2/3 of its own
    assert (spread.sum(1) @ rows**2) / spread.sum() == pytest.approx(4 + 2 / 3, rel=0.2)


def test_denoising_and_smoothing_take_noise_away_and_keep_an_edge() -> None:
    chance = np.random.default_rng(0)
    pixels = np.full((96, 96, 3), 90.0)
    pixels[:, 48:] = 170
    pixels = np.clip(pixels + chance.normal(0, 5, pixels.shape), 0, 255).astype(np.uint8)
    for edit, strength in ((edits.denoise, 7), (edits.smooth, 40)):
        after = edit(pixels, strength)
        assert after[10:-10, 10:30].std() < pixels[10:-10, 10:30].std() / 2
        assert after[:, 44:46].mean() < 95
        assert after[:, 50:52].mean() > 165


def test_tone_mapping_raises_local_contrast_and_grading_colours_greys() -> None:
    dark = photo().pixels // 4
    blocks = [
        p.astype(float).reshape(12, 8, 12, 8, 3).std((1, 3)).mean()
        for p in (dark, edits.map_tones(dark, 1), edits.map_tones(dark, 2))
    ]
    assert blocks[2] > blocks[1] > 1.1 * blocks[0]
    ramp = np.tile(np.linspace(0, 1, 96)[:, np.newaxis], (1, 96))
    greys = np.repeat((255 * ramp)[..., np.newaxis], 3, 2).astype(np.uint8)
    red, _, blue = edits.grade(greys, 1.5).astype(float).transpose(2, 0, 1)
    assert (red - blue)[80:90].mean() > 10  # warm lights
    assert (red - blue)[5:15].mean() < -5  # blue shadows


def test_a_large_window_is_reduced_after_an_edit_as_a_scan_would_do() -> None:
    before = ready(614)
    after = cell_of("upscaling")(before, LEVELLING)
    assert (after.side, after.window.side) == (614, 1228)
    assert after.face.box.longer_side == pytest.approx(2 * before.face_px)
    assert cell_of("upscaling")(ready(614, AS_IT_LIES), AS_IT_LIES).side == 1228


@pytest.mark.parametrize("degrees", [10, 20, 30, 45])
@pytest.mark.parametrize("face", [ready(300), in_a_photo()], ids=["ready", "in a photo"])
def test_a_turned_face_is_judged_level_by_a_card_that_levels(
    face: FoundFace, degrees: float
) -> None:
    after = Turn(degrees)(face, LEVELLING)
    assert after.levelled
    assert abs(after.roll) == pytest.approx(degrees, abs=0.1)
    assert after.window.side == face.crop.window.side
    assert unfit(after, LEVELLING) is None
    # twice through a filter, else the same
    assert away(middle_of(after), middle_of(face.crop)) < 4


def test_a_card_that_levels_nothing_sees_the_face_turned() -> None:
    face = in_a_photo(rule=AS_IT_LIES)
    after = Turn(30)(face, AS_IT_LIES)
    assert not after.levelled
    assert after.window.side == face.crop.window.side
    same = [
        away(middle_of(after), middle_of(replace(face.crop, pixels=np.asarray(turned))))
        # Pillow turns counterclockwise, a roll is clockwise
        for degrees in (-after.roll, after.roll)
        for turned in [Image.fromarray(face.crop.pixels).rotate(degrees, 3)]
    ]
    assert same[0] < 4 < 3 * same[0] < same[1]


def test_a_face_turned_beyond_the_card_is_not_judged() -> None:
    cards_end = WindowRule(1.8, level_from=8, level_to=25)
    after = Turn(30)(in_a_photo(rule=cards_end), cards_end)
    assert not after.levelled
    assert unfit(after, cards_end) is Reason.FACE_TURNED


def test_turns_add_to_the_roll_of_the_face() -> None:
    rolls = {round(Turn(20)(in_a_photo(roll), LEVELLING).roll - roll) for roll in (-12, 0, 15)}
    assert rolls <= {-20, 20}


def test_faces_are_turned_both_ways() -> None:
    pictures = [DecodedImage(ref(), np.full((40, 40, 3), grey, np.uint8)) for grey in range(8)]
    faces = [found(p, face_in_middle(p, 1.8), LEVELLING) for p in pictures]
    rolls = {round(Turn(20)(face, LEVELLING).roll) for face in faces}
    assert rolls == {-20, 20}


def test_what_was_cut_off_stays_so_when_turned() -> None:
    picture = photo(200)
    face = Face(Box(-60, 60, 40, 160), np.full((5, 2), 50, np.float32), 0.9)
    before = found(picture, face, LEVELLING)
    after = Turn(20)(before, LEVELLING)
    assert after.outside == before.crop.outside > 0.2
    assert unfit(after, LEVELLING) is Reason.FACE_CUT_OFF
