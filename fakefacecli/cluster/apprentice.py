"""What runs in each worker of a training: the training of one machine, as a member of a team."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fakefacecli import __version__
from fakefacecli.base.errors import FakeFaceError, Interrupted, UsageError
from fakefacecli.cluster.worker import Refusal, check_versions, enter
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.run import Watch, run_training
from fakefacecli.train.team import Team

_EVERY_S = 0.2  # a call of another process takes about a millisecond


@dataclass(frozen=True, slots=True)
class Orders:
    """What to train. `folder` is the current one, `probe` a folder that every worker must see."""

    options: TrainOptions
    folder: str
    probe: str
    versions: dict[str, str]


def versions_here() -> dict[str, str]:
    """The versions that weights depend on."""
    import torch

    # without "+cu128": a driver without a GPU may lead workers with one
    return {"fakeface": __version__, "torch": torch.__version__.partition("+")[0]}


def learn(config: dict[str, Any]) -> None:
    """Ray Train's loop for one worker; `config` holds `orders` and `desk`.

    The desk is told of a FakeFaceError, which then ends all workers.
    """
    from ray import train

    orders: Orders = config["orders"]
    context = train.get_context()
    team = Team(context.get_world_rank(), context.get_world_size())
    wire = Wire(config["desk"])
    try:
        progress = _train(orders, team, wire)
    except Interrupted as stopped:
        more = str(stopped).removeprefix(str(Interrupted(stopped.number)))
        wire.send("refused", Refusal(Interrupted.__name__, f"{stopped.number} {more}"))
        wire.flush()
        raise
    except FakeFaceError as error:
        wire.send("refused", Refusal(type(error).__name__, str(error)))
        wire.flush()
        raise
    if team.leads:
        wire.send("done", progress)
        wire.flush()


def _train(orders: Orders, team: Team, wire: "Wire") -> Any:
    import torch
    from ray.train.torch import get_device

    host = os.uname().nodename
    enter(orders.folder, host)
    if not os.path.isdir(orders.probe):
        raise UsageError(
            f"{host} does not see {os.path.dirname(orders.probe)}: --out needs a folder that every "
            "machine of the cluster shares"
        )
    check_versions(orders.versions, versions_here(), host, "weights")
    torch.set_flush_denormal(True)
    options = orders.options
    if options.device == "cuda":
        options = replace(options, device=str(get_device()))
    return run_training(options, wire.watch() if team.leads else Watch(), team=team)


class Wire:
    """Carries events to the desk, several at a time."""

    def __init__(self, desk: Any):
        self._desk = desk
        self._events: list[tuple[str, tuple[Any, ...]]] = [("begun", ())]
        self._last = 0.0

    def send(self, kind: str, *what: Any) -> None:
        """Keep an event for the next `flush`."""
        self._events.append((kind, what))

    def flush(self) -> int:
        """Hand in what there is; the number of a signal that the driver got, or 0."""
        import ray

        events, self._events = self._events, []
        self._last = time.monotonic()
        number: int = ray.get(self._desk.hand_in.remote(events))
        return number

    def watch(self) -> Watch:
        """The watch of a training that reports here; its `stop` raises Interrupted."""

        def sender(kind: str) -> Callable[..., None]:
            return lambda *what: self.send(kind, *what)

        return Watch(sender("say"), sender("images"), sender("step"), sender("epoch"), self._stop)

    def _stop(self) -> None:
        if time.monotonic() - self._last < _EVERY_S:
            return
        number = self.flush()
        if number:
            raise Interrupted(number)
