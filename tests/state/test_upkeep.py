"""`fakeface state`: what a state holds, and what is taken out of it."""

import os
import pathlib
import time

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.options import DEFAULT_MODEL
from fakefacecli.models.bundled import BUNDLED
from fakefacecli.state.upkeep import Stale, read_stats, take_out
from tests.command import SMALL, fakeface, powerless
from tests.state.samples import COUNT, ODD, asks_for_judging, judged, opened


def test_stats_says_what_the_state_holds(state: pathlib.Path) -> None:
    done = fakeface("state", "stats", state)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    words = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert words[:2] == [f"images known {COUNT - 1}", f"verdicts {COUNT - 1}"]
    assert {"flagged 2", "not flagged 2", "no face 1", "empty 1", "not an image 1"} <= set(words)
    assert BUNDLED[SMALL].sha256[:12] in done.stdout
    assert str(time.gmtime().tm_year) in done.stdout


def test_a_missing_state_is_not_made_by_looking_at_it(tmp_path: pathlib.Path) -> None:
    for command in (("stats",), ("prune", "--missing")):
        done = fakeface("state", *command, tmp_path / "gone.db")
        assert done.returncode == ExitCode.NOTHING_TO_DO
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_stats_speaks_of_reading_where_a_state_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with opened(tmp_path / "s.db"):
        pass
    (tmp_path / "s.db").chmod(0)
    os.mkfifo(tmp_path / "pipe")
    before = powerless(tmp_path / "s.db")
    for place, why in (
        (tmp_path / "s.db", "permission denied"),
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "not a regular file"),
    ):
        done = fakeface("state", "stats", place, before=before, timeout=20)
        assert done.returncode == ExitCode.MODEL_REFUSED, done.stderr
        assert done.stderr.startswith(f"fakeface: cannot read the state {place}: {why}")


def test_prune_without_a_reason_takes_nothing(state: pathlib.Path) -> None:
    before = state.read_bytes()
    done = fakeface("state", "prune", state)
    assert done.returncode == ExitCode.USAGE
    for flag in ("--older-than", "--missing", "--other-models"):
        assert flag in done.stderr
    assert state.read_bytes() == before


def test_prune_takes_out_what_is_stale_and_nothing_else(
    tmp_path: pathlib.Path, folder: pathlib.Path, state: pathlib.Path, no_torch: dict[str, str]
) -> None:
    flags = ("--older-than", "1", "--missing", "--other-models")
    assert "removed 0 verdicts" in fakeface("state", "prune", state, *flags).stdout
    assert not asks_for_judging(no_torch, folder, "--state", state)
    assert f"removed {COUNT - 1} verdicts and {COUNT - 1} images" in (
        fakeface("state", "prune", state, "--older-than", "0").stdout
    )
    assert asks_for_judging(no_torch, folder, "--state", state)


def test_images_whose_file_is_gone_and_other_models_are_taken_out(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "s.db")
    here, gone = judged(tmp_path, "here", b"1"), judged(tmp_path, ODD, b"2")
    with opened(tmp_path / "s.db") as state:
        state.add(here)
        state.add(gone)
    assert take_out(path, Stale(missing=True)) == (0, 0)
    (tmp_path / ODD).unlink()
    assert take_out(path, Stale(missing=True)) == (1, 1)
    model = BUNDLED[DEFAULT_MODEL].sha256
    assert take_out(path, Stale(other_than=["1" * 64, model])) == (0, 0)
    with opened(tmp_path / "s.db") as state:
        assert state.find(here.ref) is not None
    assert take_out(path, Stale(other_than=["0" * 64])) == (1, 1)
    assert read_stats(path).models == ()
