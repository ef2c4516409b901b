"""Overlays: pictures that show the face, the heat and the words a reviewer needs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fakefacecli.base.records import (
    Box,
    DecodedImage,
    Face,
    FaceCrop,
    FileFacts,
    Heatmap,
    Window,
)
from fakefacecli.base.verdicts import Contribution, Label, Reason, Thresholds, Verdict
from fakefacecli.overlay.bars import AGAINST, FOR_FAKE
from fakefacecli.overlay.lettering import (
    CAVEAT,
    DIMMED,
    HEAT_MEANS,
    MOSTLY_OUTSIDE,
    NO_HEAT,
    REASONS,
    showable,
)
from fakefacecli.overlay.sheet import LEFT, PANEL_TOP, RIGHT, SHEET_PX, VIEWS_TOP
from fakefacecli.overlay.view import VIEW_PX, Frame, draw_whole, plasma
from fakefacecli.overlay.writer import draw_overlay
from tests.overlay.test_names import ref_of

MODEL = "inception-resnet-v1-2026.11"
NASTY = "档案/写真" * 30 + "/\udcff\u202egnp.\U0001f600\x1b[31m\\\n=cmd|é.jpg"


def scene(
    width: int, height: int, box: Box, name: str = "a.jpg", scale: float = 1.15
) -> tuple[DecodedImage, FaceCrop]:
    """A photograph of smooth noise, and the crop of `box` as the pipeline would cut it."""
    pixels = np.random.default_rng(5).integers(40, 200, (height, width, 3), np.uint8)
    side = max(1, round(box.longer_side * scale))
    left = round((box.left + box.right - side) / 2)
    top = round((box.top + box.bottom - side) / 2)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    face = Face(box, np.zeros((5, 2), np.float32), 0.9987)
    image = DecodedImage(ref_of(name), pixels, FileFacts(sha256="ab" * 32))
    window = Window(left, top, side)
    return image, FaceCrop(image.ref, 2, face, window, pixels[np.ix_(rows, columns)])


def verdict_of(probability: float = 0.97, low: float = 0.25, high: float = 0.93) -> Verdict:
    if probability >= high:
        label, reason = Label.FLAGGED, Reason.ABOVE_HIGH
    elif probability < low:
        label, reason = Label.NOT_FLAGGED, Reason.BELOW_LOW
    else:
        label, reason = Label.INCONCLUSIVE, Reason.BETWEEN_THRESHOLDS
    return Verdict(probability, Thresholds(low, high), label, reason)


def flat(crop: FaceCrop, value: float) -> Heatmap:
    return Heatmap(np.full((crop.window.side, crop.window.side), value, np.float32))


def view(sheet: Image.Image, left: int) -> np.ndarray:
    area = (left, VIEWS_TOP, left + VIEW_PX, VIEWS_TOP + VIEW_PX)
    return np.asarray(sheet.crop(area)).astype(int)


PLAIN = scene(900, 700, Box(300, 200, 460, 400))
SCENES = {
    "plain": PLAIN,
    "one pixel": scene(1, 1, Box(0, 0, 1, 1)),
    "tiny": scene(40, 30, Box(9.5, 4.2, 25.1, 26.8)),
    "over the corner": scene(200, 150, Box(-70, -40, 60, 90)),
    "flat": scene(3000, 2, Box(1500, 0, 1502, 2)),
    "whole": scene(64, 64, Box(0, 0, 64, 64)),
    "nasty name": scene(300, 300, Box(50, 60, 150, 170), NASTY),
}


@pytest.mark.parametrize("name", SCENES)
def test_every_sheet_has_one_size_and_is_drawn_the_same_twice(name: str) -> None:
    image, crop = SCENES[name]
    sheets = [draw_overlay(image, crop, flat(crop, 0.6), verdict_of(), MODEL) for _ in range(2)]
    assert sheets[0].mode == "RGB"
    assert sheets[0].size == SHEET_PX
    assert SHEET_PX[0] <= 1600
    assert sheets[0].tobytes() == sheets[1].tobytes()


def test_a_photograph_of_20_megapixels_gives_the_same_size() -> None:
    image, crop = scene(5472, 3648, Box(900, 300, 3500, 3400))
    sheet = draw_overlay(image, crop, flat(crop, 0.6), verdict_of(), MODEL)
    assert sheet.size == SHEET_PX


@pytest.mark.parametrize("name", SCENES)
def test_heat_colours_the_window_and_nothing_else(name: str) -> None:
    image, crop = SCENES[name]
    hot = view(draw_overlay(image, crop, flat(crop, 1.0), verdict_of(), MODEL), RIGHT)
    left, top, right, bottom = Frame.around(crop).window
    colour = hot.max(axis=2) - hot.min(axis=2)
    inside = np.zeros(colour.shape, bool)
    inside[top:bottom, left:right] = True
    box = np.array(Frame.around(crop).place(crop.face.box)).round().astype(int)
    rim = np.zeros(colour.shape, bool)
    rim[max(0, box[1] - 2) : box[3] + 2, max(0, box[0] - 2) : box[2] + 2] = True
    rim[max(0, box[1] + 6) : box[3] - 6, max(0, box[0] + 6) : box[2] - 6] = False
    assert (colour[inside & ~rim] > 60).all()
    assert (colour[~inside] == 0).all()


def test_no_heat_leaves_the_right_view_a_grey_copy_of_the_left() -> None:
    image, crop = PLAIN
    sheet = draw_overlay(image, crop, flat(crop, 0.0), verdict_of(), MODEL)
    area = (LEFT, VIEWS_TOP, LEFT + VIEW_PX, VIEWS_TOP + VIEW_PX)
    grey = np.asarray(sheet.crop(area).convert("L")).astype(int)
    different = np.abs(view(sheet, RIGHT)[..., 0] - grey) > 0
    edges = [round(edge) for edge in Frame.around(crop).place(crop.face.box)]
    rows, columns = np.nonzero(different)
    assert (columns.min(), rows.min()) == (edges[0] - 1, edges[1] - 1)
    assert (columns.max(), rows.max()) == (edges[2], edges[3])
    different[edges[1] + 4 : edges[3] - 4, edges[0] + 4 : edges[2] - 4] = False
    assert different.sum() == np.count_nonzero(np.abs(view(sheet, RIGHT)[..., 0] - grey))


def test_the_box_lies_where_the_detector_saw_the_face() -> None:
    # a window of 96 px with 24 px around it is drawn 4 times as large: 144 px in 576
    image, crop = scene(400, 300, Box(110, 102, 158, 182), scale=1.2)
    assert crop.window == Window(86, 94, 96)
    hot = view(draw_overlay(image, crop, flat(crop, 0.0), verdict_of(), MODEL), RIGHT)
    white = (hot == 255).all(axis=2)
    rows, columns = np.nonzero(white)
    assert (columns.min(), columns.max() + 1) == (4 * (110 - 62), 4 * (158 - 62))
    assert (rows.min(), rows.max() + 1) == (4 * (102 - 70), 4 * (182 - 70))


def test_hotter_places_are_coloured_more_strongly() -> None:
    image, crop = PLAIN
    side = crop.window.side
    ramp = Heatmap(np.tile(np.linspace(0, 1, side, dtype=np.float32), (side, 1)))
    hot = view(draw_overlay(image, crop, ramp, verdict_of(), MODEL), RIGHT)
    cold = view(draw_overlay(image, crop, flat(crop, 0.0), verdict_of(), MODEL), RIGHT)
    left, top, right, _ = Frame.around(crop).window
    change = np.abs(hot - cold)[top + 4 : top + 16].mean(axis=(0, 2))  # above the box
    thirds = [part.mean() for part in np.array_split(change[left:right], 3)]
    assert thirds[0] < thirds[1] < thirds[2]
    assert change[:left].max() == change[right:].max() == 0


@pytest.mark.parametrize("name", SCENES)
def test_the_left_view_shows_the_photograph_itself(name: str) -> None:
    image, crop = SCENES[name]
    bare = view(draw_overlay(image, crop, flat(crop, 1.0), verdict_of(), MODEL), LEFT)
    frame = Frame.around(crop)
    x = min(max(crop.window.left + crop.window.side // 2, 0), image.width - 1)
    y = min(max(crop.window.top + crop.window.side // 2, 0), image.height - 1)
    at = [int((value + 0.5) * frame.zoom) for value in (y - frame.top, x - frame.left)]
    if frame.zoom >= 4:  # pixels are shown as they are
        assert bare[at[0], at[1]].tolist() == image.pixels[y, x].tolist()
    cold = view(draw_overlay(image, crop, flat(crop, 0.0), verdict_of(), MODEL), LEFT)
    assert np.array_equal(bare, cold)


def test_an_overhanging_face_shows_what_the_network_saw_only_under_heat() -> None:
    image, crop = SCENES["over the corner"]
    sheet = draw_overlay(image, crop, flat(crop, 0.0), verdict_of(), MODEL)
    left, top, _, _ = Frame.around(crop).window
    corner = (slice(top + 2, top + 22), slice(left + 2, left + 22))
    assert view(sheet, LEFT)[corner].tolist() == [[[226, 229, 232]] * 20] * 20
    grey = np.asarray(Image.fromarray(image.pixels[:1, :1]).convert("L"))[0, 0]
    assert np.abs(view(sheet, RIGHT)[corner] - int(grey)).max() < 16  # enlarged smoothly


def test_the_whole_photograph_is_marked_where_the_face_is() -> None:
    box = Box(4000, 100, 4010, 112)
    image = DecodedImage(ref_of("a.jpg"), np.full((3000, 5000, 3), 128, np.uint8))
    whole = np.asarray(draw_whole(image, box, (255, 0, 0), 168, 156)).astype(int)
    assert whole.shape == (101, 168, 3)
    rows, columns = np.nonzero((whole[..., 0] > 200) & (whole[..., 1] < 60))
    assert 4 <= columns.max() - columns.min() <= 10
    assert abs(columns.mean() - 4005 / 5000 * 168) < 2
    assert abs(rows.mean() - 106 / 3000 * 101) < 3


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, tuple[float, ...]]]]:
    """Every text that is drawn, with the box of its ink."""
    seen: list[tuple[str, tuple[float, ...]]] = []
    draw = ImageDraw.ImageDraw.text

    def record(pen, at, text, fill=None, font=None, anchor=None):
        seen.append((text, pen.textbbox(at, text, font=font, anchor=anchor)))
        draw(pen, at, text, fill=fill, font=font, anchor=anchor)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", record)
    return seen


THRESHOLDS = [(0.25, 0.93), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.97, 0.99)]
THRESHOLDS += [(0.01, 0.02), (0.123456, 0.123457)]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("thresholds", THRESHOLDS)
@pytest.mark.parametrize("heat", [0.0, 0.5])
def test_no_text_runs_into_another_into_a_view_or_off_the_sheet(
    written: list, name: str, thresholds: tuple[float, float], heat: float
) -> None:
    image, crop = SCENES[name]
    model = "a model of a very long name " * 9
    draw_overlay(image, crop, flat(crop, heat), verdict_of(0.123456, *thresholds), model)
    assert len(written) > 18
    assert_apart(written, SHEET_PX[1])


def assert_apart(written: list, bottom: int) -> None:
    """Nothing that is written leaves the sheet or runs into anything else."""
    views = [
        ("view", (left, VIEWS_TOP, left + VIEW_PX, VIEWS_TOP + VIEW_PX)) for left in (LEFT, RIGHT)
    ]
    thumb = ("thumb", (LEFT + VIEW_PX - 168, PANEL_TOP + 48, LEFT + VIEW_PX, PANEL_TOP + 204))
    for at, (text, box) in enumerate(written):
        assert box[0] >= LEFT - 1, text
        assert box[1] >= 0, text
        assert box[2] <= RIGHT + VIEW_PX + 1, text
        assert box[3] <= bottom, text
        for other, place in [*views, thumb, *written[:at]]:
            apart = (
                box[2] <= place[0] or place[2] <= box[0] or box[3] <= place[1] or place[3] <= box[1]
            )
            assert apart, f"{text!r} runs into {other!r}"


FOUR = (
    Contribution("clip", 0.4, 3.9, "1.3 x the face, at 224 px"),
    Contribution("lite320", 0.32, -2.5, "1.8 x the face, at 320 px"),
    Contribution("irv1", 0.23, None, "1.15 x the face, at 160 px"),
    Contribution("native", 0.26, 0.0, "the middle 224 px, not resized"),
)
LONG = tuple(
    Contribution(f"m{number}_{'long_name' * 3}", 1.0, (-40.0) ** (number % 5), "as it sees it " * 5)
    for number in range(16)
)


def with_bars(crop: FaceCrop, value: float, bars: tuple[Contribution, ...]) -> Heatmap:
    return Heatmap(flat(crop, value).values, bars)


@pytest.mark.parametrize("bars", [FOUR, LONG], ids=["four", "sixteen"])
@pytest.mark.parametrize("heat", [0.0, 0.7])
def test_the_bars_have_room_of_their_own(written: list, bars: tuple, heat: float) -> None:
    image, crop = SCENES["over the corner"]
    sheet = draw_overlay(image, crop, with_bars(crop, heat, bars), verdict_of(), MODEL)
    assert sheet.size[0] == SHEET_PX[0]
    assert sheet.size[1] > SHEET_PX[1] + 28 * len(bars)
    assert_apart(written, sheet.size[1])


def test_a_bar_for_each_network_says_what_it_added_and_on_which_side(written: list) -> None:
    image, crop = PLAIN
    sheet = draw_overlay(image, crop, with_bars(crop, 0.5, FOUR), verdict_of(), MODEL)
    boxes = dict(written)
    for needed in ("clip", "lite320", "+1.56", "-0.80", "not asked", "+0.00", "native"):
        assert needed in boxes
    pixels = np.asarray(sheet).astype(int)
    for name, colour, side in (("clip", FOR_FAKE, 1), ("lite320", AGAINST, -1)):
        y = round((boxes[name][1] + boxes[name][3]) / 2)
        columns = np.flatnonzero((pixels[y] == colour).all(axis=1))
        middle = (boxes["against fake"][2] + boxes["for fake"][0]) / 2
        assert len(columns) > 50
        assert (side * (columns - middle) > -2).all()
    lengths = [np.count_nonzero((pixels == c).all(2).any(0)) for c in (FOR_FAKE, AGAINST)]
    assert lengths[0] / lengths[1] == pytest.approx(1.56 / 0.8, rel=0.25)  # headings have ink too


def test_a_single_network_has_no_bars(written: list) -> None:
    image, crop = PLAIN
    draw_overlay(image, crop, flat(crop, 0.5), verdict_of(), MODEL)
    assert "against fake" not in dict(written)
    assert "not asked" not in dict(written)


def blob(crop: FaceCrop, inside: float, outside: float) -> Heatmap:
    """Even heat within the face's box, and other heat in the rest of the window."""
    side, window, box = crop.window.side, crop.window, crop.face.box
    values = np.full((side, side), outside, np.float32)
    rows = slice(round(box.top) - window.top, round(box.bottom) - window.top)
    values[rows, round(box.left) - window.left : round(box.right) - window.left] = inside
    return Heatmap(values)


