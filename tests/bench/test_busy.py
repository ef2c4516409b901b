"""How long a device was at work."""

import pytest
import torch

from fakefacecli.bench.busy import busy_share, covered


@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        ([], 0),
        ([(1.0, 3.0)], 2),
        ([(5.0, 6.0), (1.0, 3.0)], 3),
        ([(1.0, 4.0), (2.0, 3.0)], 3),
        ([(1.0, 4.0), (2.0, 6.0), (6.0, 7.0)], 6),
    ],
    ids=["nothing", "one", "in any order", "one in another", "two streams"],
)
def test_work_at_the_same_time_counts_once(spans: list[tuple[float, float]], wanted: float) -> None:
    assert covered(spans) == wanted


def test_a_cpu_has_no_share_and_nothing_is_run_for_it() -> None:
    assert busy_share(lambda: pytest.fail("it was run"), "cpu") is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_at_work_all_the_time_is_busy_and_an_idle_one_is_not() -> None:
    numbers = torch.rand(8192, 8192, device="cuda")

    def work() -> None:
        for _ in range(20):
            numbers @ numbers

    work()
    busy = busy_share(work, "cuda")
    assert busy is not None
    assert 0.5 < busy <= 1.01
    assert busy_share(lambda: None, "cuda") == pytest.approx(0, abs=0.05)
