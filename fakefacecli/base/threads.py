"""Using a CPU's cores: several pieces of work at the same time, one per core.

torch would rather divide each operation among the cores. Such an operation ends when its slowest
part does, so a core that is busy elsewhere (a decoder, another program) makes all the others wait,
thousands of times a second: on two shared cores one face took 63 ms of CPU time that way, and 22 ms
with one piece per core.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], pieces: Sequence[T]) -> list[R]:
    """`work` of each piece, in order, on as many threads as torch would use.

    What `work` raises is raised here, after the pieces that had begun have ended.
    """
    import torch

    workers = min(torch.get_num_threads(), len(pieces))
    if workers < 2:
        return [work(piece) for piece in pieces]
    # one thread for each worker: more would put several of torch's threads on each core
    with _pool(workers, 1) as pool:
        return list(pool.map(work, pieces))


@contextlib.contextmanager
def begun(work: Callable[[T], R], pieces: Iterable[T]) -> Iterator[list[Future[R]]]:
    """`work` of each piece, in order, on a thread beside the block; what is left is dropped."""
    with _pool(1, 1) as pool:
        yield [pool.submit(work, piece) for piece in pieces]


def in_lanes(
    work: Callable[[T], R], pieces: Iterable[T], lanes: int, size: Callable[[T], int], most: int
) -> Iterator[R]:
    """`work` of each piece as it comes, in order, on `lanes` threads; with 1, on the caller's own.

    torch's threads are divided among them. Pieces are taken ahead while at most one per lane
    waits and their sizes sum to `most` or less. What `work` raises is raised in its piece's place;
    later pieces may have been worked on. What `pieces` raises is raised after the answers that are
    ready.
    """
    if lanes < 2:
        yield from map(work, pieces)
        return
    import torch

    waiting: deque[tuple[Future[R], int]] = deque()
    held = 0
    broken: list[Exception] = []
    # an operation of a lane may still be divided, when there are more cores than lanes
    with _pool(lanes, max(1, torch.get_num_threads() // lanes)) as pool:
        for piece in _until_it_breaks(pieces, broken):
            waiting.append((pool.submit(work, piece), size(piece)))
            held += waiting[-1][1]
            # answers leave in the order of their pieces. One that is ready goes at once; when too
            # many pieces wait, or too large ones, the caller waits here for the oldest
            while waiting and (len(waiting) > 2 * lanes or held > most or waiting[0][0].done()):
                done, gone = waiting.popleft()
                held -= gone
                yield done.result()
        # after an error in `pieces`: only what is ready, without waiting for the lanes
        while waiting and (not broken or waiting[0][0].done()):
            yield waiting.popleft()[0].result()
        if broken:
            raise broken[0]


def ahead(
    work: Callable[[T], R], pieces: Iterable[T], workers: int, most: int
) -> Generator[R, None, None]:
    """`work` of each piece, in order, on `workers` threads, which are `most` pieces ahead at most.

    For work without torch, whose settings stay as they are: Pillow, OpenCV and numpy let other
    threads run meanwhile. What `work` raises is raised in its piece's place. Close the generator to
    drop the pieces that have not begun.
    """
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fakeface")
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _pool(workers: int, threads_each: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each use `threads_each` threads of torch; torch's setting is restored."""
    import torch

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        workers, thread_name_prefix="fakeface", initializer=_use, initargs=(threads_each,)
    )
    try:
        yield pool
    finally:
        # the caller may have left early, or a piece failed: those not begun are dropped
        pool.shutdown(cancel_futures=True)
        # a part of this setting is the whole process's, and the workers have changed it
        torch.set_num_threads(threads)


def _until_it_breaks(pieces: Iterable[T], broken: list[Exception]) -> Iterator[T]:
    """The pieces up to the first error, which is put into `broken`."""
    try:
        yield from pieces
    except Exception as error:  # noqa: BLE001 - in_lanes raises it
        broken.append(error)


def _use(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    # a setting of each thread's own; sums with denormal numbers are many times slower on a CPU
    torch.set_flush_denormal(True)
