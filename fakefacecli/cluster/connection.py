"""Joining a Ray cluster, or starting one on this machine, and what there is room for in it."""

import contextlib
import logging
import math
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.errors import UsageError
from fakefacecli.base.extras import how_to_install
from fakefacecli.base.options import EngineOptions, ScanOptions

_CPUS = 2  # of a worker, where a node has as many: more workers would hold more copies of the model
_ANSWER_S = 5.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # workers without a GPU see none
}


@dataclass(frozen=True, slots=True)
class Room:
    """How many actors there are room for, and what each of them takes.

    `slots` chunks are worked on at a time in each; `beside` actors share a node, at most.
    """

    actors: int
    cpus: int
    gpus: float
    slots: int
    beside: int


@contextlib.contextmanager
def connected(options: EngineOptions, stop: Callable[[], None]) -> Iterator[Any]:
    """The module ray, connected; what was started for this is ended. Raises UsageError."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    try:
        import ray
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray; {how_to_install('ray')}") from error
    if ray.is_initialized():  # a caller's own
        yield ray
        return
    stop()
    logging.getLogger("ray").setLevel(logging.ERROR)  # stderr is for people, and for errors
    with _signals_kept():
        _connect(ray, options.ray_address)
    try:
        yield ray
    finally:
        with _signals_kept():
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    if address and address not in ("auto", "local"):
        _require_answer(address)
    try:
        # "local": a cluster that RAY_ADDRESS names is joined only when that is asked for
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            configure_logging=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except ConnectionError as error:
        raise _nobody(address) from error
    except (RuntimeError, ValueError, OSError) as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError(f"--engine ray: Ray cannot be used here ({why})") from error


def _require_answer(address: str) -> None:
    """Raise UsageError where nothing listens: Ray would try again for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    try:
        number = int(port)
    except ValueError:
        raise UsageError(f"--ray-address {address}: wanted auto, or HOST:PORT") from None
    try:
        socket.create_connection((host, number), _ANSWER_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise _nobody(address) from error


def _nobody(address: str | None) -> UsageError:
    return UsageError(
        f"--ray-address {address}: no cluster of Ray answers there; start one with `ray start "
        "--head`, or leave out --ray-address"
    )


def room_for(ray: Any, options: ScanOptions) -> Room:
    """What the cluster has room for now; UsageError where not even one actor fits."""
    wanted, device = options.engine, options.judge.device
    nodes = nodes_of(ray)
    gpus = float(on_gpu(device, nodes))
    if wanted.gpus_per_actor is not None:
        gpus = wanted.gpus_per_actor
    cpus = max(1, min(_CPUS, int(max((node.get("CPU", 0) for node in nodes), default=0))))
    room = [fits(node, cpus, gpus) for node in nodes]
    if sum(room) < (wanted.actors or 1) and cpus > 1:  # smaller ones fit more often
        cpus, room = 1, [fits(node, 1, gpus) for node in nodes]
    if not sum(room):
        found = sum((Counter(node) for node in nodes), Counter())
        raise UsageError(
            f"the cluster has no room for a worker: wanted 1 CPU and {gpus:g} GPU on one node, "
            f"found {found['CPU']:g} CPU and {found['GPU']:g} GPU on {len(nodes)} nodes"
        )
    actors = wanted.actors or sum(room)
    beside = min(actors, max(room))
    # one more than work at a time: its images are decoded meanwhile
    return Room(actors, cpus, gpus, slots=cpus + 1, beside=beside)


def nodes_of(ray: Any) -> list[dict[str, float]]:
    """What each node of the cluster has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def on_gpu(device: str, nodes: list[dict[str, float]]) -> bool:
    """Whether --device means a GPU there; UsageError for a device that it cannot name."""
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {device}: with --engine ray, wanted auto, cpu or cuda: Ray divides the GPUs"
        )
    return device == "cuda" or (device == "auto" and any(node.get("GPU", 0) for node in nodes))


def fits(node: dict[str, float], cpus: int, gpus: float) -> int:
    """How many actors fit on a node."""
    by_cpu = math.floor(node.get("CPU", 0) / cpus)
    if not gpus:
        return by_cpu
    share = node.get("GPU", 0)
    # a share of a GPU does not reach across two
    by_gpu = math.floor(share / gpus) if gpus >= 1 else int(share) * math.floor(1 / gpus + 1e-9)
    return min(by_cpu, by_gpu)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Inside, others may set handlers of signals; afterwards they are as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
