"""A file's C2PA manifests as a tree, bounded in depth and size. Source: C2PA 2.x; c2pa-python.

What the library reads is untrusted text: the caller runs this in a process of its own.
"""

from collections.abc import Sized

from fakefacecli.base.text import shortened
from fakefacecli.evidence.c2pa import has_manifest, read_store

Tree = dict[str, "Tree"] | list["Tree"] | str | int | float | bool | None

DEEPEST = 12
LONGEST_TEXT = 2000  # characters
_MOST_ITEMS = 200
_MOST_NODES = 5000


def read_manifests(data: bytes, what: str | None) -> Tree:
    """The manifest store of `data`, a file of the format `what`; None where there is none.

    No signer is trusted here, so its validation status always says that the signer is unknown.
    Raises what c2pa-python raises for a store that it cannot read.
    """
    return bounded(read_store(data, what or "")) if has_manifest(data, what or "") else None


def bounded(value: object) -> Tree:
    """`value`, as json.loads gives it, with long texts and lists cut, and what is too deep."""
    left = [_MOST_NODES]
    return _bounded(value, DEEPEST, left)


def _bounded(value: object, depth: int, left: list[int]) -> Tree:
    left[0] -= 1
    if left[0] < 0 or depth < 0:
        return "... (cut here: too much or too deep)"
    if isinstance(value, dict):
        kept = list(value.items())[:_MOST_ITEMS]
        tree = {
            shortened(str(key), LONGEST_TEXT): _bounded(item, depth - 1, left) for key, item in kept
        }
        return tree if len(value) <= _MOST_ITEMS else tree | {"...": _left_out(value)}
    if isinstance(value, list):
        items = [_bounded(item, depth - 1, left) for item in value[:_MOST_ITEMS]]
        return items if len(value) <= _MOST_ITEMS else [*items, _left_out(value)]
    if isinstance(value, str):
        return shortened(value, LONGEST_TEXT)
    return value if isinstance(value, int | float) else None


def _left_out(whole: Sized) -> str:
    return f"... ({len(whole):,} of them, the rest is left out)"
