"""The pictures that an HTML report will hold, kept beside it while a scan runs."""

import contextlib
import os
import stat

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.files import cannot_write
from fakefacecli.overlay.mark import is_marked


def open_page_folder(path: str, *, resumes: bool) -> None:
    """Make the folder, or empty it of what an interrupted run left; CannotWrite.

    A run that `resumes` finds its pictures there. What is no overlay of fakeface is never removed.
    """
    try:
        if os.path.lexists(path):
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise _foreign(path)
            if not resumes:
                remove_page_folder(path)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)  # pictures of faces, which the report itself may not show to all
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_page_folder(path: str) -> None:
    """Remove the folder with its overlays; CannotWrite where something else lies in it."""
    for place, folders, names in os.walk(path, topdown=False):
        for name in names:
            file = os.path.join(place, name)
            if os.path.islink(file) or not is_marked(file):
                raise _foreign(file)
            os.unlink(file)
        for name in folders:
            folder = os.path.join(place, name)
            if os.path.islink(folder):
                raise _foreign(folder)
            os.rmdir(folder)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(path)


def _foreign(path: str) -> CannotWrite:
    return CannotWrite(
        f"cannot write {path}: something that is not fakeface's has this name; remove it, or name "
        "another report"
    )
