"""Where the images of a run are judged: on this machine, or on others."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import ScanOptions
from fakefacecli.models.judge import AnyCheckpoint
from fakefacecli.scan.build import build
from fakefacecli.scan.pipeline import Item, scan


@dataclass(frozen=True, slots=True)
class Work:
    """A model that is loaded, somewhere, and judges.

    `reports` keeps the contract of `pipeline.scan`: one report per item, in order; a report among
    the items comes out as the same object. `device` and `precision` are as in a report's header.
    `nodes` says which machines judged how many images, where that is not this one alone.
    """

    device: str
    precision: str
    reports: Callable[[Iterable[Item]], Iterator[ImageReport]]
    nodes: Callable[[], dict[str, int]] = dict


# what is called when the first image needs judging: the run's options, its model, and `stop`
Engine = Callable[[ScanOptions, AnyCheckpoint, Callable[[], None]], AbstractContextManager[Work]]


@contextlib.contextmanager
def on_this_machine(
    options: ScanOptions, checkpoint: AnyCheckpoint, stop: Callable[[], None]
) -> Iterator[Work]:
    """The engine that judges in this process. Raises what `build` raises."""
    stages = build(options, checkpoint, stop)
    with contextlib.closing(stages.decoder):
        yield Work(
            stages.judge.device,
            stages.judge.precision,
            lambda items: scan(items, stages, stages.judge.batch_size, stop),
        )
