"""Two reports are compared face by face: what is the same face, what has changed."""

import csv
import io
import json
from dataclasses import replace

import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.base.findings import FaceFinding, ImageReport
from fakefacecli.base.options import ReportTarget
from fakefacecli.base.records import Box, FileFacts, ImageRef
from fakefacecli.base.text import exact, from_json
from fakefacecli.reports.diff import CHANGE_COLUMNS, Change, Kind, differences, differing
from fakefacecli.reports.diff_text import diff_pieces
from fakefacecli.reports.read import Report
from fakefacecli.reports.rows import COLUMNS, RowFacts, rows_of
from tests import builders
from tests.reports import samples


def face(left: float, p_fake: float = 0.1, top: float = 0, frame: int = 1) -> FaceFinding:
    box = Box(left, top, left + 100, top + 100)
    return FaceFinding(box, 0.99, builders.verdict(p_fake), None, frame=frame)


def image(path: str, *faces: FaceFinding, digit: str = "0") -> ImageReport:
    made = builders.report(0.5) if faces else builders.report()
    facts = FileFacts(digit * 64, 1, 1, "JPEG")
    return replace(made, ref=ImageRef(0, path, path), findings=faces, facts=facts)


def report(*images: ImageReport, run_id: str = "r") -> Report:
    facts = RowFacts(run_id, "m", "a" * 64)
    rows = [row for one in images for row in rows_of(one, facts)]
    return Report("r.csv", None, rows, frozenset(COLUMNS))


def told(old: Report, new: Report) -> list[tuple[object, ...]]:
    return [
        (c.kind, c.path, c.old_face, c.new_face, c.old_verdict, c.new_verdict)
        for c in differences(old, new)
    ]


def test_a_report_does_not_differ_from_itself() -> None:
    same = Report("r.csv", None, samples.rows(), frozenset(COLUMNS))
    assert told(same, same) == []


def test_only_faces_with_another_verdict_are_told() -> None:
    old = report(image("a", face(0, 0.95), face(300, 0.1), face(600, 0.1)))
    new = report(image("a", face(20, 0.5), face(310, 0.2), face(600, 0.1)))
    [change] = differences(old, new)
    assert change == Change(
        *(Kind.VERDICT, "a", None, "same", (20, 0, 120, 100), 1, 1),
        *("flagged", "inconclusive", 0.95, 0.5, "above_high", "between_thresholds", "ok", "ok"),
    )


def test_a_face_is_the_same_by_its_box_and_not_by_its_number() -> None:
    old = report(image("a", face(0, 0.95), face(300, 0.1)))
    new = report(image("a", face(300, 0.1), face(0, 0.95)))
    assert told(old, new) == []
    # 100 wide, moved by 33: 67 / 133 = 0.504; by 34: 66 / 134 = 0.493
    apart = [(Kind.APPEARED, None, 1), (Kind.VANISHED, 1, None)]
    for moved, words in ((33, [(Kind.VERDICT, 1, 1)]), (34, apart)):
        found = told(report(image("a", face(0, 0.95))), report(image("a", face(moved, 0.1))))
        assert [(kind, one, other) for kind, _, one, other, *_ in found] == words


def test_of_two_candidates_the_nearer_one_is_the_face() -> None:
    old = report(image("a", face(0, 0.95), face(30, 0.1)))
    new = report(image("a", face(28, 0.1)))
    assert told(old, new) == [(Kind.VANISHED, "a", 1, None, "flagged", None)]


def test_faces_of_other_pictures_of_a_file_are_others() -> None:
    old, new = image("a", face(0, 0.95, frame=1)), image("a", face(0, 0.95, frame=2))
    assert [change[0] for change in told(report(old), report(new))] == ["appeared", "vanished"]


def test_images_come_and_go() -> None:
    old = report(image("gone", face(0, 0.95)), image("kept"), image("left", digit="2"))
    new = report(image("kept"), image("new", face(0, 0.5), face(300, 0.1), digit="3"))
    assert told(old, new) == [
        (Kind.IMAGE_APPEARED, "new", None, None, None, "inconclusive"),
        (Kind.IMAGE_VANISHED, "gone", None, None, "flagged", None),
        (Kind.IMAGE_VANISHED, "left", None, None, None, None),
    ]


