"""What lies below one URL, and the rules by which a file there is an input or is passed over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.errors import FakeFaceError
from fakefacecli.base.options import SourceOptions
from fakefacecli.decode import formats
from fakefacecli.remote.content import RemoteContent
from fakefacecli.remote.failures import problem_of, tried
from fakefacecli.remote.listing import Entry, children, keys
from fakefacecli.remote.store import Store
from fakefacecli.scan.file_names import OWN_PARTS, has_image_suffix, left_behind, matches
from fakefacecli.scan.source import Problem

# decided by its first bytes, which have to be asked for
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, or a folder, and what becomes of it: passed over for a `reason`, or a `problem`.

    A file with neither is an input; one whose reason is UNSURE has to be looked at.
    """

    store: Store
    entry: Entry
    reason: str = ""
    problem: Problem | None = None

    @property
    def url(self) -> str:
        """Its URL, as reports have it."""
        return self.store.url(self.entry.name)

    @property
    def content(self) -> RemoteContent:
        """Its bytes."""
        entry, store = self.entry, self.store
        return RemoteContent(store.system, entry.path, entry.size, entry.version, store.lock)


class Walk:
    """Goes through stores by the rules of `options`; `stop` is called between requests."""

    def __init__(self, options: SourceOptions, stop: Callable[[], None]):
        self.options = options
        self.stop = stop

    def below(self, store: Store) -> Iterator[Seen]:
        """All below the root of a store in a fixed order; a listing that breaks off is the last."""
        return self._keys(store) if store.is_flat else self._folders(store)

    def _keys(self, store: Store) -> Iterator[Seen]:
        """The objects of a flat store; its folders are but parts of their names."""
        passed = ""
        try:
            for entry in keys(store, self.stop):
                if not entry.name or entry.name.endswith("/"):
                    continue  # what consoles make so that an empty folder is seen
                above = self._passed_above(entry.name)
                if above is None:
                    yield Seen(store, entry, self._reason(entry.name))
                elif above[0] != passed:  # the keys of a folder come one after another
                    passed, reason = above
                    yield Seen(store, Entry(passed, "", True), reason)
        except Exception as error:  # noqa: BLE001 - what libraries of stores raise is without end
            yield Seen(store, Entry("", "", True), problem=row_of(error, "folder"))

    def _passed_above(self, name: str) -> tuple[str, str] | None:
        """The first folder in a key that is passed over, and why."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if reason := self._folder_reason(folder):
                return folder, reason
        return None

    def _folders(self, store: Store) -> Iterator[Seen]:
        stack = [Entry("", store.root, True)]
        while stack:
            top = stack.pop()
            reason = self._folder_reason(top.name) if top.is_folder else self._reason(top.name)
            if reason or not top.is_folder:
                yield Seen(store, top, reason)
                continue
            try:
                stack += reversed(children(store, top.path, top.name, self.stop))
            except Exception as error:  # noqa: BLE001 - as above
                yield Seen(store, top, problem=row_of(error, "folder"))

    def _folder_reason(self, name: str) -> str:
        if not name:
            return ""
        if not self.options.recursive:
            return "folder (--no-recursive)"
        return "excluded" if matches(name, self.options.exclude) else ""

    def _reason(self, name: str) -> str:
        """Why the file of this name is passed over; "" for an input."""
        last = name.rpartition("/")[2]
        if last.startswith(OWN_PARTS):
            return "unfinished file of fakeface"
        if matches(name, self.options.exclude):
            return "excluded"
        if self.options.include and not matches(name, self.options.include):
            return "not included"
        wanted = bool(self.options.include) or has_image_suffix(last)
        return "" if wanted and not left_behind(last) else UNSURE

    def looked_at(self, seen: Seen) -> Seen:
        """What its first bytes say of an unsure file: a name must not hide a picture."""
        try:
            start = tried(lambda: seen.content.start(formats.SNIFFED_BYTES), self.stop)
        except Exception as error:  # noqa: BLE001 - as above
            return Seen(seen.store, seen.entry, problem=row_of(error, "object"))
        reason = ""
        if not formats.is_image(start):
            left = left_behind(seen.entry.name.rpartition("/")[2])
            reason = left or ("video" if formats.is_video(start) else "not an image")
        return Seen(seen.store, seen.entry, reason)

    def matching(self, store: Store) -> Iterator[Seen]:
        """The members of an archive that fit the pattern at the end of its URL."""
        head = store.head.partition("://")[0] + "://"
        inside = Store(store.system, "", head, store.tail, store.lock)
        found: dict[str, dict[str, Any]] = store.system.glob(store.root, detail=True)
        for path in sorted(found, key=str.encode):
            if found[path].get("type") != "directory":
                size = found[path].get("size")
                yield Seen(inside, Entry(path.strip("/"), path, False, size))


def row_of(error: Exception, what: str) -> Problem:
    """The row that an error at a store becomes; an error of ours, such as Ctrl-C, is raised."""
    if isinstance(error, FakeFaceError):
        raise error
    return problem_of(error, what)
