"""The index of a cache of faces: a line of JSON for each image, by its sha256."""

import contextlib
import json
import os
from typing import IO, Any

# 1 gave faces of other --min-face one file name, 2 told JPEG qualities otherwise: mixed with new
# ones, they would tell images apart by when they were read
_VERSION = 3

Entry = dict[str, Any]


def read_index(path: str) -> dict[str, Entry]:
    """What an earlier run found; lines torn by a kill, or of another version, count for nothing."""
    known: dict[str, Entry] = {}
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as handle:
        for line in handle:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                files = [face["file"] for face in entry["faces"] if face["file"]]
                folder = os.path.dirname(path)
                whole_yet = all(os.path.isfile(os.path.join(folder, name)) for name in files)
                if entry["version"] == _VERSION and whole_yet:
                    known[entry["sha256"]] = entry
    return known


def append(handle: IO[str], digest: str, entry: Entry) -> None:
    """Add a line, at once: a killed run loses the image it was at."""
    handle.write(json.dumps({"sha256": digest, "version": _VERSION, **entry}) + "\n")
    handle.flush()
