"""What is known of a cluster's workers, and of the images that they have."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.cluster.worker import Ready
from fakefacecli.scan.pipeline import Item, unreadable_report


@dataclass(eq=False)
class Actor:
    """A worker, and what is known of it. `ready` is None before it has loaded its model.

    `where` is what it last said when it had.
    """

    handle: Any
    ready: Ready | None = None
    where: Ready | None = None
    asked: Any = None  # the future of `begin`
    ask_at: float = 0.0
    busy: int = 0
    alone: bool = False  # it has a suspect, and gets nothing else meanwhile


@dataclass(eq=False)
class Chunk:
    """Items in a row: those that are refs are judged, together.

    It is a `suspect` once a worker has died that had it, perhaps for another chunk's sake: from
    then on it is tried alone, and `deaths` counts those that it alone can be blamed for.
    """

    items: list[Item]
    reports: list[ImageReport] | None = None
    future: Any = None
    actor: Actor | None = None
    suspect: bool = False
    deaths: int = 0
    refs: list[ImageRef] = field(init=False)

    def __post_init__(self) -> None:
        self.refs = [item for item in self.items if isinstance(item, ImageRef)]
        if not self.refs:
            self.reports = []

    def all_reports(self) -> Iterator[ImageReport]:
        """One report per item, in order, once the refs are judged."""
        judged = iter(self.reports or ())
        for item in self.items:
            if isinstance(item, ImageRef):
                yield next(judged)
            else:
                yield unreadable_report(item) if isinstance(item, Unreadable) else item
