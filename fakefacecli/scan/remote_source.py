"""Finding the inputs in stores: what lies below URLs, as a stream in a fixed order."""

import itertools
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from fakefacecli.base.addresses import is_chained, is_web, shown
from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.remote.failures import tried
from fakefacecli.remote.listing import Entry, look
from fakefacecli.remote.readers import Readers, awaited
from fakefacecli.remote.store import Store, open_store
from fakefacecli.scan.file_names import has_image_suffix
from fakefacecli.scan.remote_walk import UNSURE, Seen, Walk, row_of

_LOOKING_AHEAD = 64  # files whose first bytes may be asked for before it is their turn
_LOOKERS = 16
_PATTERN = re.compile(r"[*?\[]")
_LEADS_ELSEWHERE = frozenset({"", ".", ".."})

Parts = tuple[str, ...]


class RemoteSource:
    """Lists the URLs of `options`; `skipped` counts what was passed over, by kind.

    It keeps the rules of `source.PathSource`. A page or a folder of a listing is in memory, never
    all of it. A listing that breaks off is an `Unreadable` in its place. Iterating raises
    NothingToDo, before the first item, when an argument does not exist, and UsageError where no
    library reads its scheme. `stop` is called between requests and may raise.
    """

    def __init__(
        self,
        options: SourceOptions,
        on_skip: Callable[[str, str], None] = lambda path, reason: None,
        stop: Callable[[], None] = lambda: None,
    ):
        self.options = options
        self.on_skip = on_skip
        self.stop = stop
        self.skipped: Counter[str] = Counter()
        self._base: Parts = ()
        self._walk = Walk(options, stop)

    def __iter__(self) -> Iterator[ImageRef | Unreadable]:
        self.skipped.clear()
        arguments = [(url, self._argument(url)) for url in self.options.paths]
        self._base = self._common(arguments)
        listed = ((url, None) for url in self.options.listed)
        inputs = itertools.chain.from_iterable(
            itertools.starmap(self._input, itertools.chain(arguments, listed))
        )
        several = len(arguments) + len(self.options.listed) > 1
        taken: set[str] = set()
        count = itertools.count()
        for seen in self._looked_at(self._own(inputs)):
            path = seen.url
            name = self._name(path)
            if seen.reason or name in taken:
                self._skip(path, seen.reason or "named twice")
                continue
            if several:  # the names of one tree differ, so none need be remembered
                taken.add(name)
            content = None if seen.problem else seen.content
            ref = ImageRef(next(count), path, name, content)
            yield Unreadable(ref, *seen.problem) if seen.problem else ref

    def _argument(self, url: str) -> bool:
        """Whether an argument is a folder; NothingToDo where there is nothing."""
        if is_web(url) or _has_pattern(url):
            return not is_web(url)
        try:
            return look(tried(lambda: open_store(url), self.stop), self.stop).is_folder
        except FileNotFoundError:
            raise NothingToDo(
                f"no such file or folder: {shown(url)}; nothing was scanned"
            ) from None
        except Exception as error:  # noqa: BLE001 - what libraries of stores raise is without end
            row_of(error, "folder")
            # out of reach or forbidden: its row will say so, as that of a closed folder here does
            return not has_image_suffix(url)

    def _common(self, arguments: list[tuple[str, bool]]) -> Parts:
        """The parts of the innermost folder that holds every input."""
        folders = itertools.chain(
            (_parts(url) if is_folder else _parts(url)[:-1] for url, is_folder in arguments),
            (_parts(url)[:-1] for url in self.options.listed),
        )
        common = next(folders, ())
        for folder in folders:
            same = (one == other for one, other in zip(common, folder, strict=False))
            common = common[: sum(1 for _ in itertools.takewhile(bool, same))]
        return common

    def _name(self, path: str) -> str:
        """The name relative to the folder of all inputs; no part of it leads elsewhere."""
        rest = _parts(path)[len(self._base) :]
        # a key may hold what no path here does, and pictures are saved under names
        safe = (p.replace(".", "%2E") or "%" if p in _LEADS_ELSEWHERE else p for p in rest)
        return "/".join(safe).replace("\0", "%00")

    def _own(self, inputs: Iterator[Seen]) -> Iterator[Seen]:
        """Those of this run's shard."""
        shard = self.options.shard
        return (seen for seen in inputs if shard is None or shard.holds(self._name(seen.url)))

    def _input(self, url: str, is_folder: bool | None) -> Iterator[Seen]:
        """The files of an argument or a listed URL; None: a listed one, which may be a folder."""
        try:
            store = tried(lambda: open_store(url), self.stop)
            if _has_pattern(url):
                yield from self._walk.matching(store)
            elif is_folder or (is_folder is None and url.endswith("/") and not is_web(url)):
                yield from self._walk.below(store)
            # a listed name with an image's suffix is one: a million need no million questions
            elif is_web(url) or (is_folder is None and has_image_suffix(url)):
                yield Seen(store, Entry("", store.root, False))
            else:
                root = look(store, self.stop)
                yield from self._walk.below(store) if root.is_folder else [Seen(store, root)]
        except Exception as error:  # noqa: BLE001 - as above
            nowhere = Store(None, "", shown(url))
            yield Seen(nowhere, Entry("", "", False), problem=row_of(error, "file or folder"))

    def _looked_at(self, inputs: Iterator[Seen]) -> Iterator[Seen]:
        """All in their order; the first bytes of unsure ones are asked for ahead."""
        waiting: deque[Seen | Future[Seen]] = deque()
        readers = Readers(self._walk.looked_at, _LOOKERS)
        try:
            for seen in inputs:
                unsure = seen.reason == UNSURE
                waiting.append(readers.begin(seen) if unsure else seen)
                while waiting and (_is_ready(waiting[0]) or len(waiting) > _LOOKING_AHEAD):
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            readers.close()

    def _result(self, waiting: Seen | Future[Seen]) -> Seen:
        return waiting if isinstance(waiting, Seen) else awaited(waiting, self.stop)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped[reason] += 1
        self.on_skip(path, reason)


def _parts(url: str) -> Parts:
    """The place that a URL leads to (its scheme, or a whole archive), and the parts of its path."""
    first, chained, rest = shown(url).partition("::")
    scheme, _, path = first.partition("://")
    place = re.sub(r"[^A-Za-z0-9.+-]+", "_", f"{scheme}{chained}{rest}")
    return place, *path.strip("/").split("/")


def _has_pattern(url: str) -> bool:
    return is_chained(url) and _PATTERN.search(url.partition("::")[0]) is not None


def _is_ready(waiting: Seen | Future[Seen]) -> bool:
    return isinstance(waiting, Seen) or waiting.done()