def test_heat_outside_the_face_is_dimmed_and_said(written: list) -> None:
    image, crop = PLAIN
    hot = view(draw_overlay(image, crop, flat(crop, 1.0), verdict_of(), MODEL), RIGHT)
    grey = view(draw_overlay(image, crop, flat(crop, 0.0), verdict_of(), MODEL), RIGHT)
    change = np.abs(hot - grey).mean(axis=2)
    left, top, _, bottom = Frame.around(crop).window
    box = [round(edge) for edge in Frame.around(crop).place(crop.face.box)]
    inside = change[box[1] + 8 : box[3] - 8, box[0] + 8 : box[2] - 8].mean()
    outside = change[top + 8 : bottom - 8, left + 4 : box[0] - 8].mean()
    assert 0.3 * inside < outside < 0.5 * inside
    texts = [text for text, _ in written]
    assert texts.count(DIMMED) == 1  # said where there is heat, and not on the cold sheet


@pytest.mark.parametrize(
    ("inside", "outside", "share"), [(1.0, 0.0, 0), (1.0, 0.02, 1), (0.0, 1.0, 100), (0.2, 1, 77)]
)
def test_heat_that_lies_mostly_outside_the_face_is_said(
    written: list, inside: float, outside: float, share: int
) -> None:
    image, crop = PLAIN
    draw_overlay(image, crop, blob(crop, inside, outside), verdict_of(), MODEL)
    said = [text for text, _ in written if text.startswith("Dimmed")]
    if share > 50:
        assert said == [f"{MOSTLY_OUTSIDE} ({share} %)"]
    else:
        assert said == ([DIMMED] if share else [])


