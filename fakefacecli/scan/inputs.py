"""The source of a scan's inputs: files here, or objects in stores."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from fakefacecli.base.addresses import is_url
from fakefacecli.base.errors import UsageError
from fakefacecli.base.options import ScanOptions, SourceOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.scan.remote_source import RemoteSource
from fakefacecli.scan.source import PathSource


class CountingSource(Protocol):
    """A `protocols.ImageSource` that counts what it passed over, by kind."""

    skipped: Counter[str]

    def __iter__(self) -> Iterator[ImageRef | Unreadable]: ...


def input_source(
    options: SourceOptions,
    on_skip: Callable[[str, str], None] = lambda path, reason: None,
    stop: Callable[[], None] = lambda: None,
) -> CountingSource:
    """The source that reads the inputs of `options`; UsageError for paths and URLs together."""
    if not are_remote(options):
        return PathSource(options, on_skip)
    local = next((path for path in (*options.paths, *options.listed) if not is_url(path)), None)
    if local is not None:
        raise UsageError(
            f"{local}: a path among URLs; scan the two apart, and join them with fakeface report"
        )
    return RemoteSource(options, on_skip, stop)


def refuse_for_urls(options: ScanOptions) -> None:
    """Raise UsageError for an output that reads its inputs again, where they are URLs."""
    if not are_remote(options.source):
        return
    for flag, given in (
        ("--copy-flagged", options.copy_flagged),
        ("--contact-sheet", options.contact_sheet),
    ):
        if given:
            raise UsageError(
                f"{flag} needs inputs that are files here; leave it out, or download the images"
            )
    if options.source.follow_symlinks:
        raise UsageError("--follow-symlinks: URLs have no symbolic links; leave it out")


def are_remote(options: SourceOptions) -> bool:
    """Whether any input is a URL."""
    return any(map(is_url, (*options.paths, *options.listed)))
