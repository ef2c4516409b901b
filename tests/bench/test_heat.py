"""The measure of heat itself: on a score of which it is known where it comes from."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tests.bench.heat import Measure, Subject, blur, controls, markdown, measure, ranked, resized

PX, FACES = 28, 5


def in_the_corner() -> Subject:
    """Faces whose score is the contrast of their left upper quarter alone."""
    generator = torch.Generator().manual_seed(1)
    whole = torch.rand((FACES, 3, PX, PX), generator=generator)
    blurred = blur(whole)

    def score(inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        corner = inputs[0][..., : PX // 2, : PX // 2]
        return torch.sigmoid(40 * (corner.std(dim=(1, 2, 3)) - 0.2))

    return Subject("corner", [(whole, blurred)], score, lambda ranks: [ranks[:, None]])


def measured(heat: torch.Tensor) -> Measure:
    return measure(in_the_corner(), "a", heat, 100, time.monotonic())


def corner_heat(value: float) -> torch.Tensor:
    cells = torch.zeros(FACES, 2, 2)
    cells[:, 0, 0] = value
    return cells.repeat_interleave(PX // 2, 1).repeat_interleave(PX // 2, 2)


def test_heat_at_the_source_of_the_score_beats_heat_elsewhere() -> None:
    right, wrong, even = (measured(corner_heat(value)) for value in (1.0, -1.0, 0.0))
    assert right.figure.min() > 0.5
    assert wrong.figure.max() < -0.5
    assert np.abs(even.figure).max() < 0.3


def test_the_answer_for_a_face_does_not_depend_on_how_many_are_asked_at_once() -> None:
    heat = controls(FACES, PX, "cpu")["random cells"]
    few = measure(in_the_corner(), "a", heat, 1, time.monotonic())
    assert measured(heat).figure == pytest.approx(few.figure, abs=1e-6)


def test_ranks_go_from_the_hottest_and_ties_in_one_drawn_order() -> None:
    heat = torch.tensor([[[0.0, 3.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    ranks = ranked(heat)
    assert ranks[0, 0, 1] == 0
    assert ranks[0, 1, 1] == 0.25
    assert sorted(ranks[0].flatten().tolist()) == [0, 0.25, 0.5, 0.75]
    # 0, 0 comes before 1, 0 among equals in both faces, or after it in both
    order = ranks[:, 0, 0] < ranks[:, 1, 0]
    assert order[0] == order[1]


def test_maps_are_enlarged_as_overlays_enlarge_them() -> None:
    from fakefacecli.scan.explain import spread

    grid = np.random.default_rng(0).random((7, 7)).astype(np.float32) * 5
    ours = resized(torch.from_numpy(grid)[None], 70)[0].numpy()
    assert ours / grid.max() == pytest.approx(spread(grid, 70), abs=0.01)


def test_the_table_marks_the_best_and_has_intervals() -> None:
    rows = [measured(corner_heat(value)).row() for value in (1.0, 0.0)]
    assert rows[0]["low"] <= rows[0]["figure"] <= rows[0]["high"]
    assert rows[0]["faces"] == FACES
    table = markdown({"n": 5}, [dict(rows[0], method="right"), dict(rows[1], method="even")])
    assert "**right**" in table
    assert "**even**" not in table
