"""Many images: memory and open files stay flat, and settings that only cost time change no row."""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import (
    DecodeOptions,
    Explain,
    JudgeOptions,
    ScanOptions,
    SourceOptions,
)
from fakefacecli.base.records import DecodedImage, FileFacts, ImageRef
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.build import build
from fakefacecli.scan.explain import NetworkExplainer
from fakefacecli.scan.pipeline import scan
from tests.bench.load import Sample, sampled
from tests.builders import PHOTOS
from tests.command import COMMAND, SMALL, assert_same, fakeface, rows, start

COUNT = 400
BATCH = 5
LOAD = ("--workers", 2, "--batch-size", 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Small photographs of a few sizes, some of them broken, some without a face."""
    folder = tmp_path_factory.mktemp("in")
    photos = sorted(PHOTOS.iterdir())
    for index in range(COUNT):
        path = folder / f"{index:04}.jpg"
        if index % 20 == 7:
            path.write_bytes(b"no picture")
        elif index % 5 == 3:
            Image.new("RGB", (90, 60 + index % 7), "gray").save(path)
        else:
            with Image.open(photos[index % len(photos)]) as picture:
                picture.resize((100 + index % 30,) * 2).save(path)
    return folder


def tenth(samples: Sequence[Sample], number: int) -> list[Sample]:
    """The samples of the run's tenth `number`, from 1, by the images finished."""
    return [s for s in samples if (number - 1) * COUNT / 10 <= s.images < number * COUNT / 10]


@pytest.fixture(scope="module")
def plain(
    folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, list[Sample]]:
    """The report of a run over the whole folder, and what it took of the system meanwhile."""
    report = tmp_path_factory.mktemp("load") / "out.csv"
    lanes = {**os.environ, "OMP_NUM_THREADS": "2"}  # two batches at a time
    with start(
        "scan", folder, "--report", report, *LOAD, env=lanes, stderr=subprocess.DEVNULL
    ) as process:
        samples = list(sampled(process, report))
    assert len({row["path"] for row in rows(report)}) == COUNT
    return report, samples


@pytest.mark.slow
def test_memory_and_open_files_stay_flat(plain: tuple[pathlib.Path, list[Sample]]) -> None:
    _, samples = plain
    early, late = tenth(samples, 2), tenth(samples, 10)
    assert early, "no sample of the second tenth"
    assert late, "no sample of the last tenth"
    grown = statistics.median(s.megabytes for s in late) - statistics.median(
        s.megabytes for s in early
    )
    assert grown < 50, f"{grown:.0f} MB more in the last tenth than in the second"
    # the median: a file that is being read is open for a moment
    assert statistics.median(s.files for s in late) == statistics.median(s.files for s in early)
    assert max(s.files for s in late) <= max(s.files for s in early) + 3


@pytest.fixture(scope="module")
def few(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    few = tmp_path_factory.mktemp("few")
    for path in sorted(folder.iterdir())[:40]:
        os.link(path, few / path.name)
    return few


@pytest.fixture(scope="module")
def one_by_one(few: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    report = tmp_path_factory.mktemp("one") / "out.csv"
    fakeface("scan", few, "--report", report, "--workers", 1, "--batch-size", 1)
    return report


@pytest.mark.parametrize(("workers", "batch"), [(1, 8), (1, 32), (2, 1), (2, 8), (2, 32)])
def test_workers_and_batch_size_change_no_row(
    tmp_path: pathlib.Path, few: pathlib.Path, one_by_one: pathlib.Path, workers: int, batch: int
) -> None:
    flags = ("--workers", workers, "--batch-size", batch)
    fakeface("scan", few, "--report", tmp_path / "out.csv", *flags)
    assert_same(tmp_path / "out.csv", one_by_one)


# --- a GPU that runs out of memory, played by the CPU


class Pictures:
    """A Decoder of a few photographs that are all of one size, so that they share batches."""

    def decode(self, items: Any) -> Iterator[DecodedImage]:
        for item in items:
            with Image.open(item.path) as picture:
                pixels = np.asarray(picture.convert("RGB").resize((160, 160)))
            yield DecodedImage(item, pixels, FileFacts("0" * 64, 1, 1, "JPEG"))

    def close(self) -> None:
        pass


class Drawn:
    """A PictureWriter that keeps what it is given."""

    def __init__(self) -> None:
        self.pictures: dict[str, np.ndarray] = {}

    def write(self, name: str, picture: Image.Image) -> None:
        self.pictures[name] = np.asarray(picture)


def judged() -> tuple[list[ImageReport], dict[str, np.ndarray]]:
    """The reports and overlays of a few photographs in one batch."""
    options = ScanOptions(
        SourceOptions(),
        overlays="unused",
        explain=Explain.ALL,
        judge=JudgeOptions(SMALL, device="cpu"),
        decode=DecodeOptions(workers=1),
    )
    stages = build(options, find_model(options.judge.model))
    stages.decoder.close()
    drawn = Drawn()
    for name, part in (("decoder", Pictures()), ("overlays", drawn)):
        object.__setattr__(stages, name, part)
    refs = [ImageRef(i, str(p), p.name) for i, p in enumerate(sorted(PHOTOS.iterdir())[:BATCH])]
    return list(scan(refs, stages, batch_size=BATCH)), drawn.pictures


@contextlib.contextmanager
def short_of_memory(owner: type, name: str, most: int) -> Iterator[list[int]]:
    """Let `owner.name` raise OutOfMemoryError above `most`; gives the sizes it was called with."""
    original = getattr(owner, name)
    sizes: list[int] = []

    def narrow(self: Any, batch: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, narrow)
        yield sizes


# what is called with a batch
CALLED: dict[str, tuple[type, str]] = {
    "detector": (MtcnnDetector, "_cascade"),
    "classifier and explainer": (InceptionResnetV1, "forward"),
    "explainer": (NetworkExplainer, "_grids"),
}


# above a batch of 2 each network meets a shortage; what it met is said on stderr at the end
SHORT_OF_MEMORY = """
import atexit, sys
import torch
from facenet_pytorch import InceptionResnetV1
from fakefacecli.cli.app import main
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.scan.explain import NetworkExplainer

met = set()

def narrow(owner, name):
    original = getattr(owner, name)
    def call(self, batch):
        if len(batch) > 2:
            met.add(name)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch)
    setattr(owner, name, call)

narrow(MtcnnDetector, "_cascade")
narrow(InceptionResnetV1, "forward")
narrow(NetworkExplainer, "_grids")
atexit.register(lambda: print("met:", *sorted(met), file=sys.stderr))
main()
"""


@pytest.mark.slow
def test_the_command_short_of_memory_writes_the_same_report(
    tmp_path: pathlib.Path, few: pathlib.Path
) -> None:
    (tmp_path / "short.py").write_text(SHORT_OF_MEMORY)
    for name, command in (("plain", COMMAND), ("short", (sys.executable, tmp_path / "short.py"))):
        flags = ["--report", tmp_path / f"{name}.csv", "--explain", "all", "--device", "cpu"]
        flags += ["--overlays", tmp_path / "overlays", "--quiet", "--model", SMALL]
        done = subprocess.run(
            [*command, "scan", few, *flags], capture_output=True, text=True, check=False
        )
        assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert "met: _cascade _grids forward" in done.stderr
    assert_same(tmp_path / "short.csv", tmp_path / "plain.csv")


@pytest.fixture(scope="module")
def with_memory() -> tuple[list[ImageReport], dict[str, np.ndarray]]:
    return judged()


@pytest.mark.parametrize("part", CALLED)
def test_a_gpu_short_of_memory_gets_smaller_batches_and_gives_the_same_rows(
    with_memory: tuple[list[ImageReport], dict[str, np.ndarray]], part: str
) -> None:
    with short_of_memory(*CALLED[part], most=2) as sizes:
        reports, pictures = judged()
    assert max(sizes) > 2, "the shortage was never met"
    assert sum(size for size in sizes if size <= 2) >= BATCH
    wanted, overlays = with_memory
    assert [r.ref.name for r in reports] == [r.ref.name for r in wanted]
    for report, other in zip(reports, wanted, strict=True):
        assert report.findings
        for found, like in zip(report.findings, other.findings, strict=True):
            assert (found.verdict.label, found.overlay) == (like.verdict.label, like.overlay)
            p_fake = found.verdict.fake_probability
            assert p_fake == pytest.approx(like.verdict.fake_probability, abs=1e-4)
            assert found.box.left == pytest.approx(like.box.left, abs=1e-4)
    assert pictures.keys() == overlays.keys()
    for name, picture in pictures.items():
        assert np.abs(picture.astype(int) - overlays[name]).mean() < 0.5
