"""Folders and states for the tests of this package."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator

from PIL import Image

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.findings import ImageReport
from fakefacecli.base.options import DEFAULT_MODEL, ScanOptions, SourceOptions
from fakefacecli.base.records import FileFacts, ImageRef
from fakefacecli.models.bundled import find_model
from fakefacecli.state.state import State
from tests import builders
from tests.builders import PHOTOS
from tests.command import fakeface

LONG_AGO_NS = 1_600_000_000_000_000_000
ODD = os.fsdecode(b"caf\xe9 \xf0.jpg")
COUNT = 8  # what `folder` holds, the pipe included


def small(photo: str, to: pathlib.Path, side_px: int = 200) -> None:
    to.parent.mkdir(exist_ok=True)
    with Image.open(PHOTOS / photo) as picture:
        picture.resize((side_px, side_px)).save(to)


def age(path: pathlib.Path) -> None:
    """A file as new as the run that reads it would be read again by the next one."""
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def scan_flags(
    folder: pathlib.Path, place: pathlib.Path, report: str, state: pathlib.Path
) -> tuple[object, ...]:
    return (
        "scan",
        folder,
        "--report",
        place / report,
        "--state",
        state,
        "--overlays",
        place / "overlays",
    )


def asks_for_judging(env: dict[str, str], *args: object) -> bool:
    """Whether a scan with `args` would load the model."""
    done = fakeface("scan", *args, env=env)
    assert done.returncode in (*(0, ExitCode.SOME_UNREADABLE), ExitCode.INTERNAL), done.stderr
    assert (done.returncode == ExitCode.INTERNAL) == ("torch was imported" in done.stderr)
    return done.returncode == ExitCode.INTERNAL


@contextlib.contextmanager
def opened(path: pathlib.Path, run_id: str = "run") -> Iterator[State]:
    options = ScanOptions(SourceOptions(), state=str(path))
    state = State(str(path), options, find_model(DEFAULT_MODEL), {"fakefacecli": "1"})
    state.begin(run_id)
    try:
        yield state
    finally:
        state.close()


def judged(folder: pathlib.Path, name: str, data: bytes) -> ImageReport:
    """Write a file and say of it that it has a face."""
    (folder / name).write_bytes(data)
    facts = FileFacts(
        hashlib.sha256(data).hexdigest(), len(data), (folder / name).stat().st_mtime_ns, "JPEG"
    )
    ref = ImageRef(0, str(folder / name), name)
    return dataclasses.replace(builders.report(0.95), ref=ref, facts=facts)