def test_a_score_of_many_decimals_stays_in_its_column(written: list) -> None:
    image, crop = PLAIN
    score = float(np.nextafter(0.93, 0.0))
    draw_overlay(image, crop, flat(crop, 0.5), verdict_of(score), MODEL)
    (box,) = (box for text, box in written if text.startswith("p_fake"))
    assert box[2] <= LEFT + VIEW_PX


def test_the_crop_of_another_photograph_is_refused() -> None:
    image, _ = PLAIN
    _, crop = SCENES["nasty name"]
    with pytest.raises(ValueError, match=r"wanted one of 'a\.jpg'"):
        draw_overlay(image, crop, flat(crop, 0.5), verdict_of(), MODEL)


def test_the_sheet_says_all_that_a_reviewer_needs(written: list) -> None:
    image, crop = PLAIN
    draw_overlay(image, crop, flat(crop, 0.5), verdict_of(0.9712), MODEL)
    words = " | ".join(text for text, _ in written)
    for needed in (
        *("FLAGGED", "p_fake 0.971", "low 0.25", "high 0.93", "number 2", "200 px", "0.9987"),
        *("900 x 700 px", "a.jpg", MODEL, "ab" * 32, HEAT_MEANS, CAVEAT, "at or above the high"),
    ):
        assert needed in words


