"""The order and the number of reports, whatever becomes of the workers: real Ray, quick workers."""

import os
import pathlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode, Status
from fakefacecli.cluster.connection import Room
from fakefacecli.cluster.engine import Crew
from fakefacecli.cluster.worker import Ready, Refusal
from fakefacecli.scan.pipeline import Item

pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")


class Quick:
    """A worker that reports without looking; `orders` is a folder for notes of its deaths.

    An image called "kills N" ends the process the first N times that a worker has it.
    """

    def begin(self, orders: str) -> Ready:
        self.notes = pathlib.Path(orders)
        return Ready(f"{os.getpid():06}", "here", "cpu", "fp32")

    def judge(self, refs: Sequence[ImageRef]) -> list[ImageReport]:
        for ref in refs:
            if ref.name.startswith("kills"):
                died = self.notes / f"{ref.index}"
                with open(died, "a", encoding="utf-8") as handle:
                    handle.write("x")
                if died.stat().st_size <= int(ref.name.split()[1]):
                    os._exit(9)
        return [ImageReport(ref, Status.NO_FACE, 8, 8) for ref in refs]


class Refusing(Quick):
    """A worker whose model is refused."""

    def begin(self, orders: str) -> Ready:
        return Refusal("ModelRefused", "x.safetensors: damaged")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, configure_logging=False)
        yield ray
        ray.shutdown()


ROOM = Room(actors=2, cpus=1, gpus=0.0, slots=2, beside=2)


def names(count: int, special: dict[int, str]) -> list[Item]:
    refs: list[Item] = [ImageRef(i, f"/x/{i}", special.get(i, str(i))) for i in range(count)]
    return refs


def crew(ray: Any, folder: pathlib.Path, worker: type = Quick, most: int = 4) -> Crew:
    return Crew(ray, ROOM, str(folder), most, worker=worker)


def judged(ray: Any, folder: pathlib.Path, items: list[Item]) -> list[ImageReport]:
    workers = crew(ray, folder)
    try:
        workers.first()
        reports = list(workers.reports(items))
        judged = sum(isinstance(item, ImageRef) for item in items)
        lost = sum(report.code is ErrorCode.DECODER_CRASHED for report in reports)
        assert sum(workers.nodes().values()) == judged - lost
        return reports
    finally:
        workers.close()


def test_one_report_an_image_in_order_and_others_pass_through(
    ray: Any, tmp_path: pathlib.Path
) -> None:
    items = names(50, {})
    items[7] = Unreadable(ImageRef(7, "/x/7", "7"), ErrorCode.EMPTY, "the file is empty")
    known = ImageReport(ImageRef(8, "/x/8", "8"), Status.NO_FACE, 5, 5)
    items[8] = known
    reports = judged(ray, tmp_path, items)
    assert [report.ref.index for report in reports] == list(range(50))
    assert reports[7].code is ErrorCode.EMPTY
    assert reports[8] is known
    assert judged(ray, tmp_path, []) == []


def test_a_worker_that_dies_loses_no_row_and_doubles_none(ray: Any, tmp_path: pathlib.Path) -> None:
    reports = judged(ray, tmp_path, names(40, {3: "kills 1", 17: "kills 2"}))
    assert [report.ref.index for report in reports] == list(range(40))
    assert {report.status for report in reports} == {Status.NO_FACE}


def test_an_image_that_ends_every_worker_is_a_row_and_its_neighbours_are_judged(
    ray: Any, tmp_path: pathlib.Path
) -> None:
    reports = judged(ray, tmp_path, names(12, {5: "kills 99"}))
    assert [report.ref.index for report in reports] == list(range(12))
    assert {r.ref.index for r in reports if r.status is Status.ERROR} == {5}
    assert reports[5].code is ErrorCode.DECODER_CRASHED
    assert "again and again" in reports[5].message


def test_what_a_worker_refuses_is_raised_here(ray: Any, tmp_path: pathlib.Path) -> None:
    workers = crew(ray, tmp_path, Refusing)
    with pytest.raises(ModelRefused, match=r"x\.safetensors: damaged"):
        workers.first()
    workers.close()


def test_no_more_is_taken_from_the_source_than_there_is_room_for(
    ray: Any, tmp_path: pathlib.Path
) -> None:
    taken = 0

    def source() -> Iterator[Item]:
        nonlocal taken
        for item in names(10_000, {}):
            taken += 1
            yield item

    workers = crew(ray, tmp_path)
    try:
        workers.first()
        reports = workers.reports(source())
        for _ in range(4):
            next(reports)
        # chunks of four, two slots of two workers, and as many that wait, and two
        assert taken <= 4 * (2 * 4 + 2) + 4
    finally:
        workers.close()
