"""All levels of all photographs in one sweep: the same answers in a fixed number of steps."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fakefacecli.base.records import DecodedImage
from fakefacecli.detect.boxes import suppress_in_groups
from fakefacecli.detect.canvas import LevelSize, Tile, cut_up, lay_out
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.fill import fill, fill_by_tile
from fakefacecli.detect.networks import CELL, STRIDE
from fakefacecli.detect.pyramid import Level, tabulate
from fakefacecli.detect.sweep import Blind, Canvases
from tests.builders import PHOTOS
from tests.detect.test_cascade import (
    CPU,
    FACENET_DEFAULTS,
    as_array,
    montage,
    noise,
    photo,
    photos_in,
    picture,
    swept,
)


def images() -> list[DecodedImage]:
    mixed = [*photos_in(PHOTOS)[:3], montage(), noise(1, 1), montage()[::2, ::2], noise(20, 400)]
    return [picture(pixels, number) for number, pixels in enumerate(mixed)]


@pytest.mark.parametrize(
    "canvases",
    [Canvases(1024, 1 << 22), Canvases(64, 20_000), Canvases(512, 200_000, by_tile=True)],
    ids=["large canvases", "bands", "tile by tile"],
)
@pytest.mark.parametrize("blind", [Blind(), None], ids=["blind", "asking"])
def test_a_sweep_finds_what_is_found_level_by_level(
    canvases: Canvases, blind: Blind | None
) -> None:
    wanted = MtcnnDetector(**FACENET_DEFAULTS).detect(images())
    found = swept(canvases, blind, **FACENET_DEFAULTS).detect(images())
    assert sum(map(len, wanted)) > 5
    for mine, theirs in zip(found, wanted, strict=True):
        assert as_array(mine).shape == as_array(theirs).shape
        assert np.allclose(as_array(mine), as_array(theirs), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("blind", [Blind(one_in=100_000), Blind(rounds=1)], ids=["room", "rounds"])
def test_blind_work_that_had_too_little_is_done_again_by_asking(
    blind: Blind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fakefacecli.detect.sweep._SPARE", 1)
    detector = swept(blind=blind, **FACENET_DEFAULTS)
    tries, ask = [], detector._ask

    def watched(tables: Any, levels: Any, care: Blind | None) -> torch.Tensor:
        tries.append(care)
        return ask(tables, levels, care)

    monkeypatch.setattr(detector, "_ask", watched)
    found = detector.detect(images())
    wanted = MtcnnDetector(**FACENET_DEFAULTS).detect(images())
    assert tries == [blind, None]
    for mine, theirs in zip(found, wanted, strict=True):
        assert np.allclose(as_array(mine), as_array(theirs), rtol=1e-6, atol=1e-3)


class Waits(TorchDispatchMode):
    """Counts the steps whose answer's size or value a device would be asked for."""

    NAMES = ("nonzero", "_local_scalar_dense", "masked_select", "nms", "equal", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.steps = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> torch.Tensor:
        name = func.overloadpacket.__name__
        self.steps += 1
        by_mask = name.startswith("index") and any(
            isinstance(place, torch.Tensor) and place.dtype == torch.bool
            for argument in args
            if isinstance(argument, list)
            for place in argument
        )
        if name in self.NAMES or by_mask:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def waits(pictures: Sequence[DecodedImage]) -> Waits:
    detector = swept(Canvases(1024, 1 << 23))
    detector.refine.at_once, detector.output.at_once = 4096, 1024  # as on a GPU
    tables = tabulate([image.pixels for image in pictures], CPU)
    levels = list(detector._levels(tables.sizes))
    with torch.inference_mode(), Waits() as counted:
        detector._ask(tables, levels, detector.blind)
    return counted


def test_a_device_is_waited_for_four_times_whatever_the_size_of_the_batch() -> None:
    few, many = waits(images()[:1]), waits(images() * 2)
    # the fourth wait is for the faces themselves
    assert len(few.seen) == len(many.seen) == 3
    assert many.steps < 1.5 * few.steps


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("times", [1, 6])
def test_a_gpu_is_waited_for_four_times_at_most(times: int) -> None:
    detector = MtcnnDetector("cuda", **FACENET_DEFAULTS)
    pictures = images() * times
    detector.detect(pictures)  # what is loaded and tuned at first
    with warnings.catch_warnings(record=True) as seen, torch.inference_mode():
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            detector._cascade(pictures)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    told = [str(warning.message) for warning in seen]
    assert 1 <= sum("synchroniz" in words for words in told) <= 4, told


def test_every_cell_of_a_level_lies_whole_in_one_tile() -> None:
    level = LevelSize(0, 0.5, 400, 300, 201, 151, 0)
    tiles = list(cut_up([level], 5000))
    assert len(tiles) > 3
    rows = [
        tile.start // STRIDE + row
        for tile in tiles
        for row in range(tile.cells_high)
        if tile.start + row * STRIDE + CELL - 1 <= tile.stop
    ]
    assert rows == list(range(level.cells_high))


def test_tiles_do_not_overlap_and_begin_at_even_pixels() -> None:
    dice = np.random.default_rng(0)
    sizes = dice.integers(12, 200, (60, 2)).tolist()
    tiles = [Tile(n, LevelSize(n, 1, h, w, h, w, 0), 0, h) for n, (h, w) in enumerate(sizes)]
    sheets = lay_out(tiles, 300, 100_000)
    assert len(sheets) > 1
    placed = []
    for sheet in sheets:
        taken = np.zeros((sheet.height, sheet.width), int)
        for shelf in sheet.shelves:
            for left, tile in shelf.tiles:
                assert left % 2 == shelf.top % 2 == 0
                taken[shelf.top : shelf.top + tile.height, left : left + tile.size.columns] += 1
                placed.append(tile.level)
        assert taken.max() == 1
    assert sorted(placed) == list(range(60))


def test_a_canvas_holds_the_levels_and_nothing_between_them() -> None:
    pixels = [noise(97, 131), noise(1300, 1299, seed=1)]
    pixels[1][600:] = 255  # the largest sum that a bin can have
    tables = tabulate(pixels, CPU)
    levels = [LevelSize(0, 0, 97, 131, 33, 47, 0), LevelSize(1, 0, 1300, 1299, 60, 59, 0)]
    [sheet] = lay_out(list(cut_up(levels, 1 << 20)), 200, 1 << 20)
    canvas = fill(tables, sheet, 64)
    assert torch.equal(canvas, fill_by_tile(tables, sheet, 64))
    rest = canvas.clone()
    for shelf in sheet.shelves:
        for left, tile in shelf.tiles:
            size = tile.size
            view = tables.view(size.image, 1)
            level = Level(view, size.height, size.width, size.rows, size.columns)
            across = slice(left, left + size.columns)
            there = rest[:, shelf.top : shelf.top + size.rows, across]
            assert torch.equal(there, level.pool(0, size.rows, (size.rows, size.columns)))
            there.zero_()
    assert not rest.any()


def test_a_bin_too_large_for_a_sum_is_taken_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tabulate([noise(500, 700)], CPU)
    [sheet] = lay_out(list(cut_up([LevelSize(0, 0, 500, 700, 13, 17, 0)], 1 << 20)), 20, 1 << 20)
    whole = fill(tables, sheet, 14)
    monkeypatch.setattr("fakefacecli.detect.fill.BIN_PIXELS", 400)
    torch.testing.assert_close(fill(tables, sheet, 14), whole)


def test_boxes_of_two_groups_never_hide_each_other() -> None:
    box = torch.tensor([[0.0, 0.0, 10.0, 10.0]]).repeat(4, 1)
    scores = torch.tensor([0.5, 0.9, 0.7, 0.8])
    groups = torch.tensor([0, 0, 1, 1])
    assert suppress_in_groups(box, scores, groups, 0.7).tolist() == [1, 3]


def test_of_boxes_that_count_for_nothing_one_is_kept_at_most() -> None:
    dice = np.random.default_rng(0)
    corners = dice.uniform(0, 5000, (50, 2))
    boxes = torch.tensor(np.concatenate([corners, corners + 30], 1), dtype=torch.float32)
    out = torch.arange(50) % 2 == 0
    groups = torch.arange(50) % 7
    kept = suppress_in_groups(boxes, torch.rand(50), groups, 0.7, out)
    assert out[kept].sum() == 1
    wanted = suppress_in_groups(boxes[~out], torch.rand(25), groups[~out], 0.7)
    assert len(kept) == 1 + len(wanted)


def test_an_image_without_a_face_or_without_a_level_is_no_trouble() -> None:
    even = picture(np.full((200, 300, 3), 255, np.uint8))
    assert swept().detect([even, picture(noise(5, 5), 1)]) == [(), ()]
    assert swept().detect([picture(noise(5, 5))]) == [()]


def test_a_small_least_face_compares_neighbours_from_further_away() -> None:
    small = picture(photo(PHOTOS / "official_003.jpg")[::8, ::8])
    settings: dict[str, Any] = {"min_face_px": 5, "thresholds": (0.6, 0.7, 0.7)}
    [wanted] = MtcnnDetector(**settings).detect([small])
    [found] = swept(**settings).detect([small])
    assert len(wanted) > 0
    assert np.allclose(as_array(found), as_array(wanted), rtol=1e-6, atol=1e-3)
