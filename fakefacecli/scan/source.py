"""Finding the inputs: files and folders, in a fixed order, without opening anything special."""

import errno
import itertools
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator

from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.decode import formats
from fakefacecli.scan.file_names import OWN_PARTS, has_image_suffix, left_behind, matches

Problem = tuple[ErrorCode, str]
Found = tuple[str, Problem | None]


class PathSource:
    """Walks the arguments and the listed files; `skipped` counts what was passed over, by kind.

    With a shard only its files are there, and only what it passed over is counted. `on_skip` is
    called with each path that was passed over, and why. Iterating raises NothingToDo, before the
    first item, when an argument does not exist.
    """

    def __init__(
        self,
        options: SourceOptions,
        on_skip: Callable[[str, str], None] = lambda path, reason: None,
    ):
        self.options = options
        self.on_skip = on_skip
        self.skipped: Counter[str] = Counter()
        self._never = {os.path.realpath(folder) for folder in options.never}
        self._base = os.curdir

    def __iter__(self) -> Iterator[ImageRef | Unreadable]:
        self.skipped.clear()
        check_exist(self.options.paths)
        inputs = [*self.options.paths, *self.options.listed]
        self._base = common_folder(inputs, self._is_walked)
        seen: set[str] = set()
        count = itertools.count()
        for path, problem in itertools.chain.from_iterable(map(self._input, inputs)):
            name = self._name(path)
            if not self._holds(name):
                continue
            if len(inputs) > 1:  # the names of one tree differ, so none need be remembered
                if name in seen:
                    self.skip(path, "named twice")
                    continue
                seen.add(name)
            ref = ImageRef(next(count), path, name)
            yield ref if problem is None else Unreadable(ref, *problem)

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self._base).replace(os.sep, "/")

    def _holds(self, name: str) -> bool:
        """Whether an input or a path that is passed over belongs to this run's shard."""
        return self.options.shard is None or self.options.shard.holds(name)

    def _input(self, path: str) -> Iterator[Found]:
        """The files of an argument or a listed path; a file is taken whatever its suffix."""
        try:
            kind = os.lstat(path).st_mode
            if stat.S_ISLNK(kind) and self.options.follow_symlinks:
                kind = os.stat(path).st_mode
        except OSError as error:
            yield path, problem_of(error)
            return
        if self._is_walked(path):
            yield from self._walk(path)
        else:
            yield path, special(kind)

    def _is_walked(self, path: str) -> bool:
        """Whether an input is a folder whose files are taken, not a file or a link to leave alone.

        An argument that is a link to a folder is that folder. A listing may come from `find`,
        which also lists the links inside a folder: those are left alone, as in a walk.
        """
        if not os.path.isdir(path):
            return False
        follow = self.options.follow_symlinks or path.endswith("/")
        return follow or not os.path.islink(path) or path in self.options.paths

    def _walk(self, root: str) -> Iterator[Found]:
        """Everything below `root`, sorted by name, depth first."""
        # a stack, because Python's recursion would end at about 1000 folders; reversed, because the
        # last of a stack is taken first
        stack: list[str | os.DirEntry[str]] = [root]
        while stack:
            top = stack.pop()
            path = top if isinstance(top, str) else top.path
            try:
                if not isinstance(top, str) and not self._is_folder(top):
                    yield from self._file(top, os.path.relpath(path, root))
                elif isinstance(top, str) or self._enter(top, os.path.relpath(path, root)):
                    with os.scandir(path) as entries:
                        listing = sorted(entries, key=_name_bytes, reverse=True)
                    stack.extend(listing)
            except OSError as error:
                yield path, problem_of(error, "folder" if os.path.isdir(path) else "file")

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        return entry.is_dir(follow_symlinks=self.options.follow_symlinks)

    def _enter(self, entry: os.DirEntry[str], name: str) -> bool:
        if not self.options.recursive:
            self.skip(entry.path, "folder (--no-recursive)")
        elif matches(name, self.options.exclude):
            self.skip(entry.path, "excluded")
        elif self._never and os.path.realpath(entry.path) in self._never:
            self.skip(entry.path, "folder of this run's own output")
        elif entry.is_symlink() and _leads_back(entry.path):
            self.skip(entry.path, "link back to a folder above")
        else:
            return True
        return False

    def _file(self, entry: os.DirEntry[str], name: str) -> Iterator[Found]:
        if entry.name.startswith(OWN_PARTS):
            self.skip(entry.path, "unfinished file of fakeface")
        elif matches(name, self.options.exclude):
            self.skip(entry.path, "excluded")
        elif self.options.include and not matches(name, self.options.include):
            self.skip(entry.path, "not included")
        elif entry.is_symlink() and not self.options.follow_symlinks:
            self.skip(entry.path, "symbolic link")
        else:
            # before the file is looked at: each is opened by the run of its own shard alone
            if self.options.shard and not self._holds(self._name(entry.path)):
                return
            kind = entry.stat(follow_symlinks=self.options.follow_symlinks).st_mode
            reason = self._passed_over(entry, stat.S_ISREG(kind))
            if reason:
                self.skip(entry.path, reason)
            else:
                yield entry.path, special(kind)

    def _passed_over(self, entry: os.DirEntry[str], regular: bool) -> str:
        """Why a file in a folder is no input; "" for one that is."""
        left = left_behind(entry.name)
        wanted = bool(self.options.include) or has_image_suffix(entry.name)
        if not regular:
            return "" if wanted else "not an image"
        if wanted and not left:
            return ""
        start = first_bytes(entry.path)
        # a picture is judged whatever it is called: a name must not hide one
        if formats.is_image(start):
            return ""
        if left:
            return left
        return "video" if formats.is_video(start) else "not an image"

    def skip(self, path: str, reason: str) -> None:
        """Count and tell a path that is passed over; another shard's is nothing here."""
        if self.options.shard and not self._holds(self._name(path)):
            return
        self.skipped[reason] += 1
        self.on_skip(path, reason)