@pytest.mark.parametrize(("p", "word"), [(0.1, "NOT FLAGGED"), (0.5, "INCONCLUSIVE")])
def test_the_label_is_in_words_and_none_of_them_is_real(written: list, p: float, word: str) -> None:
    image, crop = PLAIN
    draw_overlay(image, crop, flat(crop, 0.0), verdict_of(p), MODEL)
    texts = [text for text, _ in written]
    assert texts[0] == word
    assert NO_HEAT in texts
    assert HEAT_MEANS not in texts
    assert "real" not in " ".join(texts).lower()


def test_labels_are_red_amber_and_grey() -> None:
    image, crop = PLAIN
    red, amber, grey = (
        draw_overlay(image, crop, flat(crop, 0.0), verdict_of(p), MODEL).getpixel((LEFT + 10, 40))
        for p in (0.99, 0.5, 0.1)
    )
    assert red[0] > 150 > 60 > max(red[1:])
    assert amber[0] > amber[1] > 150 > 60 > amber[2]
    assert max(grey) - min(grey) < 24


def test_everything_written_has_a_glyph(written: list) -> None:
    image, crop = SCENES["nasty name"]
    draw_overlay(image, crop, flat(crop, 0.5), verdict_of(), "modèle 模型")
    for text, _ in written:
        assert showable(text).replace("\\\\", "\\") == text


