"""Stand-ins for the names of inputs, for reports that go to other people."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace

from fakefacecli.base.protocols import ImageSource
from fakefacecli.base.records import ImageRef, Unreadable

_DIGITS = 16


def new_secret() -> str:
    """What a run's stand-ins are made with; it stands in the run's journal and nowhere else."""
    return secrets.token_hex(16)


class RedactedSource:
    """An `ImageSource` whose refs keep their paths and are called by stand-ins.

    A name is `image-` and digits. The same path gets the same digits within a run, and nobody
    without the run's `secret` can try out which path it was. The sha256 in the rows leads back to
    a file for who has the files. Messages are left out, as they may hold names.
    """

    def __init__(self, source: ImageSource, secret: str):
        self.source = source
        self._secret = bytes.fromhex(secret)

    def __iter__(self) -> Iterator[ImageRef | Unreadable]:
        for item in self.source:
            if isinstance(item, Unreadable):
                yield replace(item, ref=self._named(item.ref))
            else:
                yield self._named(item)

    def _named(self, ref: ImageRef) -> ImageRef:
        digits = hmac.new(self._secret, os.fsencode(ref.path), hashlib.sha256).hexdigest()
        return replace(ref, name=f"image-{digits[:_DIGITS]}")