def test_a_file_that_was_moved_is_known_by_its_hash_and_copies_pair_up() -> None:
    old = report(*(image(f"old/{n}", face(0, 0.95), digit="7") for n in range(2)))
    new = report(*(image(f"new/{n}", face(0, 0.1), digit="7") for n in range(3)))
    found = list(differences(old, new))
    assert [(c.kind, c.path, c.old_path, c.file) for c in found] == [
        (Kind.VERDICT, "new/0", "old/0", "moved"),
        (Kind.VERDICT, "new/1", "old/1", "moved"),
        (Kind.IMAGE_APPEARED, "new/2", None, None),
    ]


def test_a_file_with_other_bytes_says_so() -> None:
    old, new = image("a", face(0, 0.95), digit="1"), image("a", face(0, 0.1), digit="2")
    [change] = differences(report(old), report(new))
    assert (change.kind, change.file) == (Kind.VERDICT, "changed")


def test_an_image_that_cannot_be_read_any_more_has_not_lost_its_faces() -> None:
    read = replace(builders.report(0.95), ref=ImageRef(0, "a", "a"))
    broken = replace(builders.error(), ref=ImageRef(0, "a", "a"))
    for old, new in ((read, broken), (broken, read)):
        [change] = differences(report(old), report(new))
        assert change.kind is Kind.IMAGE
        assert {change.old_status, change.new_status} == {"ok", "error"}
        assert {change.old_error_code, change.new_error_code} == {None, "truncated"}
    assert told(report(broken), report(broken)) == []


def test_an_image_judged_twice_cannot_be_compared() -> None:
    twice = report(image("a"))
    more = replace(twice, rows=[*twice.rows, *report(image("a"), run_id="s").rows])
    with pytest.raises(UsageError, match=r"r\.csv: a is in two of its runs"):
        list(differences(more, twice))


def test_other_models_and_thresholds_are_told() -> None:
    old = samples.header()
    new = samples.header() | {"tool_version": "0.2.0"}
    new["model"] = new["model"] | {"name": "n", "thresholds": {"low": 0.5, "high": 0.75}}
    assert list(differing(old, old)) == []
    assert list(differing(old, new)) == [
        "not the same model: model-x before, n now",
        "not the same thresholds: 0.25 and 0.9 before, 0.5 and 0.75 now",
        "not the same version of fakeface: 0.1.0 before, 0.2.0 now",
    ]
    assert list(differing(old, new | {"model": {}, "tool_version": None})) == []


NAMES = ("=a\udcff.jpg", "'b\n.jpg", 'ö",.jpg')


def changes() -> list[Change]:
    named = list(enumerate(NAMES))
    old = report(*(image(f"old{name}", face(0, 0.95), digit=str(n)) for n, name in named))
    new = report(*(image(name, face(0, 0.1), digit=str(n)) for n, name in named))
    return list(differences(old, new))


def test_differences_are_written_as_csv_and_json_with_exact_names() -> None:
    headers = (samples.header("a"), samples.header("b"))
    text = {
        ending: "".join(diff_pieces(ReportTarget("-", ending), changes(), headers))
        for ending in ("csv", "json", "jsonl")
    }
    cells = list(csv.DictReader(io.StringIO(text["csv"])))
    assert tuple(cells[0]) == CHANGE_COLUMNS
    assert [exact(row["path"].removeprefix("'")) for row in cells] == list(NAMES)
    whole = json.loads(text["json"])
    assert (whole["old"], whole["new"]) == headers
    assert whole["changes"] == list(map(json.loads, text["jsonl"].splitlines()))
    for name, row in zip(NAMES, whole["changes"], strict=True):
        assert from_json(row["path"], row.get("path_bytes")) == name
        assert from_json(row["old_path"], row.get("old_path_bytes")) == f"old{name}"
        assert (row["old_verdict"], row["new_verdict"]) == ("flagged", "not_flagged")
        assert (row["change"], row["file"], row["x2"]) == ("verdict", "moved", 100)
