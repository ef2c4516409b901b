"""Using a CPU's cores: whole pieces of work side by side, instead of each operation cut in parts.

An operation that is cut in parts ends when its slowest part does, so a core that is busy elsewhere
(a decoder, another program) holds up all the others, thousands of times a second: on two shared
cores one face took 63 ms of CPU time that way and 22 ms side by side.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], pieces: Sequence[T]) -> list[R]:
    """`work` of each piece, in order, on as many threads as torch would use.

    What `work` raises is raised here, after the pieces that had begun have ended.
    """
    import torch

    threads = torch.get_num_threads()
    workers = min(threads, len(pieces))
    if workers < 2:
        return [work(piece) for piece in pieces]
    try:
        with ThreadPoolExecutor(workers, initializer=_single) as pool:
            return list(pool.map(work, pieces))
    finally:
        torch.set_num_threads(threads)


def _single() -> None:
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a setting of each thread's own
