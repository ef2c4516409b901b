"""Overlays: names that stay apart and inside, files that are whole, pictures that can be read."""

import errno
import os
from collections.abc import Iterator
from typing import IO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.records import (
    Box,
    DecodedImage,
    Face,
    FaceCrop,
    FileFacts,
    Heatmap,
    ImageRef,
    Window,
)
from fakefacecli.base.text import exact, printable
from fakefacecli.base.verdicts import Label, Reason, Thresholds, Verdict
from fakefacecli.overlay.lettering import (
    CAVEAT,
    HEAT_MEANS,
    NO_HEAT,
    score_text,
    shorten,
    showable,
    typeface,
    zoom_text,
)
from fakefacecli.overlay.sheet import LEFT, PANEL_TOP, RIGHT, SHEET_PX, VIEWS_TOP
from fakefacecli.overlay.view import VIEW_PX, Frame, draw_whole, plasma
from fakefacecli.overlay.writer import OverlayWriter, draw_overlay, overlay_name

SHA256 = "3fa1b2c4" + "5" * 56
MODEL = "inception-resnet-v1-2026.11"
NASTY = "档案/写真" * 30 + "/\udcff\u202egnp.\U0001f600\x1b[31m\\\n=cmd|é.jpg"


def ref_of(name: str) -> ImageRef:
    return ImageRef(0, "/photos/" + name, name)


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


# --- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg.3fa1b2c4.face2.jpg"),
        ("sub/a.jpg", "sub/a.jpg.3fa1b2c4.face2.jpg"),
        ("sub/a", "sub/a.3fa1b2c4.face2.jpg"),
        ("写真/é.png", "写真/é.png.3fa1b2c4.face2.jpg"),
        ("\udcff.jpg", "\udcff.jpg.3fa1b2c4.face2.jpg"),
        ("..a/...", "..a/....3fa1b2c4.face2.jpg"),
        ("a.jpg.face2.jpg/b.jpg", "a.jpg.face2.jpg~/b.jpg.3fa1b2c4.face2.jpg"),
    ],
)
def test_an_overlay_is_called_after_its_photograph(name: str, expected: str) -> None:
    assert overlay_name(ref_of(name), 2, SHA256) == expected


def test_an_overlay_of_unknown_bytes_has_no_digits() -> None:
    assert overlay_name(ref_of("sub/a.jpg"), 2, None) == "sub/a.jpg.face2.jpg"


@pytest.mark.parametrize("name", ["a.jpg", "x" * 255, "/".join(["y" * 200] * 11)])
def test_other_bytes_under_the_same_name_give_another_overlay(name: str) -> None:
    one, other = (overlay_name(ref_of(name), 1, sha256) for sha256 in (SHA256, "0" * 64))
    assert one != other
    assert one == overlay_name(ref_of(name), 1, SHA256)
    assert max(len(part) for part in one.split("/")) <= 255


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../a.jpg", "a/../../b.jpg", "..", ".", "./a.jpg", "a//b", "a/", "a\0b"],
)
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="stays in its folder"):
        overlay_name(ref_of(name), 1, SHA256)
    with pytest.raises(ValueError, match="stays in its folder"):
        OverlayWriter("somewhere").write(name, Image.new("RGB", (1, 1)))


def test_a_face_number_counts_from_1() -> None:
    with pytest.raises(ValueError, match="face number 0"):
        overlay_name(ref_of("a.jpg"), 0, SHA256)


def test_no_two_faces_share_a_path_and_no_overlay_takes_a_folders() -> None:
    long = "x" * 251 + ".jpg"
    cut = overlay_name(ref_of(long), 1, SHA256).removesuffix(".3fa1b2c4.face1.jpg")
    drawn = "a.jpg.3fa1b2c4.face1.jpg"
    names = ["a.jpg", "a.png", "a", drawn, f"{drawn}.3fa1b2c4.face1.jpg", "A.jpg"]
    names += [f"{name}/b" for name in names] + [f"{drawn}~/b", f"{drawn}~~/b"]
    names += [long, "x" * 250 + "y.jpg", cut, f"{cut}/b", f"{cut}.3fa1b2c4.face1.jpg/b"]
    paths = [overlay_name(ref_of(name), number, SHA256) for name in names for number in (1, 2, 11)]
    assert len(set(paths)) == len(paths)
    folders = {os.path.dirname(path) for path in paths}
    assert not folders & set(paths)


