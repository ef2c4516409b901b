import dataclasses
import json
import os
import pathlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from fakefacecli.base.errors import CannotWrite, UsageError
from fakefacecli.base.records import FileFacts
from fakefacecli.base.verdicts import ErrorCode, Opinion
from fakefacecli.reports.journal import Journal, open_journal, resume_journal
from fakefacecli.reports.plain import from_plain, to_plain
from tests import builders

HEAD = {"fingerprint": "f", "run_id": "1", "started": "now"}
REPORTS = [
    builders.report(0.1, 0.95, index=0, name="a.jpg"),
    builders.report(index=1, name="b\udcff\n.jpg"),
    builders.error(ErrorCode.TIMEOUT, index=2, name="c.jpg"),
]
LATER = builders.report(0.5, index=3, name="d.jpg")


def written(path: pathlib.Path) -> Journal:
    journal = open_journal(str(path), HEAD)
    for report in REPORTS:
        journal.append(report)
    journal.sync()
    return journal


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_survives_the_journal_exactly(report: object) -> None:
    assert from_plain(to_plain(report)) == report  # type: ignore[arg-type]


def test_what_a_judges_networks_say_survives_and_older_journals_lack_it() -> None:
    report = builders.report(0.95)
    [face] = report.findings
    verdict = replace(face.verdict, opinions=(Opinion("wide", 1.25), Opinion("near", -0.5)))
    judged = replace(report, findings=(replace(face, verdict=verdict, roll=-12.5, turn=270),))
    plain = json.loads(json.dumps(to_plain(judged)))
    assert from_plain(plain) == judged
    plain["findings"] = [finding[:6] for finding in plain["findings"]]
    assert from_plain(plain) == report


def test_reports_are_read_back_in_order_while_more_are_added(tmp_path: pathlib.Path) -> None:
    journal = written(tmp_path / "j")
    assert list(journal.reports()) == REPORTS
    journal.append(LATER)
    assert list(journal.reports()) == [*REPORTS, LATER]
    journal.close()


def test_an_image_judged_again_stands_in_its_place_in_the_scan(tmp_path: pathlib.Path) -> None:
    journal = open_journal(str(tmp_path / "j"), HEAD)
    for report in (REPORTS[0], REPORTS[2], LATER):
        journal.append(report)
    journal.close()
    journal, _, _ = resume_journal(str(tmp_path / "j"), HEAD)
    journal.append(REPORTS[1])
    assert list(journal.reports()) == [*REPORTS, LATER]
    journal.close()
    journal, _, _ = resume_journal(str(tmp_path / "j"), HEAD)
    assert list(journal.reports()) == [*REPORTS, LATER]
    journal.close()


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_journal_torn_anywhere_resumes_with_whole_images(
    tmp_path: pathlib.Path, cut: int
) -> None:
    path = tmp_path / "j"
    written(path).close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - cut])
    journal, head, done = resume_journal(str(path), {**HEAD, "run_id": "2"})
    kept = list(journal.reports())
    assert kept == REPORTS[: len(kept)]
    assert done == {report.ref.path for report in kept}
    assert head["run_id"] == "1"
    journal.append(REPORTS[2])
    assert list(journal.reports()) == [*kept, REPORTS[2]]
    journal.close()


def test_another_runs_journal_is_refused(tmp_path: pathlib.Path) -> None:
    written(tmp_path / "j").close()
    with pytest.raises(UsageError, match="other options"):
        resume_journal(str(tmp_path / "j"), {**HEAD, "fingerprint": "g"})


def in_the_way(path: pathlib.Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.parent / "precious")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
@pytest.mark.parametrize("opened", [open_journal, resume_journal])
def test_what_is_no_journal_is_neither_followed_nor_waited_for(
    tmp_path: pathlib.Path, kind: str, opened: Callable[[str, dict[str, str]], object]
) -> None:
    (tmp_path / "precious").write_text("precious")
    in_the_way(tmp_path / "j", kind)
    with pytest.raises(CannotWrite, match="not fakeface's"):
        opened(str(tmp_path / "j"), HEAD)
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "j").lstat()


def test_a_hard_link_under_the_journals_name_costs_only_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "j").hardlink_to(tmp_path / "precious")
    open_journal(str(tmp_path / "j"), HEAD).close()
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's file")
def test_a_strangers_journal_in_a_shared_folder_is_refused(tmp_path: pathlib.Path) -> None:
    written(tmp_path / "j").close()
    os.chown(tmp_path / "j", 12345, 12345)
    assert resume(tmp_path)
    os.chown(tmp_path / "j", 12345, 12345)
    tmp_path.chmod(0o1777)
    with pytest.raises(CannotWrite, match="not fakeface's"):
        resume(tmp_path)


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b'{"ref": 1}\n', b"\0" * 500 + b"\n"])
def test_a_damaged_line_ends_what_is_resumed(tmp_path: pathlib.Path, line: bytes) -> None:
    written(tmp_path / "j").close()
    with open(tmp_path / "j", "ab") as handle:
        handle.write(line)
    assert resume(tmp_path) == {report.ref.path for report in REPORTS}


def test_without_a_journal_resuming_starts_one(tmp_path: pathlib.Path) -> None:
    journal, head, done = resume_journal(str(tmp_path / "j"), HEAD)
    assert (head, done, list(journal.reports())) == (HEAD, set(), [])
    journal.close()


def test_an_image_that_changed_is_judged_again(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "x.jpg"
    file.write_bytes(b"one")
    facts = FileFacts("0" * 64, 3, file.stat().st_mtime_ns, "JPEG")
    ref = dataclasses.replace(REPORTS[0].ref, path=str(file))
    journal = open_journal(str(tmp_path / "j"), HEAD)
    journal.append(dataclasses.replace(REPORTS[0], ref=ref, facts=facts))
    journal.close()
    assert resume(tmp_path) == {str(file)}
    file.write_bytes(b"other")
    assert resume(tmp_path) == set()


def resume(folder: pathlib.Path) -> set[str]:
    journal, _, done = resume_journal(str(folder / "j"), HEAD)
    journal.close()
    return done


def test_a_full_disk_is_told(tmp_path: pathlib.Path) -> None:
    with open("/dev/full", "r+b", buffering=0) as full:
        journal = Journal("out.csv.journal", full)
        with pytest.raises(CannotWrite, match=r"out\.csv\.journal: no space"):
            journal.append(REPORTS[0])
