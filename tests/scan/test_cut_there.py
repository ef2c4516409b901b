"""Faces that are cut out on a device are those that are cut out here."""

import contextlib
import pathlib
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from fakefacecli.base.device import uploaded, uploads_kept
from fakefacecli.base.options import (
    DEFAULT_MODEL,
    DEFAULT_NETWORK,
    DecodeOptions,
    Explain,
    JudgeOptions,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.base.records import Box, DecodedImage, Face, FaceView, ImageRef
from fakefacecli.models.bundled import find_model, find_network
from fakefacecli.models.preprocess import prepare
from fakefacecli.models.there import FaceThere
from fakefacecli.models.window import LEVEL_WINDOW, WindowRule, window_of_network
from fakefacecli.scan import cut_there as module
from fakefacecli.scan.build import build, build_judge
from fakefacecli.scan.crop import cut
from fakefacecli.scan.cut_there import Found, agrees, cut_there, on_host
from fakefacecli.scan.pipeline import scan
from tests import builders
from tests.detect.test_cascade import photo, picture

RULES = [LEVEL_WINDOW, window_of_network(1.15), WindowRule(1.3), replace(LEVEL_WINDOW, most_px=64)]
EXACT = agrees()


def tilted(left: float, top: float, side: float, roll: float) -> Face:
    """A face whose eyes lie `roll` degrees from level."""
    points = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0], [-0.15, 0.2], [0.15, 0.2]]) * side
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([left + side / 2, top + side / 2])
    landmarks = (points @ turn.T + middle).astype(np.float32)
    return replace(builders.face(left, top, side), landmarks=landmarks)


def images() -> tuple[DecodedImage, DecodedImage]:
    chance = np.random.default_rng(3)
    noise = chance.integers(0, 256, (150, 210, 3), dtype=np.uint8)
    return picture(photo(builders.PHOTO)), replace(picture(photo(builders.PHOTO)), pixels=noise)


def found() -> list[Found]:
    large, small = images()
    faces = [
        (large, tilted(40, 60, 120, 0)),
        (small, tilted(30, 40, 50, 25)),
        (large, tilted(200, 90, 97.3, -31)),
        (small, tilted(-20, 90, 80, 0)),  # over two edges
        (small, tilted(150, -30, 90, 44)),  # turned and over two edges
        (large, tilted(10, 10, 400, 12)),  # reduced
        (large, tilted(30, 20, 420, 3)),  # reduced, not turned
        (small, tilted(80, 70, 1, 50)),
        (small, replace(tilted(60, 40, 40, 0), turn=90)),  # in the picture turned by a quarter
        (small, tilted(900, 900, 30, 0)),  # beside the picture
    ]
    return [(image, face, number) for number, (image, face) in enumerate(faces, 1)]


def levels(face: FaceView) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    if isinstance(face, FaceThere):
        assert face.levels.dtype == torch.uint8
        return face.levels.permute(1, 2, 0).cpu().numpy().astype(np.int64)
    return on_host(face).pixels.astype(np.int64)


def test_some_of_the_faces_are_turned() -> None:
    turned = [cut(*one, LEVEL_WINDOW).turned for one in found()]
    assert [round(turn) for turn in turned] == [0, 25, -31, 0, 44, 12, 0, 50, -90, 0]


def compare(there: Sequence[FaceView], rule: WindowRule) -> None:
    for face, (image, of, number) in zip(there, found(), strict=True):
        here = cut(image, of, number, rule)
        facts = ("ref", "number", "window", "roll", "turned", "outside", "frame")
        assert all(getattr(face, name) == getattr(here, name) for name in facts)
        off = np.abs(levels(face) - here.pixels)
        if not here.levelled or here.face.turn:
            assert not off.any()
        elif EXACT:
            assert off.max() <= 1
            assert (off > 0).mean() < 0.002


