import pathlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.base.memory import Memory, _cgroup_limits, default_limit, parse_size


class Impatient(Exception):
    pass


def give_up() -> None:
    raise Impatient


def not_urgent() -> bool:
    return False


def test_work_that_does_not_fit_waits_until_other_work_is_done() -> None:
    memory = Memory(100)
    memory.take(60)
    with pytest.raises(Impatient):
        memory.take(60, give_up, not_urgent)
    memory.rest(60)
    memory.take(60, give_up, not_urgent)


def test_what_waits_still_counts_until_it_leaves() -> None:
    memory = Memory(100)
    memory.take(90)
    memory.rest(90, left=50)
    with pytest.raises(Impatient):
        memory.take(60, give_up, not_urgent)
    memory.leave(50)
    memory.take(60, give_up, not_urgent)


def test_work_above_the_limit_is_let_in_when_nothing_else_is_at_work() -> None:
    memory = Memory(100)
    memory.take(90)
    with pytest.raises(Impatient):
        memory.take(500, give_up)
    memory.rest(90, left=90)
    memory.take(500, give_up)  # what waits ends only after it
    memory.rest(500)


def test_others_let_urgent_work_go_first() -> None:
    memory = Memory(100)
    memory.take(60)
    entered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(memory.take, 90, entered.set)
        assert entered.wait(5)  # it has waited once, and waits again
        with pytest.raises(Impatient):
            for _ in range(100):  # it may just be between two waits
                memory.take(1, give_up, not_urgent)
                memory.rest(1)
        memory.rest(60)
        waiting.result(5)
    memory.rest(90)
    memory.take(1, give_up, not_urgent)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("2G", 2 << 30), ("1.5g", 3 << 29), ("512MiB", 512 << 20), (" 3 KB ", 3072)],
)
def test_sizes_are_bytes_with_a_suffix(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "nan", "inf", "2X", "two", "9" * 40])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--max-memory"):
        parse_size(text)


def test_the_limits_of_all_control_groups_above_count(tmp_path: pathlib.Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "memory.max").write_text("max\n")
    (tmp_path / "a" / "memory.max").write_text("4096\n")
    old = tmp_path / "memory" / "c"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("8192\n")
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/c\n3:cpu:/c\n0::/a/b\n")
    assert sorted(_cgroup_limits(str(tmp_path), str(own)))[:2] == [4096, 8192]
    assert len(_cgroup_limits(str(tmp_path), str(tmp_path / "none"))) == 1


def test_the_default_is_a_part_of_what_is_there() -> None:
    assert 1 << 20 < default_limit() < 1 << 50
