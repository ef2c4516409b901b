"""A place that fsspec reaches: its file system, and the root that a URL names there."""

import functools
import logging
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.addresses import is_chained, is_web, shown
from fakefacecli.base.errors import UsageError
from fakefacecli.base.extras import how_to_install

# of the seconds a web server may take to begin, and between two pieces; the libraries of other
# stores have such limits of their own
_CONNECT_S = 15.0
_READ_S = 30.0
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_FLAT = frozenset({"s3", "s3a", "gs", "gcs"})


@dataclass(frozen=True, slots=True)
class Store:
    """`system` is fsspec's, `root` the path in it, `head` and `tail` what stands around a name.

    `head` + name + `tail` is the URL of a file below `root`, as reports have it.
    """

    system: Any
    root: str
    head: str
    tail: str = ""
    # the members of an archive share one open file
    lock: AbstractContextManager[object] | None = None

    @property
    def is_flat(self) -> bool:
        """Whether it lists all keys below a root in the order of their bytes, page by page."""
        return not self.tail and bool(_FLAT & set(_protocols(self.system)))

    def url(self, name: str) -> str:
        """The URL of the file `name` below the root; of the root itself for ""."""
        if not name:
            return self.head.removesuffix("/") + self.tail
        return self.head + name + self.tail


def open_store(url: str) -> Store:
    """The store that `url` names; nothing is asked of it yet.

    Raises UsageError for a scheme that is not known, or whose library is not installed. Only an
    archive is opened at once: that may raise whatever its store does.
    """
    from fsspec.core import url_to_fs

    _silence()
    scheme = url.partition(":")[0].lower()
    options = _web_options() if is_web(url) else {}
    try:
        system, root = url_to_fs(url, **options)
    except ImportError as error:
        extra = next((e for s, e in _EXTRAS.items() if f"{s}://" in url.lower()), None)
        how = how_to_install(extra) if extra else f"install what fsspec needs for {scheme}://"
        raise UsageError(f"{shown(url)}: {scheme}:// needs a library; {how}") from error
    except ValueError as error:
        raise UsageError(
            f"{shown(url)}: {scheme}:// is no kind of place that is known; wanted a path, or a "
            "URL that fsspec knows, such as s3://bucket/folder"
        ) from error
    root = str(root)
    head, tail, lock = shown(url), "", None
    if is_chained(url):
        first, _, rest = head.partition("::")
        head, tail = first.partition("://")[0] + "://" + root.strip("/"), f"::{rest}"
        lock = threading.Lock()
    if not head.endswith("/"):
        head += "/"
    # of a web server the whole address, on which a slash at its end may depend
    root = root if is_web(url) else root.rstrip("/") or root
    return Store(system, root, head, tail, lock)


@functools.cache
def _silence() -> None:
    """Keep what these libraries log off stderr: it may hold signed addresses."""
    for name in ("fsspec", "s3fs", "gcsfs", "google", "botocore", "aiobotocore", "asyncio"):
        # without any handler Python prints warnings by itself
        logging.getLogger(name).addHandler(logging.NullHandler())


def _web_options() -> dict[str, Any]:
    from aiohttp import ClientTimeout

    # no limit over all: a large file may take long, and one that drips is cut off by its reader
    limits = ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
    return {"client_kwargs": {"timeout": limits}}


def _protocols(system: Any) -> tuple[str, ...]:
    found = system.protocol
    return (found,) if isinstance(found, str) else tuple(found)
