"""What all tests share: how many of them run at a time, and one thread for each."""

import os

import pytest

# read when numpy and torch are imported, here and in the commands that tests start: threads of
# OpenMP spin while they wait for each other, which costs minutes where tests share their cores
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker per core; none for tests that are named one by one."""
    if all("::" in argument for argument in config.args):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
