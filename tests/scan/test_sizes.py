"""How many images are judged at once."""

import pytest
import torch

from fakefacecli.base.errors import UsageError
from fakefacecli.cli.parse import parse_batch_size
from fakefacecli.scan.pipeline import MOST_PIXELS
from fakefacecli.scan.sizes import Sizes, fitting_batch, sizes_for


@pytest.mark.parametrize(
    ("free_gb", "images"), [(0.1, 16), (4, 16), (8, 32), (24, 96), (60, 240), (140, 256)]
)
def test_a_batch_grows_with_the_free_memory_of_a_gpu(free_gb: float, images: int) -> None:
    assert fitting_batch(int(free_gb * 1e9)) == images


@pytest.mark.parametrize(
    ("threads", "asked", "lanes", "images"),
    [(1, None, 1, 16), (2, None, 2, 16), (8, None, 4, 16), (8, 3, 1, 3), (8, 64, 8, 64)],
)
def test_a_cpu_judges_as_it_did(
    threads: int, asked: int | None, lanes: int, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert sizes_for("cpu", asked) == Sizes(lanes, images, MOST_PIXELS)


def test_the_flag_takes_a_number_or_auto() -> None:
    assert parse_batch_size("auto") is None
    assert [parse_batch_size(text) for text in ("1", "1024")] == [1, 1024]


@pytest.mark.parametrize("text", ["0", "1025", "-1", "1e2", "", "²", "99999999999999999999"])
def test_any_other_batch_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted auto, or a number from 1 to 1,024"):
        parse_batch_size(text)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_judges_two_batches_side_by_side() -> None:
    sizes = sizes_for("cuda:0", None)
    assert sizes.lanes == 2
    assert 16 <= sizes.batch_size <= 256
    assert sizes_for("cuda:0", 1).lanes == 1
