import dataclasses
import pathlib

import pytest

from fakefacecli.base.errors import Interrupted
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.memory import Memory
from fakefacecli.base.options import Explain
from fakefacecli.base.records import Unreadable
from fakefacecli.base.verdicts import ErrorCode, Label, Status
from fakefacecli.models.window import WindowRule
from fakefacecli.overlay.writer import OverlayWriter
from fakefacecli.scan.pipeline import Judge, Stages, scan
from tests import builders

STAGES = Stages(
    decoder=builders.FakeDecoder(),  # type: ignore[arg-type]
    judge=Judge(builders.FakeDetector(), builders.FakeClassifier(), window=WindowRule(1.15)),
)


def items(count: int) -> list[object]:
    refs: list[object] = [builders.ref(index, f"{index}.jpg") for index in range(count)]
    refs[3] = builders.ref(3, "bad.jpg")
    refs[5] = Unreadable(builders.ref(5, "pipe"), ErrorCode.NOT_A_FILE, "a named pipe")
    refs[6] = builders.report(0.95, index=6, name="known.jpg")
    return refs


def scanned(batch_size: int, count: int = 20) -> list[ImageReport]:
    found = list(scan(items(count), STAGES, batch_size))  # type: ignore[arg-type]
    return [dataclasses.replace(report, elapsed_ms=0) for report in found]


def test_every_item_has_one_report_in_its_place() -> None:
    reports = scanned(batch_size=4)
    assert [report.ref.index for report in reports] == list(range(20))
    assert {report.status for report in reports} == set(Status)
    assert reports[3].code is ErrorCode.CORRUPT
    assert reports[5].code is ErrorCode.NOT_A_FILE
    assert reports[6].label is Label.FLAGGED


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_batches_do_not_change_the_reports(batch_size: int) -> None:
    assert scanned(batch_size) == scanned(4)


@pytest.mark.parametrize("lanes", [2, 5])
def test_lanes_do_not_change_the_reports(lanes: int) -> None:
    judge = dataclasses.replace(STAGES.judge, lanes=lanes)
    stages = dataclasses.replace(STAGES, judge=judge)
    found = list(scan(items(20), stages, 6))  # type: ignore[arg-type]
    assert [dataclasses.replace(report, elapsed_ms=0) for report in found] == scanned(4)


def test_no_items_are_no_reports() -> None:
    assert list(scan([], STAGES, 4)) == []


def test_overlays_are_written_for_the_faces_asked_for(tmp_path: pathlib.Path) -> None:
    stages = dataclasses.replace(
        STAGES,
        judge=dataclasses.replace(STAGES.judge, explainer=builders.FakeExplainer()),
        explain=Explain.ALL,
        overlays=OverlayWriter(str(tmp_path)),
    )
    reports = list(scan(items(10), stages, 4))  # type: ignore[arg-type]
    named = {
        finding.overlay
        for report in reports
        for finding in report.findings
        if report.ref.name != "known.jpg"
    }
    assert None not in named
    assert {path.name for path in tmp_path.iterdir()} == named


def test_a_signal_ends_the_scan_between_two_steps() -> None:
    def stop() -> None:
        raise Interrupted(2)

    with pytest.raises(Interrupted):
        list(scan(items(10), STAGES, 4, stop))  # type: ignore[arg-type]


def test_little_memory_does_not_change_the_reports() -> None:
    for lanes in (1, 3):
        judge = dataclasses.replace(STAGES.judge, lanes=lanes)
        stages = dataclasses.replace(STAGES, judge=judge, memory=Memory(1))
        found = list(scan(items(20), stages, 6))  # type: ignore[arg-type]
        assert [dataclasses.replace(report, elapsed_ms=0) for report in found] == scanned(4)
