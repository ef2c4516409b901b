"""Reports that lie in a store, read as files here."""

import contextlib
import os
import tempfile
from collections.abc import Iterator

from fakefacecli.base.addresses import shown
from fakefacecli.base.errors import FakeFaceError, NothingToDo, UsageError
from fakefacecli.base.files import local_faults
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.remote.content import RemoteContent
from fakefacecli.remote.failures import problem_of, tried
from fakefacecli.remote.store import open_store

_MOST_BYTES = 1 << 40  # a report is the user's own: this only ends a stream without an end


@contextlib.contextmanager
def downloaded(url: str) -> Iterator[str]:
    """A temporary file with the bytes of `url`, of the same suffix.

    Raises NothingToDo where there is nothing, UsageError, which names it, for what cannot be read.
    """
    ending = os.path.splitext(url.partition("?")[0])[1]
    with tempfile.TemporaryDirectory(prefix="fakeface-report-") as folder:
        path = os.path.join(folder, f"report{ending}")
        try:
            tried(lambda: _write(url, path))
        except FakeFaceError:
            raise
        except Exception as error:
            code, why = problem_of(error, "report")
            kind = NothingToDo if code is ErrorCode.VANISHED else UsageError
            raise kind(f"{shown(url)}: {why}") from error
        yield path


def _write(url: str, path: str) -> None:
    store = open_store(url)
    content = RemoteContent(store.system, store.root, lock=store.lock)
    with local_faults(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        for piece in content.pieces(_MOST_BYTES):
            with local_faults(path):
                file.write(piece)
                file.flush()