def check_exist(paths: tuple[str, ...]) -> None:
    """Raise NothingToDo, naming it, for the first argument that is not there."""
    for path in paths:
        if not os.path.lexists(path):
            raise NothingToDo(f"no such file or folder: {path}; nothing was scanned")


def common_folder(inputs: list[str], is_walked: Callable[[str], bool] = os.path.isdir) -> str:
    """The folder that names are relative to: the innermost that holds every input."""
    if not inputs:
        return os.curdir
    folders = [
        path if is_walked(path) else os.path.dirname(os.path.abspath(path)) for path in inputs
    ]
    return os.path.commonpath([os.path.abspath(folder) for folder in folders])


def problem_of(error: OSError, what: str = "file") -> Problem:
    """The row that an OSError on a path becomes."""
    if isinstance(error, FileNotFoundError):
        return ErrorCode.VANISHED, f"no such {what}; it was listed, but is not there"
    if isinstance(error, PermissionError):
        return ErrorCode.FORBIDDEN, f"no permission to read this {what}"
    if error.errno == errno.ELOOP:
        return ErrorCode.NOT_A_FILE, "symbolic links that lead in a circle"
    return ErrorCode.IO_ERROR, f"{what}: {(error.strerror or 'input/output error').lower()}"


def special(mode: int) -> Problem | None:
    """The row of a file that is never opened; None for a regular file."""
    kinds = {
        stat.S_ISLNK: "a symbolic link; --follow-symlinks reads what it points to",
        stat.S_ISFIFO: "a named pipe (FIFO), which is never opened",
        stat.S_ISSOCK: "a socket, which is never opened",
        stat.S_ISCHR: "a character device, which is never opened",
        stat.S_ISBLK: "a block device, which is never opened",
    }
    words = next((words for test, words in kinds.items() if test(mode)), "not a regular file")
    return None if stat.S_ISREG(mode) else (ErrorCode.NOT_A_FILE, words)


def _name_bytes(entry: os.DirEntry[str]) -> bytes:
    return os.fsencode(entry.name)


def _leads_back(link: str) -> bool:
    above = os.path.realpath(os.path.dirname(link))
    return os.path.join(above, "").startswith(os.path.join(os.path.realpath(link), ""))


def looks_like_image(path: str) -> bool:
    """Whether the first bytes are an image's; OSError when the file cannot be opened.

    This finds images without a suffix, as uploads often are.
    """
    return formats.is_image(first_bytes(path))


def first_bytes(path: str) -> bytes:
    """The first bytes of a file, as many as tell what it is; OSError when it cannot be opened."""
    # O_NONBLOCK: somebody may have put a named pipe in the place of the file since it was listed
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(handle, formats.SNIFFED_BYTES)
    finally:
        os.close(handle)
