"""A training on a Ray cluster: Ray Train starts the workers, which learn as one machine would.

The worker that leads tells this process what it would tell people, and is told when to stop.
"""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fakefacecli.base.errors import FakeFaceError, Interrupted, UsageError
from fakefacecli.base.files import cannot_write
from fakefacecli.base.options import EngineOptions
from fakefacecli.cluster.apprentice import Orders, learn, versions_here
from fakefacecli.cluster.connection import connected, fits, nodes_of, on_gpu
from fakefacecli.cluster.engine import refused
from fakefacecli.cluster.worker import Refusal
from fakefacecli.train.log import TrainingProgress
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.run import Watch

_MOST_CPUS = 8  # of the default: each worker without a GPU reads every batch, so many gain little
_STEP_S = 0.1
_PATIENCE_S = 20.0  # for a step of the worker that leads, after a signal
_LAST_S = 5.0  # for Ray Train to end by itself
_QUIET = {
    "RAY_TRAIN_V2_ENABLED": "1",  # the default of later versions
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


@dataclass(frozen=True, slots=True)
class Crew:
    """How many workers train, and whether each has a GPU."""

    workers: int
    gpu: bool


class Desk:
    """The actor between the worker that leads and the driver."""

    def __init__(self) -> None:
        self._events: list[tuple[str, tuple[Any, ...]]] = []
        self._stop = 0

    def hand_in(self, events: list[tuple[str, tuple[Any, ...]]]) -> int:
        """Keep `events` for the driver; the number of the signal that it got, or 0."""
        self._events += events
        return self._stop

    def collect(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The events that were handed in since the last call."""
        events, self._events = self._events, []
        return events

    def stop(self, number: int) -> None:
        """Tell the worker that leads of a signal."""
        self._stop = number


def train_on_ray(
    options: TrainOptions, engine: EngineOptions, amp: bool | None, watch: Watch
) -> TrainingProgress:
    """`run_training` by `engine.actors` workers of a cluster; `amp` None: where they have GPUs.

    The data, the caches and the folder of `options.out` must be the same on all machines. Raises
    UsageError where there is no Ray, no cluster, or no room in it; and what a worker raises.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    with connected(engine, watch.stop) as ray, _scratch(options.out) as scratch:
        crew = crew_for(ray, engine, options)
        device = "cuda" if crew.gpu else "cpu"
        options = replace(options, device=device, amp=crew.gpu if amp is None else amp)
        orders = Orders(options, os.getcwd(), scratch, versions_here())
        desk = ray.remote(num_cpus=0)(Desk).remote()
        fit = _Fit(_trainer(orders, crew, desk, scratch))
        fit.start()
        try:
            return _followed(ray, fit, desk, watch)
        except ray.exceptions.RayError as error:
            raise _lost(error) from error
        finally:
            fit.join(_LAST_S)


def crew_for(ray: Any, engine: EngineOptions, options: TrainOptions) -> Crew:
    """The workers that were asked for, or all that fit; UsageError where they do not."""
    nodes = nodes_of(ray)
    gpu = on_gpu(options.device, nodes)
    room = sum(fits(node, 1, float(gpu)) for node in nodes)
    wanted = engine.actors or 1
    if room < wanted:
        each = "1 CPU and 1 GPU" if gpu else "1 CPU"
        raise UsageError(
            f"the cluster has room for {room} workers with {each} each, {wanted} wanted; use "
            "fewer --train-workers"
        )
    # two faces each at least: batch normalisation cannot learn from one
    most = max(1, options.batch_size // 2)
    if wanted > most:
        raise UsageError(
            f"--train-workers {wanted}: {options.batch_size} faces at once are work for {most} at "
            "most; use fewer, or a larger --batch-size"
        )
    return Crew(engine.actors or min(most, room if gpu else min(room, _MOST_CPUS)), gpu)


def _trainer(orders: Orders, crew: Crew, desk: Any, scratch: str) -> Any:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    return TorchTrainer(
        learn,
        train_loop_config={"orders": orders, "desk": desk},
        # one worker looks for faces and measures, however long that takes, while the others wait
        torch_config=TorchConfig(timeout_s=10 * 24 * 3600),
        scaling_config=ScalingConfig(
            num_workers=crew.workers,
            use_gpu=crew.gpu,
            resources_per_worker={"CPU": 1, **({"GPU": 1} if crew.gpu else {})},
        ),
        run_config=RunConfig(name="fakeface", storage_path=scratch),
    )


class _Fit(threading.Thread):
    """Ray Train's own loop, so that the main thread is free for people and signals."""

    def __init__(self, trainer: Any):
        super().__init__(daemon=True)
        self._trainer = trainer
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._trainer.fit()
        except Exception as error:  # noqa: BLE001 - the driver says it, where no worker did
            self.error = error


def _followed(ray: Any, fit: _Fit, desk: Any, watch: Watch) -> TrainingProgress:
    """Pass on what the workers tell, until they are done. Raises what they refused with."""
    tell: dict[str, Callable[..., None]] = {
        "say": watch.say,
        "images": watch.images,
        "step": watch.step,
        "epoch": watch.epoch,
    }
    begun, signalled, until = False, None, 0.0
    while True:
        ended = not fit.is_alive()  # asked first: what it told before it ended is read below
        for kind, what in ray.get(desk.collect.remote()):
            begun = True
            if kind == "done":
                done: TrainingProgress = what[0]
                return done
            if kind == "refused":
                raise _error_of(what[0])
            if kind in tell:
                tell[kind](*what)
        if signalled and (ended or not begun or time.monotonic() > until):
            raise signalled
        if ended:
            raise _lost(fit.error)
        if not signalled:
            try:
                watch.stop()
            except Interrupted as stopped:
                signalled, until = stopped, time.monotonic() + _PATIENCE_S
                ray.get(desk.stop.remote(stopped.number))
        time.sleep(_STEP_S)


def _error_of(refusal: Refusal) -> FakeFaceError:
    if refusal.kind != Interrupted.__name__:
        return refused(refusal)
    number, _, more = refusal.text.partition(" ")
    return Interrupted(int(number), more)


def _lost(error: Exception | None) -> FakeFaceError:
    # of Ray Train's error: which workers, and what became of the first
    failures: dict[int, Exception] = getattr(error, "worker_failures", None) or {}
    told = next(iter(failures.values()), error)
    why = " ".join(str(told).split()).partition(". ")[0][:300] if told else "no reason is known"
    which = f"worker {', '.join(map(str, failures))}" if failures else "the cluster"
    return FakeFaceError(
        f"{which} was lost ({why}); what finished epochs left is kept, --resume goes on"
    )


@contextlib.contextmanager
def _scratch(out: str) -> Iterator[str]:
    """A folder for Ray Train beside `out`, where every machine has to see it."""
    folder = os.path.dirname(os.path.abspath(out))
    try:
        scratch = tempfile.TemporaryDirectory(
            prefix=".fakeface-", dir=folder, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise cannot_write(folder, error) from error
    with scratch as name:
        yield name
