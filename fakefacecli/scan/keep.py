"""Copies of flagged images, for people to look at."""

import contextlib
import hashlib
import os
import re
import stat

from fakefacecli.base.errors import CannotWrite
from fakefacecli.base.files import atomic_write, cannot_write, make_folders
from fakefacecli.base.findings import ImageReport
from fakefacecli.decode.file import Refused, read_file
from fakefacecli.overlay.names import MARK_CHARS, fitted, flat, marked, parts_of, too_long

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}\Z", re.IGNORECASE | re.ASCII)


class FlaggedKeeper:
    """Copies flagged images into `folder`, in folders like those of the source.

    A file that changed or vanished after it was judged is not copied; `missed` counts those. A
    path that is too long, or where an earlier scan's copy is in the way (a file where a folder
    must be, or a folder where the file must be), becomes one name with a hash of the path. No
    file is replaced: where one with other bytes has the copy's name, such as an earlier scan's
    copy of another image, the name gets the first digits of the image's sha256.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.missed = 0

    def keep(self, report: ImageReport) -> None:
        """Copy the image of `report`, byte for byte what was judged; CannotWrite when refused."""
        path, facts = report.ref.path, report.facts
        try:
            data, _ = read_file(path, facts.size or 0)
            # a copy must not be open to more people than the picture is
            permissions = stat.S_IMODE(os.stat(path).st_mode) & 0o666
        except (Refused, OSError):
            data = b""
        if hashlib.sha256(data).hexdigest() != facts.sha256:
            self.missed += 1
            return
        target = self._free_target(report.ref.name, facts.sha256, data)
        if target is not None:
            with atomic_write(target, most=permissions | stat.S_IRUSR) as copy:
                copy.write(data)

    def _free_target(self, name: str, sha256: str, data: bytes) -> str | None:
        """Where the copy goes without replacing a file; None when it lies there already."""
        # somebody can make two images whose first digits agree. That must neither replace a file
        # nor end a run, so all digits are tried as well
        for chars in (0, MARK_CHARS, len(sha256)):
            target = self._target(name, sha256, chars)
            same = _holds(target, data)
            if same is None:
                return target
            if same:
                return None
        raise CannotWrite(
            f"cannot write {target}: another file has this name; "
            "move it or choose another folder for the copies"
        )

    def _target(self, name: str, sha256: str, chars: int) -> str:
        *folders, last = parts = parts_of(name)
        found = _SUFFIX.search(last)
        suffix = found.group() if found else ""
        stem, ending = last.removesuffix(suffix), marked(suffix, sha256, chars)
        flat_target = os.path.join(self.folder, flat([*folders, stem], ending))
        mirrored = [fitted(folder, "") for folder in folders]
        target = os.path.join(self.folder, *mirrored, fitted(stem, ending))
        try:
            if too_long(parts):
                mirrored, target = [], flat_target
            with contextlib.suppress(NotADirectoryError):
                make_folders(self.folder, mirrored)
                return flat_target if _is_folder(target) else target
            self._refuse_links(mirrored)
        except OSError as error:
            raise cannot_write(target, error) from error
        return flat_target

    def _refuse_links(self, folders: list[str]) -> None:
        here = self.folder
        # a file in the place of a folder is ours, an earlier copy; a link is not
        for folder in folders:
            here = os.path.join(here, folder)
            if os.path.islink(here):
                raise CannotWrite(
                    f"cannot write below {here}: a link, which could lead anywhere; "
                    "remove it or choose another folder for the copies"
                )


def _holds(path: str, data: bytes) -> bool | None:
    """Whether the file at `path` is `data`; None where there is none (a link is replaced)."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        return read_file(path, len(data), follow=False)[0] == data
    except FileNotFoundError:
        return None
    except Refused:  # of another size, or we may not read it: it is not replaced
        return False
    except OSError as error:
        raise cannot_write(path, error) from error


def _is_folder(path: str) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISDIR(os.lstat(path).st_mode)
    return False
