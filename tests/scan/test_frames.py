"""A scan of files with several pictures: one report a file, a row a face, the worst verdict."""

import json
import pathlib
from dataclasses import replace

import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.verdicts import DetectorName
from fakefacecli.reports.plain import from_plain, to_plain
from tests import bad_files, builders
from tests.builders import PHOTO, PHOTOS
from tests.command import fakeface, json_lines, rows

MODEL = ("--model", "inception-resnet-v1")


def fit(path: pathlib.Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB").resize((320, 320))


@pytest.fixture
def film(tmp_path: pathlib.Path) -> pathlib.Path:
    """A blank picture for a moment, then a generated face, then a photograph of a person."""
    frames = [Image.new("RGB", (320, 320), "white"), fit(PHOTOS / "generated_002.jpg"), fit(PHOTO)]
    path = tmp_path / "in" / "film.webp"
    path.parent.mkdir()
    path.write_bytes(
        bad_files.saved(
            frames[0],
            "WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=[10, 5000, 1000],
            quality=95,
        )
    )
    return path


def test_a_face_in_a_later_frame_is_found_judged_and_drawn(
    film: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    report, state = tmp_path / "r.csv", tmp_path / "s.db"
    flags = ("scan", film.parent, *MODEL, "--overlays", tmp_path / "o", "--explain", "all")
    done = fakeface(*flags, "--report", report, "--state", state)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    found = rows(report)
    assert [(row["frame"], row["face"]) for row in found] == [("2", "1"), ("3", "2")]
    assert {(row["frames"], row["frames_judged"]) for row in found} == {("3", "3")}
    assert [row["verdict"] for row in found] == ["flagged", "not_flagged"]
    assert {row["image_verdict"] for row in found} == {"flagged"}
    names = [row["overlay"].rsplit(".", 4)[1:] for row in found]
    assert [name[1:] for name in names] == [["frame2", "face1", "jpg"], ["frame3", "face2", "jpg"]]
    for row in found:
        assert (tmp_path / row["overlay"]).is_file()
    # known from the state, overlays included
    again = fakeface(*flags, "--report", tmp_path / "2.csv", "--state", state)
    assert "1  of them known from the state" in " ".join(again.stderr.split(" "))
    same = [{k: v for k, v in row.items() if k not in ("run_id", "elapsed_ms")} for row in found]
    other = [
        {k: v for k, v in row.items() if k not in ("run_id", "elapsed_ms")}
        for row in rows(tmp_path / "2.csv")
    ]
    assert other == same
    # other frames are another question
    first = fakeface(
        *flags, "--report", "-", "--state", state, "--frames", "first", "--format", "jsonl"
    )
    [row], _ = json_lines(first.stdout)
    assert (row["status"], row["frames"], row["frames_judged"]) == ("no_face", 3, 1)


def test_a_page_of_another_size_has_its_own_size_in_its_rows(tmp_path: pathlib.Path) -> None:
    page = fit(PHOTO).resize((400, 400))
    data = bad_files.saved(Image.new("RGB", (100, 80)), "TIFF", save_all=True, append_images=[page])
    (tmp_path / "pages.tif").write_bytes(data)
    done = fakeface("scan", tmp_path / "pages.tif", *MODEL, "--report", "-")
    [row], _ = json_lines(done.stdout)
    assert (row["frame"], row["width"], row["height"]) == (2, 400, 400)
    assert row["x2"] <= 400


def test_frames_survive_a_journal() -> None:
    report = builders.report(0.1, 0.95)
    findings = tuple(
        replace(
            finding,
            frame=number,
            frame_size=(30, 20) if number == 2 else None,
            detector=list(DetectorName)[number - 1],
        )
        for number, finding in enumerate(report.findings, 1)
    )
    report = replace(report, findings=findings, frames=9, frames_judged=2)
    assert from_plain(json.loads(json.dumps(to_plain(report)))) == report
    plain = to_plain(builders.report(0.1))
    del plain["frames"], plain["caveats"]
    plain["findings"] = [finding[:6] for finding in plain["findings"]]
    [finding] = from_plain(plain).findings
    assert (finding.frame, finding.detector) == (1, DetectorName.MTCNN)
