"""Reports that go to a store: made here, tried out before the scan, put there whole at its end."""

import contextlib
import hashlib
import os
import posixpath
import secrets
from typing import Any

from fakefacecli.base.addresses import is_chained, is_web, shown
from fakefacecli.base.errors import CannotWrite, UsageError
from fakefacecli.base.files import cannot_write
from fakefacecli.remote.failures import problem_of, tried
from fakefacecli.remote.store import Store, open_store

# these show an object when all of it is there; the others are given a name of their own until then
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})


def staged_path(url: str) -> str:
    """Where the report for `url` is made, with its journal and lock beside it.

    A folder of its own in the user's state directory (XDG_STATE_HOME), so that the same command
    finds the journal again. Nothing is made.
    """
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    digits = hashlib.sha256(shown(url).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    name = posixpath.basename(url.rstrip("/")) or "report"
    return os.path.join(home, "fakeface", "remote", digits, name)


def make_stage(path: str) -> None:
    """Make the folder of a `staged_path`, for this user alone; CannotWrite."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def require_writable(url: str) -> None:
    """Raise UsageError or CannotWrite, naming `url`, unless a file can be put there now.

    A large upload is begun and given up at S3, which leaves nothing; elsewhere a small file is
    written beside it and removed.
    """
    if is_web(url) or is_chained(url):
        raise UsageError(
            f"{shown(url)}: reports go to files and stores; an archive or a web server takes none"
        )
    try:
        store = open_store(url)
        if hasattr(store.system, "call_s3"):
            tried(lambda: _begin_and_give_up(store))
        else:
            beside = _beside(store)
            tried(lambda: store.system.pipe_file(beside, b"fakeface tries whether it can write"))
            tried(lambda: store.system.rm_file(beside))
    except UsageError:
        raise
    except Exception as error:
        raise _refused(url, error) from error


def put(local: str, url: str) -> None:
    """Put a local file at `url`, whole or not at all; CannotWrite leaves what was there."""
    try:
        store = open_store(url)
        if _WHOLE & set(_protocols(store.system)):
            tried(lambda: store.system.put_file(local, store.root))
            return
        beside = _beside(store)
        try:
            tried(lambda: store.system.put_file(local, beside))
            tried(lambda: store.system.mv(beside, store.root))
        except BaseException:
            with contextlib.suppress(Exception):
                store.system.rm_file(beside)
            raise
    except UsageError:
        raise
    except Exception as error:
        raise _refused(url, error) from error


def _begin_and_give_up(store: Store) -> None:
    bucket, _, key = store.root.partition("/")
    if not key:
        raise FileNotFoundError(store.root)
    begun = store.system.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    store.system.call_s3(
        "abort_multipart_upload", Bucket=bucket, Key=key, UploadId=begun["UploadId"]
    )


def _beside(store: Store) -> str:
    folder = posixpath.dirname(store.root)
    return posixpath.join(folder, f".fakeface-{secrets.token_hex(8)}.part")


def _protocols(system: Any) -> tuple[str, ...]:
    found = system.protocol
    return (found,) if isinstance(found, str) else tuple(found)


def _refused(url: str, error: Exception) -> CannotWrite:
    _, why = problem_of(error, "place for a report")
    return CannotWrite(f"cannot write {shown(url)}: {_of_writing(why)}; nothing was replaced")


def _of_writing(why: str) -> str:
    return why.replace("to read this", "to write to this").replace("to read", "to write")
