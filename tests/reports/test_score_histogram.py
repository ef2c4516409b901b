import pytest

from fakefacecli.reports.score_histogram import BINS, HEIGHT, WIDTH, histogram_of
from tests.reports.made_rows import image, judged, rows_for, unreadable


def test_every_face_is_in_one_bin_and_a_score_of_one_in_the_last() -> None:
    scores = (0.0, 0.049, 0.05, 0.5, 0.95, 1.0)
    rows = rows_for(image("a.jpg", *map(judged, scores)), image("b.jpg"), unreadable("c.jpg"))
    found = histogram_of(rows)
    assert [counts.total() for counts in found.counts] == [2, 1, *[0] * 8, 1, *[0] * 8, 2]
    assert found.faces == 6 and found.most == 2
    assert found.counts[-1] == {"flagged": 2}
    assert found.thresholds == (0.25, 0.9)


def test_bars_are_stacked_and_stay_inside_the_drawing() -> None:
    rows = rows_for(image("a.jpg", judged(0.5), judged(0.51), judged(0.05)))
    rows[0] |= {"verdict": "flagged"}  # as with other thresholds
    bars = list(histogram_of(rows).bars())
    assert sum(bar.height for bar in bars) == pytest.approx(HEIGHT * 3 / 2)
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in bars)
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH for bar in bars)
    stacked = [bar for bar in bars if bar.x > WIDTH / 2]
    assert [bar.label for bar in stacked] == ["inconclusive", "flagged"]
    assert stacked[1].y + stacked[1].height == pytest.approx(stacked[0].y)


def test_rows_of_other_thresholds_leave_the_lines_out() -> None:
    rows = rows_for(image("a.jpg", judged(0.5), judged(0.95)))
    rows[0]["threshold_high"] = 0.8
    assert histogram_of(rows).thresholds == ()


def test_without_a_face_there_are_no_bars() -> None:
    found = histogram_of([])
    assert len(found.counts) == BINS and not list(found.bars()) and found.most == 0
