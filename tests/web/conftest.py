"""A page that is served by the real command in a process of its own, once for a module."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.builders import PHOTOS, put
from tests.command import SMALL

START_S = 120


@dataclass
class Served:
    """A running page; `allowed` is the folder that it may scan, `temp` where its files lie."""

    url: str
    allowed: pathlib.Path
    temp: pathlib.Path
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def served(base: pathlib.Path, *more: object) -> Iterator[Served]:
    pytest.importorskip("gradio", reason="Gradio is not installed (pip install '.[ui]')")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    allowed, temp = base / "allowed", base / "temp"
    temp.mkdir(parents=True)
    for number in range(20):
        put(allowed / f"photo_{number:02}.jpg", 160 + 8 * number)
    words = ["ui", "--port", port, "--model", SMALL, "--allow-folder", allowed, *more]
    said = base / "stderr.txt"  # a pipe that nobody reads would stop the server when it is full
    with open(said, "wb") as handle:
        process = subprocess.Popen(
            [sys.executable, "-m", "fakefacecli", *map(str, words)],
            stderr=handle,
            env={**os.environ, "TMPDIR": str(temp)},
            cwd=base,
        )
    try:
        until = time.monotonic() + START_S
        while "the page is at" not in said.read_text("utf-8"):
            assert process.poll() is None, said.read_text("utf-8")
            assert time.monotonic() < until, said.read_text("utf-8")
            time.sleep(0.1)
        yield Served(f"http://127.0.0.1:{port}", allowed, temp, process)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("page")) as found:
        yield found


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of a photograph, one of two faces, a broken file, and one with a name to fear."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    shutil.copy(PHOTOS / "generated_002.jpg", folder / "one.jpg")
    with (
        Image.open(PHOTOS / "official_003.jpg") as a,
        Image.open(PHOTOS / "generated_001.jpg") as b,
    ):
        both = Image.new("RGB", (1000, 500))
        both.paste(a.resize((500, 500)), (0, 0))
        both.paste(b.resize((500, 500)), (500, 0))
        both.save(folder / "two.jpg", quality=95)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    shutil.copy(PHOTOS / "official_003.jpg", folder / "<img src=x onerror=alert(1)>.jpg")
    return folder
