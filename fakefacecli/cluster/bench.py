"""How fast the workers of a cluster judge, against this machine alone."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.options import ScanOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import Status
from fakefacecli.bench.run import WARM_UP, machine, spread
from fakefacecli.cluster.engine import on_ray
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.engine import Engine, on_this_machine
from fakefacecli.scan.machine import versions
from fakefacecli.scan.source import PathSource

_ACTORS = (None, 1, 2)  # None: without Ray


def bench_engines(
    options: ScanOptions,
    runs: int,
    limit: int | None,
    stop: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Judge the sources, or their first `limit` inputs, by turns on each engine, `runs` times.

    Loading and a warm-up are left out of the rates. Raises what a scan raises.
    """
    items = list(itertools.islice(PathSource(options.source), limit))
    if not items:
        raise NothingToDo("no image found in the inputs; there is nothing to measure")
    rates: dict[int | None, list[float]] = {actors: [] for actors in _ACTORS}
    loads: dict[int | None, float] = {}
    unreadable, device = 0, ""
    for number, actors in itertools.product(range(1, runs + 1), _ACTORS):
        name = "this machine" if actors is None else f"ray, {actors}"
        say(f"run {number} of {runs}: {name}")
        engine: Engine = on_this_machine if actors is None else on_ray
        wanted = replace(options, engine=replace(options.engine, actors=actors))
        began = time.perf_counter()
        with engine(wanted, find_model(options.judge.model), stop) as work:
            loads[actors] = time.perf_counter() - began
            device = work.device
            _count(work.reports, items[:WARM_UP])
            began = time.perf_counter()
            unreadable = _count(work.reports, items)
            rates[actors].append(len(items) / (time.perf_counter() - began))
    return {
        "machine": machine(device),
        "versions": versions(),
        "images": len(items),
        "unreadable": unreadable,
        "runs": runs,
        "engines": [
            {
                "engine": "local" if actors is None else "ray",
                "actors": actors,
                "images_per_s": spread(found),
                "load_s": loads[actors],
            }
            for actors, found in rates.items()
        ],
    }


def _count(reports: Callable[..., Any], items: Sequence[ImageRef | Unreadable]) -> int:
    """Judge the items; how many could not be read."""
    return sum(report.status is Status.ERROR for report in reports(items))
