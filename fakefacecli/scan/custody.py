"""The manifest of a run: the hashes of what it read and wrote, and checking them later.

It shows what has changed by mistake or by somebody who did not think of it. Who can write the
manifest can make another one: its own sha256, kept elsewhere, or a signature guards against that.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fakefacecli.base.addresses import is_url, shown
from fakefacecli.base.errors import UsageError
from fakefacecli.base.files import atomic_write, sha256_of_file
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.text import from_json, in_json

VERSION = 1
_MOST_BYTES = 1 << 31


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a run has written: what it is, and where it lies here; in a store its `url`."""

    kind: str
    path: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a file of a manifest: "ok", "changed", "missing", "unreadable" or "unknown".

    Of an unknown one the manifest holds no hash, or no path, or it lies in a store.
    """

    kind: str
    path: str
    state: str


def write_manifest(
    path: str,
    header: Mapping[str, Any],
    reports: Iterable[ImageReport],
    written: Iterable[Written],
    *,
    redacts: bool = False,
) -> str:
    """Write the manifest to `path`, whole or not at all, and give its own sha256; CannotWrite.

    Paths are relative to its folder. With `redacts` inputs are named as in the rows.
    """
    folder = os.path.dirname(path) or "."
    head = {
        "fakeface_manifest": VERSION,
        **{key: header[key] for key in ("run_id", "tool_version", "started", "ended")},
        "model": {key: header["model"][key] for key in ("name", "sha256")},
        "paths": "redacted" if redacts else "relative to the folder of this file",
    }
    digest = hashlib.sha256()
    with atomic_write(path) as handle:
        for piece in _pieces(head, _inputs(reports, folder, redacts), _outputs(written, folder)):
            data = piece.encode("ascii")
            digest.update(data)
            handle.write(data)
    return digest.hexdigest()


def check_manifest(path: str) -> Iterator[Checked]:
    """Each file of the manifest at `path`, hashed again; UsageError for what is no manifest."""
    manifest = _read(path)
    folder = os.path.dirname(path) or "."
    for kind, entries in (("input", manifest["inputs"]), ("", manifest["outputs"])):
        for entry in entries:
            yield _check(kind or entry["kind"], entry, folder, manifest["paths"] == "redacted")


def _pieces(
    head: Mapping[str, Any], inputs: Iterable[Any], outputs: Iterable[Any]
) -> Iterator[str]:
    """JSON with an entry on each line, as there may be a million."""
    yield json.dumps(head, indent=1).removesuffix("\n}")
    for name, entries in (("inputs", inputs), ("outputs", outputs)):
        yield f',\n "{name}": ['
        between = "\n  "
        for entry in entries:
            yield between + json.dumps(entry)
            between = ",\n  "
        yield "\n ]"
    yield "\n}\n"


def _inputs(reports: Iterable[ImageReport], folder: str, redacts: bool) -> Iterator[dict[str, Any]]:
    for report in reports:
        ref, facts = report.ref, report.facts
        named = {"path": ref.name} if redacts else _path(ref.path, folder)
        yield {
            **named,
            "sha256": facts.sha256,
            "bytes": facts.size,
            "status": str(report.code or report.status),
        }


def _outputs(written: Iterable[Written], folder: str) -> Iterator[dict[str, Any]]:
    for file in written:
        size = os.path.getsize(file.path)
        sha256 = sha256_of_file(file.path)
        named = _path(file.url or file.path, folder)
        yield {"kind": file.kind, **named, "sha256": sha256, "bytes": size}


def _path(path: str, folder: str) -> dict[str, str]:
    name, data = in_json(shown(path) if is_url(path) else os.path.relpath(path, folder))
    return {"path": name, **({"path_bytes": data} if data else {})}


def _read(path: str) -> dict[str, Any]:
    try:
        if os.path.getsize(path) > _MOST_BYTES:
            raise UsageError(f"{path}: too large for a manifest")
        with open(path, encoding="utf-8") as handle:
            manifest: object = json.load(handle)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON; wanted a manifest of fakeface scan") from error
    if not isinstance(manifest, dict):
        manifest = {}
    version = manifest.get("fakeface_manifest")
    if version != VERSION:
        raise UsageError(f"{path}: no manifest of fakeface scan; wanted what --manifest wrote")
    try:
        for entry in (*manifest["inputs"], *manifest["outputs"]):
            if not isinstance(entry["path"], str) or not isinstance(entry["sha256"], str | None):
                raise TypeError
        _ = [str(entry["kind"]) for entry in manifest["outputs"]], manifest["paths"]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: an entry of it is damaged; wanted path and sha256") from error
    return manifest


def _check(kind: str, entry: Mapping[str, Any], folder: str, redacted: bool) -> Checked:
    name = from_json(entry["path"], entry.get("path_bytes"))
    # what a manifest names is not fetched: it may come from anybody
    if entry["sha256"] is None or (redacted and kind == "input") or is_url(name):
        return Checked(kind, name, "unknown")
    path = os.path.join(folder, name)
    try:
        state = "ok" if sha256_of_file(path) == entry["sha256"] else "changed"
    except FileNotFoundError:
        state = "missing"
    except OSError:
        state = "unreadable"
    return Checked(kind, path, state)
