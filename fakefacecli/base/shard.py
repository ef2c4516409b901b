"""One part of several that share a scan's inputs among them, the same on every machine."""

import hashlib
import re
from dataclasses import dataclass

from fakefacecli.base.errors import UsageError

MOST_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`; `number` counts from 1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST_SHARDS:
            raise ValueError(f"{self} found, wanted 1 <= number <= count <= {MOST_SHARDS}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, name: str) -> bool:
        """Whether the input of this name, relative to the scan's root, belongs to this part.

        The sha256 of the name's bytes, read as a number (big end first), modulo `count` is
        `number` - 1 for exactly one part.
        """
        # no file system's encoding: the same name must be in the same part on every machine
        data = name.encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(data).digest(), "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """The shard that I/N names; UsageError for anything else."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    try:
        if not found:
            raise ValueError
        return Shard(*map(int, found.groups()))
    except ValueError:
        raise UsageError(
            f"--shard {text}: wanted I/N with 1 <= I <= N <= {MOST_SHARDS}, such as 3/8; arrays "
            "that count from 0 need I+1"
        ) from None
