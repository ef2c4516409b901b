import threading

import pytest
import torch

from fakefacecli.models.cores import side_by_side


@pytest.fixture
def three_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_answers_come_in_order_and_torch_keeps_its_threads() -> None:
    assert side_by_side(lambda number: number * 2, range(50)) == list(range(0, 100, 2))
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_pieces_run_at_the_same_time_on_one_torch_thread_each() -> None:
    meeting = threading.Barrier(3, timeout=20)

    def piece(number: int) -> int:
        meeting.wait()
        return torch.get_num_threads()

    assert side_by_side(piece, range(3)) == [1, 1, 1]


@pytest.mark.usefixtures("three_threads")
def test_what_a_piece_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, [1, 0, 1])
    assert torch.get_num_threads() == 3


def test_no_pieces_are_no_answers() -> None:
    assert side_by_side(str, []) == []
