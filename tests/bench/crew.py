"""The memory of this process while a cluster reports on 200,000 refs: `python -m tests.bench.crew`.

The workers report without looking, so the time is that of sending refs and reports.
"""

import tempfile
import time
from collections.abc import Iterator

import psutil

from fakefacecli.base.records import ImageRef
from fakefacecli.cluster.connection import Room
from fakefacecli.cluster.engine import Crew
from tests.cluster.test_crew import Quick

COUNT = 200_000


def refs() -> Iterator[ImageRef]:
    for index in range(COUNT):
        yield ImageRef(index, f"/srv/uploads/2026/{index:09}.jpg", f"2026/{index:09}.jpg")


def main() -> None:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    here = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(ray, Room(2, 1, 0.0, 2, 2), folder, 32, worker=Quick)
        try:
            crew.first()
            began = time.perf_counter()
            for done, report in enumerate(crew.reports(refs()), 1):
                assert report.ref.index == done - 1
                if done % (COUNT // 10) == 0:
                    spent = time.perf_counter() - began
                    print(f"{done:7} refs {spent:6.1f} s {here.memory_info().rss / 1e6:6.0f} MB")
        finally:
            crew.close()
    ray.shutdown()


if __name__ == "__main__":
    main()
