"""The folder an evaluation or a comparison is put into: which files are ours, and their order."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.files import atomic_write, cannot_write, make_folders

RESULT, PAGE, SCORES = "evaluation.json", "index.html", "scores.csv"
PLOTS, MISTAKES = "plots", "mistakes"
_FOLDERS = (PLOTS, MISTAKES)
_OURS = {
    "": re.compile(r"evaluation\.json|index\.html|scores\.csv"),
    PLOTS: re.compile(
        r"(roc|det|reliability|scores|confusion|robustness|real-faces|predictions)\.png"
    ),
    MISTAKES: re.compile(r"(false-alarm|missed-fake)-[0-9]+\.jpg"),
}


def check_place(out: str) -> None:
    """Raise CannotWrite when `out` cannot be made or written, or holds other files.

    A folder of an earlier evaluation is accepted, complete or not. Nothing is touched.
    """
    # what is not there yet is made inside the nearest folder that is
    there = os.path.abspath(out)
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    try:
        if not stat.S_ISDIR(os.stat(there).st_mode):
            raise CannotWrite(f"cannot write {out}: {there} is no folder")
        inside = set(os.listdir(out)) if os.path.isdir(out) else set()
    except OSError as error:
        raise cannot_write(out, error) from error
    # a mistyped --out must not fill somebody's folder with our files
    if not inside <= {RESULT, PAGE, SCORES, *_FOLDERS}:
        raise CannotWrite(
            f"cannot write {out}: it holds something else than an evaluation; name "
            "a new or empty folder"
        )
    folders = [os.path.join(out, name) for name in _FOLDERS if name in inside]
    for folder in folders:
        # lstat: a link would make us write, and delete, somewhere else
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise CannotWrite(f"cannot write {folder}: no folder; remove it")
    for folder in (there, *folders):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CannotWrite(f"cannot write {folder}: no permission")


class Place:
    """`out` while it is filled; `put` writes a file of ours whole, by its name below `out`."""

    def __init__(self, out: str):
        self.out = out
        self._written: set[str] = set()

    def put(self, name: str, data: bytes) -> None:
        with atomic_write(os.path.join(self.out, name)) as handle:
            handle.write(data)
        self._written.add(name)

    def sweep(self) -> None:
        """Remove what an earlier evaluation wrote and this one did not; nothing of others'."""
        for folder, ours in _OURS.items():
            for found in os.listdir(os.path.join(self.out, folder)):
                name = os.path.join(folder, found)
                if ours.fullmatch(found) and name not in self._written:
                    _unlink(os.path.join(self.out, name))


@contextlib.contextmanager
def filled(out: str, result: bytes) -> Iterator[Place]:
    """Fill `out` inside the block: an earlier `result` goes first, the new one comes last.

    So a folder with a result is whole, and all in it is of one evaluation. Raises CannotWrite.
    """
    place = Place(out)
    try:
        for folder in _FOLDERS:
            make_folders(out, [folder])
        # from here on, whatever stops us, the folder has no result and is seen to be incomplete
        _unlink(os.path.join(out, RESULT))
        yield place
        # an earlier evaluation may have shown more mistakes: theirs would look like ours
        place.sweep()
    except OSError as error:
        raise cannot_write(out, error) from error
    place.put(RESULT, result)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
