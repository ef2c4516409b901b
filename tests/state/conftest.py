"""One scanned folder and its state, shared by the tests of this package."""

import os
import pathlib
import shutil

import pytest
from PIL import Image

from fakefacecli.base.errors import ExitCode
from tests.command import fakeface
from tests.state.samples import ODD, age, scan_flags, small


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Faces, a picture without one, files that are no pictures, a pipe; none of them new."""
    folder = tmp_path_factory.mktemp("in")
    small("generated_002.jpg", folder / "a.jpg")
    small("official_003.jpg", folder / "b.jpg")
    small("official_003.jpg", folder / "sub" / ODD, 210)
    small("generated_002.jpg", folder / "c.png", 205)
    Image.new("RGB", (64, 64), "gray").save(folder / "plain.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "empty.jpg").touch()
    for path in folder.rglob("*.*"):
        age(path)
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.fixture(scope="session")
def first(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The first run's report, state and overlays."""
    place = tmp_path_factory.mktemp("first")
    done = fakeface(*scan_flags(folder, place, "first.csv", place / "state.db"))
    assert done.returncode == ExitCode.SOME_UNREADABLE, done.stderr
    assert {path.name for path in place.iterdir()} == {"first.csv", "state.db", "overlays"}
    return place


@pytest.fixture
def state(first: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the first run's state."""
    return pathlib.Path(shutil.copy(first / "state.db", tmp_path / "state.db"))


@pytest.fixture(scope="session")
def no_torch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which importing torch, hence judging anything, is an internal error."""
    place = tmp_path_factory.mktemp("broken")
    (place / "torch.py").write_text("raise RuntimeError('torch was imported')")
    return {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(place)}
