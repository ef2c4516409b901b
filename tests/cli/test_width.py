"""What people read on a terminal of 80 columns: nothing is cut, no choice broken in two."""

import os
import pathlib
import re

import pytest
from typer.testing import CliRunner

from fakefacecli.base.errors import ExitCode
from fakefacecli.cli.app import app
from tests.builders import PHOTOS
from tests.command import SMALL, fakeface
from tests.option_tables import commands

NARROW = {"NO_COLOR": "1", "COLUMNS": "80"}


def fits(shown: str) -> str:
    assert max(map(len, shown.splitlines())) <= 80
    assert "\u2026" not in shown  # how rich marks what it has cut
    return shown


def narrow(*words: object) -> str:
    done = fakeface(*words, env={**os.environ, **NARROW})
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", commands())
def test_help_fits_80_columns_with_every_value_in_one_piece(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"], env=NARROW)
    shown = fits(done.stdout)
    for param in commands()[command].params:
        assert (param.metavar or "") in shown
    bare = re.sub("[<>]=", "", shown)  # of "x>=1"
    assert all(line.count("<") == line.count(">") for line in bare.splitlines())


def test_the_models_and_their_cards_fit_80_columns() -> None:
    listed = fits(narrow("models", "list"))
    assert "fakeface-judge-2026.11 (default)\n" in listed
    assert "  timm/vit_base_patch16_clip_quickgelu_224, 224 px\n" in listed
    card = fits(narrow("models", "info"))
    assert "fakeface-judge-2026.11.json" in re.sub(r"\s+", "", card)


@pytest.mark.slow
def test_explain_fits_80_columns_and_its_paths_can_be_copied(tmp_path: pathlib.Path) -> None:
    out = tmp_path / f"{'a' * 90}.jpg"
    flags = ("--model", SMALL, "--out", out, "--threshold", "0,1")
    table, paths = narrow("explain", PHOTOS / "generated_000.jpg", *flags).split("face 1: ")
    assert "inconclusive" in fits(table)
    assert "between thresholds" in table
    assert paths.splitlines()[0] == str(out)
