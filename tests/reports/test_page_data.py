import base64
import pathlib

import pytest

from fakefacecli.base.text import exact
from fakefacecli.reports import page_data
from fakefacecli.reports.page_data import gather
from tests.reports.made_rows import image, judged, rows_for, unreadable, usual


def test_images_are_counted_once_and_faces_one_by_one(tmp_path: pathlib.Path) -> None:
    counts = gather(usual(tmp_path)).counts
    assert (counts.images, counts.faces) == (9, 8)
    assert counts.status == {"ok": 7, "no_face": 1, "error": 1}
    assert counts.verdict["flagged"] == 2 and counts.image_verdict["flagged"] == 3
    assert counts.error_code == {"truncated": 1}


def test_a_person_sees_the_most_urgent_first(tmp_path: pathlib.Path) -> None:
    rows = usual(tmp_path)
    review = gather(rows).review
    shown = {group: [rows[number]["p_fake"] for number in those] for group, those in review.items()}
    assert shown == {"flagged": [0.99, 0.95], "evidence": [0.02], "inconclusive": [0.5, 0.4, 0.3]}


def test_every_cell_is_kept_once_in_the_rows_or_among_those_that_are_the_same() -> None:
    rows = rows_for(image("a.jpg", judged(0.5), judged(0.6)), unreadable("b.jpg"))
    data = gather(rows)
    assert data.same["model"] == "a-model" and "model" not in data.columns
    assert "elapsed_ms" not in {*data.columns, *data.same}
    for row, cells in zip(rows, data.rows, strict=True):
        shown = data.same | dict(zip(data.columns, cells, strict=True))
        assert shown == {name: row[name] for name in shown}


@pytest.mark.parametrize("name", ["\udcff.jpg", "\u202egpj.jpg", "back\\slash", "plain", "Фото"])
def test_names_are_printable_and_lead_back_to_the_file(name: str) -> None:
    raw = rows_for(image(name, judged(0.95, f"{name}.jpg")))
    data = base64.b64encode(name.encode("utf-8", "surrogateescape")).decode()
    as_json = [{**raw[0], "path": "whatever", "path_bytes": data}]
    for rows in (raw, as_json):
        found = gather(rows)
        assert exact(found.same["path"]) == name
        assert found.same["path"].encode()  # no lone surrogate is left
    assert gather(raw).overlays == [f"ov/{name}.jpg"]


def test_of_too_many_rows_the_least_serious_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(page_data, "MOST_ROWS", 7)
    data = gather(usual(tmp_path))
    assert data.rows_left_out == 3
    paths = [row[data.columns.index("path")] for row in data.rows]
    assert paths == [
        *("a/flagged.jpg", "a/sure.png", "b/open.jpg", "b/open.jpg", "b/other.jpg"),
        *("d/declared.jpg", "e/broken.jpg"),
    ]
    assert data.counts.images == 9  # of all rows
