import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

# read when Ray is imported: nothing is sent anywhere
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


@contextlib.contextmanager
def two_nodes(cpus: int = 1) -> Iterator[Any]:
    """A cluster of two raylets on this machine, with `cpus` each."""
    pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": cpus, "object_store_memory": 100 << 20},
        )
        cluster.add_node(num_cpus=cpus, object_store_memory=100 << 20)
        try:
            yield cluster
        finally:
            cluster.shutdown()