@pytest.mark.parametrize("char", ["x", "写", "\U0001f600", "\udcff"])
def test_a_name_without_room_for_its_ending_is_cut_and_hashed(char: str) -> None:
    name = char * (255 // len(os.fsencode(char)))
    path = overlay_name(ref_of(f"sub/{name}"), 3, SHA256)
    assert path == overlay_name(ref_of(f"sub/{name}"), 3, SHA256)
    folder, last = path.split("/")
    assert folder == "sub"
    assert 250 <= len(os.fsencode(last)) <= 255
    assert last.startswith(char * 10)
    assert last.endswith(".3fa1b2c4.face3.jpg")
    assert os.fsdecode(os.fsencode(last)) == last


# --- files


@pytest.mark.parametrize("name", ["a.jpg", "写真/deep/er/é.png", "\udcff/\udcfe.jpg", "x" * 255])
def test_an_overlay_is_written_as_a_jpeg_and_nothing_beside_it(tmp_path, name: str) -> None:
    folder = str(tmp_path / "new" / "overlays")
    path = overlay_name(ref_of(name), 1, SHA256)
    OverlayWriter(folder).write(path, Image.new("RGB", (20, 10), (200, 0, 0)))
    target = os.path.join(folder, *path.split("/"))
    assert os.listdir(os.path.dirname(target)) == [os.path.basename(target)]
    with Image.open(target) as written:
        assert (written.format, written.size) == ("JPEG", (20, 10))
        assert written.layer[0][1:3] == (1, 1)  # no chroma subsampling: red text stays sharp
        assert written.getpixel((10, 5))[0] > 190


@pytest.mark.parametrize("link_to", ["outside", "elsewhere that does not exist"])
def test_a_link_among_the_folders_is_refused(tmp_path, link_to: str) -> None:
    overlays, outside = tmp_path / "overlays", tmp_path / "outside"
    overlays.mkdir()
    outside.mkdir()
    (overlays / "sub").symlink_to(tmp_path / link_to)
    with pytest.raises(CannotWrite, match="sub is not a folder of its own"):
        OverlayWriter(str(overlays)).write("sub/a.jpg.face1.jpg", Image.new("RGB", (1, 1)))
    with pytest.raises(CannotWrite):
        OverlayWriter(str(overlays)).write("sub/x/a.jpg.face1.jpg", Image.new("RGB", (1, 1)))
    assert os.listdir(outside) == []


def test_a_link_in_the_overlays_own_place_is_replaced_and_not_followed(tmp_path) -> None:
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"precious")
    overlays = tmp_path / "overlays"
    overlays.mkdir()
    (overlays / "a.jpg.face1.jpg").symlink_to(precious)
    OverlayWriter(str(overlays)).write("a.jpg.face1.jpg", Image.new("RGB", (1, 1)))
    assert precious.read_bytes() == b"precious"
    assert not (overlays / "a.jpg.face1.jpg").is_symlink()


def test_an_overlays_folder_that_is_a_link_is_the_users_choice(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "overlays").symlink_to(tmp_path / "disk")
    OverlayWriter(str(tmp_path / "overlays")).write("s/a.jpg", Image.new("RGB", (1, 1)))
    assert (tmp_path / "disk" / "s" / "a.jpg").is_file()


def test_a_file_in_a_folders_place_cannot_be_written_through(tmp_path) -> None:
    (tmp_path / "sub").write_bytes(b"file")
    with pytest.raises(CannotWrite):
        OverlayWriter(str(tmp_path)).write("sub/a.jpg", Image.new("RGB", (1, 1)))
    with pytest.raises(CannotWrite):
        OverlayWriter(str(tmp_path / "sub")).write("a.jpg", Image.new("RGB", (1, 1)))
    assert (tmp_path / "sub").read_bytes() == b"file"


class HalfSaved(Image.Image):
    """A picture whose encoder meets a full disk."""

    def save(self, handle: IO[bytes], *how: object, **more: object) -> None:
        handle.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_overlay_and_no_part(tmp_path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"old")
    with pytest.raises(CannotWrite, match="no space left"):
        OverlayWriter(str(tmp_path)).write("a.jpg", HalfSaved())
    assert os.listdir(tmp_path) == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"old"


# --- pictures


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


# --- words


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
    views = [
        ("view", (left, VIEWS_TOP, left + VIEW_PX, VIEWS_TOP + VIEW_PX)) for left in (LEFT, RIGHT)
    ]
    thumb = ("thumb", (LEFT + VIEW_PX - 168, PANEL_TOP + 48, LEFT + VIEW_PX, PANEL_TOP + 204))
    for at, (text, box) in enumerate(written):
        assert box[0] >= LEFT - 1, text
        assert box[1] >= 0, text
        assert box[2] <= RIGHT + VIEW_PX + 1, text
        assert box[3] <= SHEET_PX[1], text
        for other, place in [*views, thumb, *written[:at]]:
            apart = (
                box[2] <= place[0] or place[2] <= box[0] or box[3] <= place[1] or place[3] <= box[1]
            )
            assert apart, f"{text!r} runs into {other!r}"


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


def test_a_shown_name_can_be_turned_back() -> None:
    shown = showable(NASTY)
    assert shown.isascii()
    assert exact(shown) == NASTY
    assert showable("plain name.jpg") == "plain name.jpg"
    assert showable("é«»") == "\\u00e9«»"


@pytest.mark.parametrize("width", [0, 10, 60, 200, 1000])
def test_a_long_name_loses_its_middle_and_no_half_escapes(width: int) -> None:
    short = shorten(showable(NASTY), 20, width)
    assert typeface(20).getlength(short) <= max(width, typeface(20).getlength("..."))
    head, _, tail = short.partition("...")
    assert showable(NASTY).startswith(head)
    assert showable(NASTY).endswith(tail)
    assert printable(exact(head)).count("\\\\u") == 0
    assert shorten("a.jpg", 20, 1000) == "a.jpg"


def test_a_name_of_a_million_characters_is_shortened_at_once() -> None:
    assert len(shorten("x" * 1_000_000, 20, 500)) < 100


@pytest.mark.parametrize(
    ("p", "text"), [(0.5, "0.500"), (0.92996, "0.92996"), (0.93, "0.930"), (0.24999, "0.24999")]
)
def test_a_score_is_never_rounded_over_a_threshold(p: float, text: str) -> None:
    assert score_text(p, Thresholds(0.25, 0.93)) == text


def test_a_zoom_is_told_in_words() -> None:
    assert [zoom_text(z) for z in (19.2, 1.0, 0.125, 0.001)] == [
        "enlarged 19.2 times",
        "at its own size",
        "reduced to 12 %",
        "reduced to less than 1 %",
    ]


def test_the_colours_are_matplotlibs_plasma() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    values = np.linspace(0, 1, 101)
    expected = matplotlib.colormaps["plasma"](values)[:, :3] * 255
    assert np.abs(plasma(values) - expected).max() < 6
