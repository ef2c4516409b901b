import threading
import time
from collections.abc import Iterator

import pytest
import torch

from fakefacecli.base.threads import ahead, in_lanes, side_by_side


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


@pytest.mark.usefixtures("three_threads")
def test_lanes_give_their_answers_in_order_whichever_is_ready_first() -> None:
    def work(number: int) -> int:
        time.sleep(0.02 * (number % 3))
        assert torch.get_num_threads() == 1
        return number

    found = in_lanes(work, iter(range(20)), 3, lambda piece: 1, most=100)
    assert list(found) == list(range(20))
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(("most", "taken"), [(100, 8), (3, 5)])
def test_lanes_take_no_more_ahead_than_fits(most: int, taken: int) -> None:
    begun = threading.Event()
    seen: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(20):
            seen.append(number)
            yield number

    def work(number: int) -> int:
        begun.wait(10)
        return number

    answers = in_lanes(work, pieces(), 3, lambda piece: 1, most)
    threading.Timer(0.5, begun.set).start()
    assert next(answers) == 0
    assert len(seen) < taken
    assert list(answers) == list(range(1, 20))


def test_lanes_share_the_threads_there_are() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(5)
    try:
        found = list(
            in_lanes(lambda _: torch.get_num_threads(), range(6), 2, lambda piece: 1, most=100)
        )
        assert torch.get_num_threads() == 5
    finally:
        torch.set_num_threads(before)
    assert found == [2] * 6


def test_what_a_lane_raises_comes_in_its_place() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    answers = in_lanes(work, range(10), 2, lambda piece: 1, most=100)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(answers)


def test_answers_that_are_ready_come_before_what_the_pieces_raise() -> None:
    def pieces() -> Iterator[int]:
        yield from range(4)
        time.sleep(0.5)
        raise KeyError("no more")

    answers = in_lanes(lambda number: number, pieces(), 2, lambda piece: 1, most=100)
    found = []
    with pytest.raises(KeyError, match="no more"):
        for answer in answers:
            found.append(answer)
    assert found == [0, 1, 2, 3]


def test_work_done_ahead_comes_in_order_and_never_too_far_ahead() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.01 * (number % 3))
        return number

    done = ahead(work, iter(range(20)), 3, most=4)
    for number in range(20):
        assert next(done) == number
        assert max(begun) <= number + 4
    assert list(done) == []


def test_what_work_done_ahead_raises_comes_in_its_place_and_closing_drops_the_rest() -> None:
    done = ahead(lambda number: 1 // number, iter([1, 0, 1]), 2, most=2)
    assert next(done) == 1
    with pytest.raises(ZeroDivisionError):
        next(done)
    begun: list[int] = []
    done = ahead(begun.append, iter(range(1000)), 1, most=2)
    next(done)
    done.close()
    assert len(begun) <= 3
