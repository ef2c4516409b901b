"""What lies below a root of a store, in a fixed order, a page or a folder of it at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fakefacecli.remote.failures import tried
from fakefacecli.remote.store import Store

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder: its `name` below the root, its path in the file system, what is said."""

    name: str
    path: str
    is_folder: bool
    size: int | None = None
    version: str = ""


def entry_of(name: str, said: dict[str, Any]) -> Entry:
    """The entry that fsspec's `info` or `ls` describes."""
    size = said.get("size")
    etag = str(said.get("ETag") or said.get("etag") or "").strip('"')
    time = said.get("LastModified") or said.get("updated") or said.get("last_modified") or ""
    return Entry(
        name,
        str(said["name"]),
        said.get("type") == "directory",
        size if isinstance(size, int) and size >= 0 else None,
        # a time alone is too coarse to tell that nothing was written since
        f"{etag} {time}" if etag else "",
    )


def look(store: Store, stop: Callable[[], None] = lambda: None) -> Entry:
    """What the root itself is; raises what the store does: FileNotFoundError for nothing."""
    return entry_of("", tried(lambda: store.system.info(store.root), stop))


def keys(store: Store, stop: Callable[[], None] = lambda: None) -> Iterator[Entry]:
    """Every file below the root of a flat store, in the order of the bytes of its key.

    Raises what the store does when a page stays out of reach; what came before is right.
    """
    bucket, _, key = store.root.partition("/")
    prefix = f"{key.rstrip('/')}/" if key else ""
    pages = _s3_pages if hasattr(store.system, "call_s3") else _gcs_pages
    for page in pages(store.system, bucket, prefix, stop):
        for said in page:
            path = f"{bucket}/{said['key']}"
            yield Entry(said["key"][len(prefix) :], path, False, said["size"], said["version"])


def children(
    store: Store, path: str, name: str, stop: Callable[[], None] = lambda: None
) -> list[Entry]:
    """What a folder of any store holds, sorted by the bytes of the names."""
    found = tried(lambda: store.system.ls(path, detail=True), stop)
    entries = []
    for said in found:
        last = str(said["name"]).rstrip("/").rpartition("/")[2]
        # some stores list the folder itself among what is in it
        if str(said["name"]).strip("/") != path.strip("/"):
            entries.append(entry_of(f"{name}/{last}" if name else last, said))
    return sorted(entries, key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))


Page = list[dict[str, Any]]


def _s3_pages(system: Any, bucket: str, prefix: str, stop: Callable[[], None]) -> Iterator[Page]:
    where: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE, **system.req_kw}
    while True:
        stop()
        page = tried(lambda: system.call_s3("list_objects_v2", **where), stop)
        yield [
            {
                "key": said["Key"],
                "size": said["Size"],
                "version": f"{said.get('ETag', '')} {said.get('LastModified', '')}".replace(
                    '"', ""
                ),
            }
            for said in page.get("Contents", ())
        ]
        if not page.get("IsTruncated"):
            return
        where["ContinuationToken"] = page["NextContinuationToken"]


def _gcs_pages(system: Any, bucket: str, prefix: str, stop: Callable[[], None]) -> Iterator[Page]:
    where: dict[str, Any] = {"prefix": prefix, "maxResults": _PAGE}
    while True:
        stop()
        page = tried(lambda: system.call("GET", "b/{}/o", bucket, json_out=True, **where), stop)
        yield [
            {
                "key": said["name"],
                "size": int(said["size"]),
                "version": f"{said.get('etag', '')} {said.get('updated', '')}",
            }
            for said in page.get("items", ())
        ]
        if not page.get("nextPageToken"):
            return
        where["pageToken"] = page["nextPageToken"]
