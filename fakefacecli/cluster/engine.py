"""A scan's engine on Ray: chunks of refs go out to actors, reports come back in order.

Ray places the actors, restarts those that die, and carries what they are sent. Which chunk goes to
whom is decided here. Ray Data and ray.util's ActorPool were looked at: the first wants to know all
inputs before it starts, the second lets a worker wait until every earlier chunk is done.
"""

import contextlib
import itertools
import os
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fakefacecli.base import errors
from fakefacecli.base.errors import FakeFaceError
from fakefacecli.base.files import cannot_write
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import ScanOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.cluster.chunks import Actor, Chunk
from fakefacecli.cluster.connection import Room, connected, room_for
from fakefacecli.cluster.orders import orders_of
from fakefacecli.cluster.worker import Ready, Refusal, Worker
from fakefacecli.models.judge import AnyCheckpoint
from fakefacecli.scan.engine import Work
from fakefacecli.scan.pipeline import Item, unreadable_report
from fakefacecli.scan.sizes import ON_CPU

_STEP_S = 0.1  # how long a wait lasts before it asks whether it is still wanted
_AGAIN_S = 1.0  # between two questions whether a worker is back
PATIENCE_S = 300.0  # without any worker
_TRIES = 2  # of one image alone, each ended by the death of its worker


@contextlib.contextmanager
def on_ray(
    options: ScanOptions, checkpoint: AnyCheckpoint, stop: Callable[[], None]
) -> Iterator[Work]:
    """The engine that judges on a Ray cluster.

    Raises UsageError where there is no Ray, no cluster, or no room in it; and what a worker raises.
    """
    with connected(options.engine, stop) as ray, _probe(options) as probe:
        room = room_for(ray, options)
        orders = ray.put(orders_of(options, checkpoint, room.slots, room.beside, probe))
        crew = Crew(ray, room, orders, options.judge.batch_size or ON_CPU, stop)
        try:
            first = crew.first()
            yield Work(first.device, first.precision, crew.reports, crew.nodes)
        finally:
            crew.close()


