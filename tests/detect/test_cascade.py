"""The detector keeps its contract, and finds what facenet-pytorch's own cascade finds."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageOps
from torch.nn import functional as F

from fakefacecli.base.records import DecodedImage, Face, Pixels
from fakefacecli.detect.boxes import nms_by_smaller
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.pyramid import Level, pool_boxes, tabulate
from fakefacecli.detect.sweep import Blind, Canvases
from tests.builders import PHOTOS, ROOT, SHARED, ref

CPU = torch.device("cpu")
FACENET_DEFAULTS: dict[str, Any] = {"min_face_px": 20, "thresholds": (0.6, 0.7, 0.7)}
Reference = Callable[[Pixels], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


def picture(pixels: Pixels, index: int = 0) -> DecodedImage:
    return DecodedImage(ref(index, f"{index}.png"), pixels)


def photo(path: pathlib.Path) -> Pixels:
    with Image.open(path) as opened:
        return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))


def photos_in(folder: pathlib.Path) -> list[Pixels]:
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    return [photo(path) for path in sorted(folder.rglob("*")) if path.suffix.lower() in kinds]


def noise(*size: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def montage() -> Pixels:
    """Faces of different sizes side by side, on a canvas of odd sides."""
    canvas = noise(601, 907)
    left = 5
    for path, side in zip(sorted(PHOTOS.iterdir()), (400, 233, 120, 61), strict=False):
        small = Image.fromarray(photo(path)).resize((side, side))
        canvas[left : left + side, left : left + side] = np.asarray(small)
        canvas[-side:, -side - left : -left] = np.asarray(small)[:, ::-1]
        left += side // 3
    return canvas


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return MtcnnDetector()


def swept(
    canvases: Canvases = Canvases(1024, 1 << 20),  # noqa: B008 - frozen
    blind: Blind | None = Blind(),  # noqa: B008
    **settings: Any,
) -> MtcnnDetector:
    """A detector that works on the CPU as it would on a GPU: in one sweep."""
    detector = MtcnnDetector("cpu", **settings)
    detector.canvases, detector.blind = canvases, blind
    detector.pixels_at_once = 1 << 24
    return detector


@pytest.fixture(scope="module", params=[MtcnnDetector, swept], ids=["level by level", "sweep"])
def like_facenet(request: pytest.FixtureRequest) -> MtcnnDetector:
    made: MtcnnDetector = request.param(**FACENET_DEFAULTS)
    return made


@pytest.fixture(scope="module")
def facenet() -> Reference:
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
    from facenet_pytorch.models.utils.detect_face import detect_face

    nets = PNet(), RNet(), ONet()

    def detect(pixels: Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        with torch.inference_mode():
            boxes, points = detect_face(pixels, 20, *nets, (0.6, 0.7, 0.7), 0.709, "cpu")
        return boxes[0], points[0]

    return detect


def as_array(faces: Iterable[Face]) -> npt.NDArray[np.float64]:
    """(k, 15): box, score, landmarks."""
    rows = [(*dataclasses.astuple(face.box), face.score, *face.landmarks.ravel()) for face in faces]
    return np.array(rows, np.float64).reshape(-1, 15)


def overlap(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    sides = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2])
    shared = float(sides.clip(0).prod())
    areas = (one[2:4] - one[:2]).prod() + (other[2:4] - other[:2]).prod()
    return shared / (float(areas) - shared)


def assert_like_facenet(
    images: Sequence[Pixels], detector: MtcnnDetector, facenet: Reference
) -> None:
    found = detector.detect([picture(pixels, index) for index, pixels in enumerate(images)])
    same_count, same_face, all_faces = 0, 0, 0
    for pixels, faces in zip(images, found, strict=True):
        boxes, points = facenet(pixels)
        wanted = np.concatenate([boxes, points.reshape(-1, 10)], 1).astype(np.float64)
        mine = as_array(faces)
        same_count += len(mine) == len(wanted)
        all_faces += len(wanted)
        for row in wanted:
            nearest = max(mine, key=lambda face: overlap(face, row), default=np.zeros(15))
            close = overlap(nearest, row) >= 0.99 and abs(nearest[4] - row[4]) <= 1e-3
            same_face += close and bool(np.abs(nearest[5:] - row[5:]).max() < 0.5)
    assert all_faces > 0
    assert same_count >= 0.995 * len(images)
    assert same_face >= 0.995 * all_faces


def test_no_images_give_no_answers(detector: MtcnnDetector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 500), (500, 1), (11, 12), (39, 40), (40, 40), (45, 43)]
)
def test_an_image_of_any_size_is_accepted(detector: MtcnnDetector, size: tuple[int, int]) -> None:
    assert detector.detect([picture(noise(*size))]) == [()]


@pytest.mark.parametrize("grey", [0, 255])
def test_an_even_image_has_no_face(detector: MtcnnDetector, grey: int) -> None:
    assert detector.detect([picture(np.full((200, 300, 3), grey, np.uint8))]) == [()]


def test_pixels_may_be_read_only_or_a_view(detector: MtcnnDetector) -> None:
    pixels = photo(PHOTOS / "official_000.jpg")[:, ::-1]
    locked = pixels.copy()
    locked.flags.writeable = False
    one, other = detector.detect([picture(pixels), picture(locked, 1)])
    assert np.array_equal(as_array(one), as_array(other))


def test_answers_come_in_the_order_of_the_images(detector: MtcnnDetector) -> None:
    paths = sorted(PHOTOS.iterdir())
    mixed = [photo(path) for path in paths[:3]]
    mixed = [mixed[0], noise(50, 60), mixed[1][:700], np.zeros((1, 1, 3), np.uint8), mixed[2]]
    found = detector.detect([picture(pixels, index) for index, pixels in enumerate(mixed)])
    assert [len(faces) for faces in found] == [1, 0, 1, 0, 1]


def test_faces_come_with_the_highest_score_first(like_facenet: MtcnnDetector) -> None:
    scores = [face.score for face in like_facenet.detect([picture(montage())])[0]]
    assert len(scores) > 3
    assert scores == sorted(scores, reverse=True)


def test_batch_mates_do_not_change_an_answer(like_facenet: MtcnnDetector) -> None:
    mixed = [photo(path) for path in sorted(PHOTOS.iterdir())]
    mixed = [pixels[: 1024 - 61 * n, : 500 + 40 * n] for n, pixels in enumerate(mixed)]
    mixed += [montage(), noise(1, 1), noise(20, 400), montage()[::2, ::2]]
    images = [picture(pixels, index) for index, pixels in enumerate(mixed)]
    together = like_facenet.detect(images)
    backwards = like_facenet.detect(images[::-1])[::-1]
    assert sum(map(len, together)) > 10
    for image, faces, again in zip(images, together, backwards, strict=True):
        alone = as_array(like_facenet.detect([image])[0])
        for other in (as_array(faces), as_array(again)):
            assert other.shape == alone.shape
            # pixels are of the order of 1000, where float32 resolves 6e-5
            assert np.abs(other[:, 4] - alone[:, 4]).max(initial=0) <= 1e-4
            assert np.allclose(other, alone, rtol=1e-6, atol=1e-3)


def test_a_box_may_be_about_half_smaller_than_the_least_face_as_the_help_says() -> None:
    small = Image.fromarray(photo(PHOTOS / "generated_005.jpg")).resize((300, 300))
    [found] = MtcnnDetector(min_face_px=240).detect([picture(np.asarray(small))])
    assert [0.5 < face.box.longer_side / 240 < 0.6 for face in found] == [True]
    words = "up to about half smaller"
    assert words in (ROOT / "fakefacecli" / "docs" / "scan.md").read_text("utf-8")
    assert words in (ROOT / "fakefacecli" / "cli" / "scan_flags.py").read_text("utf-8")


def test_a_stricter_last_threshold_only_takes_faces_away(like_facenet: MtcnnDetector) -> None:
    strict = MtcnnDetector(min_face_px=20, thresholds=(0.6, 0.7, 0.999))
    image = picture(montage())
    wanted = [face.score for face in like_facenet.detect([image])[0] if face.score > 0.999]
    assert [face.score for face in strict.detect([image])[0]] == wanted


def test_the_bundled_photos_give_what_facenet_gives(
    like_facenet: MtcnnDetector, facenet: Reference
) -> None:
    assert_like_facenet(photos_in(PHOTOS), like_facenet, facenet)


def test_a_montage_of_mixed_sizes_gives_what_facenet_gives(
    like_facenet: MtcnnDetector, facenet: Reference
) -> None:
    whole = montage()
    views = [whole, whole[:333, :500], whole[:250, -431:], whole[::2, ::3], np.rot90(whole)]
    assert_like_facenet([np.ascontiguousarray(view) for view in views], like_facenet, facenet)


@pytest.mark.slow
def test_the_shared_photos_give_what_facenet_gives(
    like_facenet: MtcnnDetector, facenet: Reference
) -> None:
    if not (SHARED / "photos").is_dir():
        pytest.skip("no shared/photos beside this checkout")
    assert_like_facenet(photos_in(SHARED / "photos"), like_facenet, facenet)


@pytest.mark.parametrize("size", [(37, 50), (600, 601), (1300, 1299)])
@pytest.mark.parametrize("wanted", [(13, 12), (33, 47), (60, 60)])
def test_a_level_is_the_area_resampling_of_the_image(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    pixels = noise(*size)
    pixels[-size[0] // 2 :] = 255  # the largest sum that a bin can have
    level = Level(tabulate([pixels], CPU).view(0, 1), *size, *wanted)
    full = F.interpolate(torch.tensor(pixels).permute(2, 0, 1)[None].double(), wanted, mode="area")
    middle = level.pool(2, 11, (10, 64))[0, :9, : wanted[1]].permute(2, 0, 1)
    torch.testing.assert_close(middle, full[0, :, 2:11].float(), rtol=1e-6, atol=1e-5)


def test_boxes_are_resampled_as_if_cut_out_one_by_one() -> None:
    images = [noise(1300, 1205), noise(31, 40, seed=1)]
    images[0][500:] = 255
    boxes = [(0, 0, 0, 1205, 1300), (0, 7, 3, 8, 4), (0, 5, 900, 150, 931), (1, 3, 2, 38, 31)]
    table = torch.tensor(boxes)
    for side in (12, 24):
        pooled = pool_boxes(tabulate(images, CPU), table[:, 0], table[:, 1:], side)
        for answer, (owner, left, top, right, bottom) in zip(pooled, boxes, strict=True):
            cut = torch.tensor(images[owner][top:bottom, left:right]).permute(2, 0, 1)[None]
            wanted = F.interpolate(cut.double(), (side, side), mode="area")[0].float()
            torch.testing.assert_close(answer, wanted, rtol=1e-6, atol=1e-5)


def plain_nms_by_smaller(
    boxes: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], most: float
) -> list[int]:
    kept: list[int] = []
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    for candidate in np.argsort(-scores):
        for better in kept:
            low = np.maximum(boxes[candidate, :2], boxes[better, :2])
            high = np.minimum(boxes[candidate, 2:], boxes[better, 2:])
            shared = (high - low + 1).clip(0).prod()
            if shared / min(areas[candidate], areas[better]) > most:
                break
        else:
            kept.append(int(candidate))
    return kept


@pytest.mark.parametrize("count", [0, 1, 2, 7, 60, 300])
def test_suppression_by_the_smaller_box_is_greedy(count: int) -> None:
    dice = np.random.default_rng(count)
    corners = dice.uniform(0, 100, (count, 2))
    boxes = np.concatenate([corners, corners + dice.uniform(1, 60, (count, 2))], 1)
    scores = dice.permutation(count) / 1000
    wanted = plain_nms_by_smaller(boxes, scores, 0.7)
    kept = nms_by_smaller(torch.tensor(boxes), torch.tensor(scores), 0.7)
    assert kept.tolist() == wanted


def test_suppression_goes_on_along_a_chain() -> None:
    """Each box suppresses the next unless it is suppressed itself: every other one stays."""
    left = torch.arange(40) * 4.0
    boxes = torch.stack((left, left * 0, left + 15, left * 0 + 15), 1)
    kept = nms_by_smaller(boxes, torch.linspace(0.9, 0.1, 40), 0.7)
    assert kept.tolist() == list(range(0, 40, 2))


def test_boxes_that_are_no_numbers_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = MtcnnDetector()
    judge = detector.output.forward

    def spoilt(pixels: torch.Tensor) -> torch.Tensor:
        answer = judge(pixels)
        answer[::2, 1] = float("nan")
        answer[1::2, 7] = float("inf")
        return answer

    monkeypatch.setattr(detector.output, "forward", spoilt)
    assert detector.detect([picture(photo(PHOTOS / "official_000.jpg"))]) == [()]


def test_a_full_memory_halves_the_batch_and_changes_no_answer(
    detector: MtcnnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(photo(path)[::3, ::3], n) for n, path in enumerate(sorted(PHOTOS.iterdir()))]
    wanted = [as_array(faces) for faces in detector.detect(images)]
    cascade, taken = detector._cascade, []

    def cramped(batch: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        taken.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return cascade(batch)

    monkeypatch.setattr(detector, "_cascade", cramped)
    found = [as_array(faces) for faces in detector.detect(images)]
    assert max(taken) > 2
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(found, wanted, strict=True))


def full(batch: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
    raise torch.OutOfMemoryError("out of memory")


def test_an_image_too_large_for_a_gpu_is_taken_to_the_cpu(
    detector: MtcnnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(photo(PHOTOS / "official_003.jpg"))
    [wanted] = detector.detect([image])
    monkeypatch.setattr(detector, "_cascade", full)
    monkeypatch.setattr(detector, "device", torch.device("cuda"))
    [found] = detector.detect([image])
    assert np.array_equal(as_array(found), as_array(wanted))


def test_an_image_too_large_for_all_memory_is_an_error(
    detector: MtcnnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "_cascade", full)
    with pytest.raises(torch.OutOfMemoryError):
        detector.detect([picture(noise(40, 40))])


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_face_px": 0},
        {"min_face_px": float("nan")},
        {"thresholds": (0.6, 0.7)},
        {"thresholds": (0.6, 0.7, 1.0)},
        {"factor": 1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="found, wanted"):
        MtcnnDetector(**wrong)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("settings", [FACENET_DEFAULTS, {}], ids=["facenet's", "ours"])
def test_a_gpu_gives_what_the_cpu_gives(settings: dict[str, Any]) -> None:
    # small faces are found at the first scale, where a coordinate is often a whole number
    small = [np.asarray(Image.fromarray(montage()).resize((side, side))) for side in (300, 450)]
    pictures = [*photos_in(PHOTOS), montage(), *small]
    images = [picture(pixels, n) for n, pixels in enumerate(pictures)]
    found = MtcnnDetector("cuda", **settings).detect(images)
    for faces, wanted in zip(found, MtcnnDetector("cpu", **settings).detect(images), strict=True):
        assert np.allclose(as_array(faces), as_array(wanted), rtol=1e-4, atol=1e-2)