@pytest.mark.parametrize("rule", RULES)
def test_the_windows_are_the_same_on_a_device(rule: WindowRule) -> None:
    there = cut_there(found(), rule, "cpu")
    compare(there, rule)
    assert sum(isinstance(face, FaceThere) for face in there) == len(there) - 1
    for face, (image, of, number) in zip(there, found(), strict=True):
        assert np.array_equal(on_host(face).pixels, cut(image, of, number, rule).pixels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("rule", RULES)
def test_the_windows_are_the_same_on_a_gpu(rule: WindowRule) -> None:
    with uploads_kept():
        compare(cut_there(found(), rule, "cuda"), rule)


def test_no_window_depends_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    together = cut_there(found(), LEVEL_WINDOW, "cpu")
    alone = [cut_there([one], LEVEL_WINDOW, "cpu")[0] for one in found()]
    monkeypatch.setattr(module, "_POINTS_AT_ONCE", 20_000)
    parted = cut_there(found(), LEVEL_WINDOW, "cpu")
    for face, other, third in zip(together, alone, parted, strict=True):
        assert np.array_equal(levels(face), levels(other))
        assert np.array_equal(levels(face), levels(third))
    assert cut_there([], LEVEL_WINDOW, "cpu") == []


def test_where_memory_runs_out_faces_are_cut_out_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(module, "_cut_out", full)
    there = cut_there(found(), LEVEL_WINDOW, "cpu")
    assert not any(isinstance(face, FaceThere) for face in there)
    compare(there, LEVEL_WINDOW)


def test_a_picture_too_long_for_float32_is_cut_here() -> None:
    long = replace(images()[0], pixels=np.zeros((2, 40_000, 3), np.uint8))
    face = Face(Box(39_000, 0, 39_002, 2), tilted(39_000, 0, 2, 20).landmarks, 0.99)
    [only] = cut_there([(long, face, 1)], LEVEL_WINDOW, "cpu")
    assert not isinstance(only, FaceThere)


def test_a_judge_says_of_faces_on_a_device_what_it_says_of_those_here() -> None:
    judge = build_judge(JudgeOptions(DEFAULT_MODEL, device="cpu"), find_model(DEFAULT_MODEL))
    [faces] = judge.detector.detect([images()[0]])
    many = [(images()[0], face, number) for number, face in enumerate(faces, 1)]
    many += [(images()[0], tilted(200, 90, 97.3, -31), len(many) + 1)]
    here = judge.classifier.classify(judge.cut_out(many))
    there = replace(judge, cuts_there=True)
    windows = there.cut_out(many)
    assert any(isinstance(window, FaceThere) for window in windows)
    for one, other in zip(here, there.classifier.classify(windows), strict=True):
        assert one.label is other.label
        assert abs(one.fake_probability - other.fake_probability) < 0.005


def test_a_mixture_of_both_kinds_is_prepared_in_order() -> None:
    card = find_model(DEFAULT_MODEL).members[0].checkpoint.card  # type: ignore[union-attr]
    there = cut_there(found(), LEVEL_WINDOW, "cpu")
    mixed = [face if n % 2 else on_host(face) for n, face in enumerate(there)]
    wanted = prepare([on_host(face) for face in there], card, "cpu")
    off = (prepare(mixed, card, "cpu") - wanted).abs().max()
    assert float(off) < (0.1 if EXACT else 1)


@pytest.mark.parametrize("other", [{"stretch": True}, {"channels": "ela"}])
def test_a_network_that_is_fed_by_the_host_takes_no_windows_on_a_device(
    other: dict[str, object],
) -> None:
    card = find_network(DEFAULT_NETWORK, "a test").card
    there = cut_there(found()[:2], LEVEL_WINDOW, "cpu")
    with pytest.raises(TypeError, match="FaceThere found, wanted a FaceCrop"):
        prepare(there, replace(card, **other), "cpu")  # type: ignore[arg-type]


def test_an_opencv_that_interpolates_otherwise_is_not_agreed_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for version, wanted in (("5.0.0", True), ("4.13.0", False), ("10.1", True)):
        monkeypatch.setattr(cv2, "__version__", version)
        assert agrees() is wanted


def test_a_picture_is_brought_to_a_device_once_while_uploads_are_kept() -> None:
    image = images()[0]
    with uploads_kept():
        first = uploaded(image.pixels, "cpu")
        assert uploaded(image.pixels, "cpu") is first
        turned = np.rot90(image.pixels)
        assert uploaded(turned, "cpu") is not uploaded(turned, "cpu")
        assert np.array_equal(uploaded(turned, "cpu").numpy(), turned)
    assert uploaded(image.pixels, "cpu") is not first


def test_a_scan_that_cuts_there_says_and_draws_what_one_that_cuts_here_does(
    tmp_path: pathlib.Path,
) -> None:
    paths = [*sorted(builders.PHOTOS.glob("generated_00*.jpg"))[:2], builders.PHOTO]
    refs = [ImageRef(number, str(path), path.name) for number, path in enumerate(paths)]
    found = []
    for folder, there in ((tmp_path / "here", False), (tmp_path / "there", True)):
        folder.mkdir()
        options = ScanOptions(
            SourceOptions(),
            overlays=str(folder),
            explain=Explain.ALL,
            judge=JudgeOptions(DEFAULT_NETWORK, device="cpu"),
            decode=DecodeOptions(1),
        )
        stages = build(options, find_model(DEFAULT_NETWORK))
        with contextlib.closing(stages.decoder):
            stages = replace(stages, judge=replace(stages.judge, cuts_there=there))
            found.append(list(scan(refs, stages, 16)))
    here, other_way = found
    assert sum(len(report.findings) for report in here) >= 3
    for one, other in zip(here, other_way, strict=True):
        assert len(one.findings) == len(other.findings)
        for first, second in zip(one.findings, other.findings, strict=True):
            assert first.verdict.label is second.verdict.label
            assert abs(first.verdict.fake_probability - second.verdict.fake_probability) < 0.005
            assert (first.box, first.roll, first.overlay) == (
                second.box,
                second.roll,
                second.overlay,
            )
            assert first.overlay
            assert (tmp_path / "there" / first.overlay).is_file()