class Crew:
    """The workers of one run. `close` ends them, and what they are doing."""

    def __init__(
        self,
        ray: Any,
        room: Room,
        orders: Any,
        most: int,
        stop: Callable[[], None] = lambda: None,
        worker: type = Worker,
    ):
        self._ray = ray
        self._most = most
        self._stop = stop
        self._slots = room.slots
        self._orders = orders
        self._judged: Counter[tuple[str, str]] = Counter()
        self._alone_since = time.monotonic()
        actor = ray.remote(worker).options(
            num_cpus=room.cpus,
            num_gpus=room.gpus,
            max_concurrency=room.slots + 1,
            max_restarts=-1,
            # a chunk whose worker died is sent to another one here: the same may never come back
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._actors = [Actor(actor.remote()) for _ in range(room.actors)]

    def first(self) -> Ready:
        """Wait for the first worker that is ready."""
        while not (ready := next((a.ready for a in self._actors if a.ready), None)):
            self._step(())
        return ready

    def reports(self, items: Iterable[Item]) -> Iterator[ImageReport]:
        """One report per item, in order; as `pipeline.scan`."""
        source = iter(items)
        line: deque[Chunk] = deque()
        ended = False
        while True:
            while not ended and len(line) < self._most_waiting and self._free():
                chunk = Chunk(list(itertools.islice(source, self._most)))
                ended = not chunk.items
                if not ended:
                    line.append(chunk)
                    self._send(line)
            self._send(line)
            while line and line[0].reports is not None:
                yield from line.popleft().all_reports()
            if not line and ended:
                return
            self._step(line)

    def nodes(self) -> dict[str, int]:
        """How many images each machine has judged, by its name."""
        hosts = Counter(host for _, host in self._judged)
        return {
            # two nodes of Ray may be one machine
            (host if hosts[host] == 1 else f"{host}-{node[:6]}"): count
            for (node, host), count in sorted(self._judged.items(), key=lambda one: one[0][::-1])
        }

    def close(self) -> None:
        """End all workers at once."""
        for actor in self._actors:
            with contextlib.suppress(Exception):
                self._ray.kill(actor.handle, no_restart=True)

    @property
    def _most_waiting(self) -> int:
        """Chunks that may be under way, or wait for an earlier one: what bounds memory here."""
        return 2 * self._slots * len(self._actors) + 2

    def _free(self) -> Actor | None:
        """The ready worker that has the least to do, if it has a slot."""
        ready = [a for a in self._actors if a.ready and a.busy < self._slots and not a.alone]
        return min(ready, key=lambda actor: actor.busy, default=None)

    def _send(self, line: Iterable[Chunk]) -> None:
        """Give chunks that nobody works on to those who have room, in order."""
        for chunk in line:
            if chunk.future is not None or chunk.reports is not None:
                continue
            actor = self._free()
            if actor is None or (chunk.suspect and actor.busy):
                return
            actor.busy += 1
            actor.alone = chunk.suspect
            chunk.actor = actor
            chunk.future = actor.handle.judge.remote(chunk.refs)

    def _step(self, line: Iterable[Chunk]) -> None:
        """Wait a moment for something to end, and note what did."""
        self._stop()
        self._ask()
        under_way = {chunk.future: chunk for chunk in line if chunk.future is not None}
        asked = {actor.asked: actor for actor in self._actors if actor.asked is not None}
        if not under_way and not asked:
            time.sleep(_STEP_S)
            return
        ended, _ = self._ray.wait(list({**under_way, **asked}), num_returns=1, timeout=_STEP_S)
        for future in ended:
            if future in asked:
                self._begun(asked[future])
            else:
                self._judged_or_lost(under_way[future])
        self._split(line)

    def _ask(self) -> None:
        """Ask those who are not ready whether they are."""
        now = time.monotonic()
        if any(actor.ready for actor in self._actors):
            self._alone_since = now
        elif now - self._alone_since > PATIENCE_S:
            raise FakeFaceError(
                f"no worker of the cluster has answered for {PATIENCE_S:.0f} s; look at "
                "`ray status`, and go on with --resume"
            )
        for actor in self._actors:
            if actor.ready is None and actor.asked is None and now >= actor.ask_at:
                actor.asked = actor.handle.begin.remote(self._orders)

    def _begun(self, actor: Actor) -> None:
        answer = self._answer(actor.asked)
        actor.asked, actor.ask_at = None, time.monotonic() + _AGAIN_S
        actor.ready = answer
        actor.where = answer or actor.where

    def _judged_or_lost(self, chunk: Chunk) -> None:
        actor, future = chunk.actor, chunk.future
        assert actor is not None  # noqa: S101 - it was sent
        chunk.future = chunk.actor = None
        actor.busy -= 1
        actor.alone = False
        answer = self._answer(future)
        if answer is None:
            chunk.deaths += chunk.suspect
            chunk.suspect = True
            actor.ready = None  # until it says otherwise
            return
        chunk.reports = answer
        if actor.where:
            self._judged[actor.where.node, actor.where.host] += len(answer)

    def _split(self, line: Any) -> None:
        """Divide chunks that have ended a worker; an image that always does is an error's row."""
        for place, chunk in enumerate(list(line)):
            if not chunk.deaths or chunk.reports is not None or chunk.future is not None:
                continue
            if len(chunk.items) > 1:
                del line[place]
                for item in reversed(chunk.items):
                    line.insert(place, Chunk([item], suspect=isinstance(item, ImageRef)))
                return
            if chunk.deaths >= _TRIES:
                words = "workers of the cluster ended again and again while they had this image"
                [ref] = chunk.refs
                lost = Unreadable(ref, ErrorCode.DECODER_CRASHED, words)
                chunk.reports = [unreadable_report(lost)]

    def _answer(self, future: Any) -> Any:
        """What a call came to; None where its worker died. Raises what the worker refused with."""
        try:
            answer = self._ray.get(future)
        except self._ray.exceptions.RayTaskError:
            raise  # a fault in the worker's code
        except self._ray.exceptions.RayError:
            return None
        if isinstance(answer, Refusal):
            raise refused(answer)
        return answer


@contextlib.contextmanager
def _probe(options: ScanOptions) -> Iterator[str]:
    """A file in the folder for pictures while the workers look for it; "" where none is wanted."""
    folder = options.pictures
    if folder is None:
        yield ""
        return
    path = os.path.join(os.path.abspath(folder), f".fakeface-{secrets.token_hex(8)}")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "xb"):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def refused(refusal: Refusal) -> FakeFaceError:
    """The error that a worker refused with, of the same class."""
    kinds: Mapping[str, Any] = vars(errors)
    kind = kinds.get(refusal.kind, FakeFaceError)
    return kind() if kind is errors.DeviceFull else kind(refusal.text)
