import dataclasses
import pathlib

import pytest

from fakefacecli.errors import CannotWrite, UsageError
from fakefacecli.records import ErrorCode, FileFacts
from fakefacecli.stages.journal import Journal, from_plain, open_journal, resume_journal, to_plain
from tests import builders

HEAD = {"fingerprint": "f", "run_id": "1", "started": "now"}
REPORTS = [
    builders.report(0.1, 0.95, index=0, name="a.jpg"),
    builders.report(index=1, name="b\udcff\n.jpg"),
    builders.error(ErrorCode.TIMEOUT, index=2, name="c.jpg"),
]


def written(path: pathlib.Path) -> Journal:
    journal = open_journal(str(path), HEAD)
    for report in REPORTS:
        journal.append(report)
    journal.sync()
    return journal


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_survives_the_journal_exactly(report: object) -> None:
    assert from_plain(to_plain(report)) == report  # type: ignore[arg-type]


def test_reports_are_read_back_in_order_while_more_are_added(tmp_path: pathlib.Path) -> None:
    journal = written(tmp_path / "j")
    assert list(journal.reports()) == REPORTS
    journal.append(REPORTS[0])
    assert list(journal.reports()) == [*REPORTS, REPORTS[0]]
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
