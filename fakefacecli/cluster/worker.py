"""What runs in each actor of a cluster: a model, loaded once, and the stages of a scan."""

import contextlib
import os
import queue
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakefacecli.base.errors import FakeFaceError, UsageError
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.memory import Memory
from fakefacecli.base.records import ImageRef
from fakefacecli.cluster.orders import Orders, model_files, unpacked
from fakefacecli.scan.build import build, scan_decoder
from fakefacecli.scan.machine import versions
from fakefacecli.scan.pipeline import Stages, scan
from fakefacecli.scan.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker that has loaded its model: where it runs, and how it judges."""

    node: str
    host: str
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A FakeFaceError, as it crosses between machines: the name of its class, and its text."""

    kind: str
    text: str


class Worker:
    """The actor. Its methods are called by several threads, `slots` of them at a time.

    `begin` comes first. While one judges a chunk of images, another has its decoder read the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: Ready | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="fakeface-")
        self._free: queue.SimpleQueue[Stages] = queue.SimpleQueue()

    def begin(self, orders: Orders) -> Ready | Refusal:
        """Load the model, once."""
        with self._lock:
            try:
                self._ready = self._ready or self._load(orders)
            except FakeFaceError as error:
                return Refusal(type(error).__name__, str(error))
            return self._ready

    def judge(self, refs: Sequence[ImageRef]) -> list[ImageReport] | Refusal:
        """The reports on a chunk of images, in order."""
        import torch

        # a setting of each thread's own
        torch.set_flush_denormal(True)
        stages = self._free.get()
        try:
            return list(scan(refs, stages, stages.judge.batch_size))
        except FakeFaceError as error:
            return Refusal(type(error).__name__, str(error))
        finally:
            self._free.put(stages)

    def _load(self, orders: Orders) -> Ready:
        import ray
        import torch

        node, host = ray.get_runtime_context().get_node_id(), os.uname().nodename
        _check_place(orders, host)
        # each slot is a thread of its own
        torch.set_num_threads(1)
        folder = self._folder.name
        options, checkpoint = unpacked(orders, folder)
        check_versions(orders.versions, versions(checkpoint), host, "rows")
        first = build(options, checkpoint)
        # decoders read the lists again when one is started anew; the model is not read any more
        for name in model_files(orders):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))
        judge = replace(first.judge, lanes=1)
        sizes = Sizes(1, judge.batch_size)
        self._free.put(replace(first, judge=judge))
        for _ in range(orders.slots - 1):
            memory = Memory(first.memory.limit) if first.memory else None
            decoder = scan_decoder(options, sizes, memory=memory)
            self._free.put(replace(first, judge=judge, decoder=decoder, memory=memory))
        return Ready(node, host, judge.device, judge.precision)


def _check_place(orders: Orders, host: str) -> None:
    folder, probe = orders.folder, orders.probe
    enter(folder, host)
    if probe and not os.path.exists(probe):
        raise UsageError(
            f"{host} does not see {os.path.dirname(probe)}: overlays need a folder that every "
            "machine of the cluster shares"
        )


def enter(folder: str, host: str) -> None:
    """Make `folder` the current one, so that names of files mean what they mean to the driver."""
    try:
        os.chdir(folder)
    except OSError:
        raise UsageError(
            f"{host} has no folder {folder}: start the run in a folder that every machine of the "
            "cluster has under the same path"
        ) from None


def check_versions(wanted: dict[str, str], found: dict[str, str], host: str, what: str) -> None:
    """Raise UsageError where versions differ, and so `what` comes out."""
    for name in sorted(wanted.keys() | found.keys()):
        here, there = wanted.get(name, "none"), found.get(name, "none")
        if here != there:
            raise UsageError(
                f"{host} has {name} {there}, this machine {here}: {what} could differ; install "
                "the same versions on all machines"
            )