def test_the_colours_are_matplotlibs_plasma() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    values = np.linspace(0, 1, 101)[np.newaxis]
    expected = matplotlib.colormaps["plasma"](values)[..., :3] * 255
    assert np.abs(plasma(values) - expected).max() < 3


def test_a_wide_window_leaves_the_face_half_of_the_view() -> None:
    _, crop = scene(900, 700, Box(300, 200, 460, 400), scale=1.8)
    assert Frame.around(crop).side == pytest.approx(2 * 200, abs=2)
    near, _, far, _ = Frame.around(crop).window
    assert 0 < near < far < VIEW_PX


def test_a_window_that_was_turned_is_seen_whole() -> None:
    _, crop = scene(900, 700, Box(300, 200, 460, 400), scale=1.8)
    for roll in (12.0, -45.0):
        turned = replace(crop, roll=roll, turned=roll)
        corner = np.cos(np.radians(roll)) + abs(np.sin(np.radians(roll)))
        assert Frame.around(turned).side == pytest.approx(360 * corner, abs=2)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_fits_beside_its_label(written: list, reason: Reason) -> None:
    image, crop = PLAIN
    verdict = Verdict(0.5, Thresholds(0.01, 0.93), Label.INCONCLUSIVE, reason)
    draw_overlay(image, crop, flat(crop, 0.0), verdict, MODEL)
    [box] = [box for text, box in written if text == REASONS[reason]]
    assert box[2] <= LEFT + VIEW_PX


def test_a_reduced_window_repeats_the_edge_as_the_network_saw_it(written: list) -> None:
    image, crop = SCENES["over the corner"]
    small = np.ascontiguousarray(crop.pixels[::2, ::2])
    reduced = replace(crop, pixels=small)
    whole, less = (
        view(draw_overlay(image, one, flat(one, 0.0), verdict_of(), MODEL), RIGHT)
        for one in (crop, reduced)
    )
    assert np.array_equal(whole, less)


def test_a_turned_window_says_so_and_repeats_nothing(written: list) -> None:
    image, crop = SCENES["over the corner"]
    turned = replace(crop, roll=20.0, turned=20.0)
    hot = view(draw_overlay(image, turned, flat(turned, 0.0), verdict_of(), MODEL), RIGHT)
    [caption] = [text for text, _ in written if text.startswith("In grey")]
    assert "slanting: turned level" in caption
    assert "edge repeated" not in caption
    left, top, _, _ = Frame.around(turned).window
    grey = Image.new("RGB", (1, 1), (226, 229, 232)).convert("L").getpixel((0, 0))
    corner = hot[top : top + 90, left : left + 90]  # an outline crosses it
    assert (corner == grey).mean() > 0.8
