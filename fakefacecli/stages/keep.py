"""Copies of flagged images, for a second pair of eyes."""

import hashlib
import os

from fakefacecli.files import cannot_write, inside, whole
from fakefacecli.records import ImageReport


class FlaggedKeeper:
    """Copies, never moves, into `folder`, where the source tree is mirrored.

    A file that changed or vanished after it was judged is not copied; `missed` counts those.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.missed = 0

    def keep(self, report: ImageReport) -> None:
        """Copy the image of `report`, byte for byte what was judged; CannotWrite when refused."""
        data = _read(report.ref.path)
        if data is None or hashlib.sha256(data).hexdigest() != report.facts.sha256:
            self.missed += 1
            return
        target = os.path.join(self.folder, *report.ref.name.split("/"))
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        except OSError as error:
            raise cannot_write(target, error) from error
        inside(self.folder, target)
        with whole(target) as copy:
            copy.write(data)


def _read(path: str) -> bytes | None:
    try:
        # O_NONBLOCK: the file was regular when it was judged; by now it may be a FIFO
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
            return handle.read()
    except OSError:
        return None
