"""Flags as records: what a command is given, and the options that come of it."""

import dataclasses
import inspect
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from fakefacecli.base.errors import UsageError
from fakefacecli.base.options import DecodeOptions, JudgeOptions, ScanOptions, SourceOptions
from fakefacecli.cli import flags
from fakefacecli.cli.scan import scan, scan_options
from fakefacecli.cli.scan_flags import ScanFlags
from fakefacecli.cli.train import train, train_options
from fakefacecli.cli.train_flags import TrainFlags
from fakefacecli.scan.machine import default_workers
from fakefacecli.train.options import TrainOptions


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    name: Annotated[str, typer.Argument()]
    min_face: flags.MinFace = 40
    quiet: flags.Quiet = False


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["a"], Given("a")),
        (["a", "--min-face", "50", "-q"], Given("a", 50, True)),
        ([], None),  # the field without a default is required
        (["a", "--min-face", "2"], None),
    ],
)
def test_a_command_is_given_its_flags_as_one_record(words: list[str], wanted: Given | None) -> None:
    found = []
    app = typer.Typer()
    app.command()(flags.takes(Given)(found.append))
    assert CliRunner().invoke(app, words).exit_code == (0 if wanted else 2)
    assert found == ([wanted] if wanted else [])


@pytest.mark.parametrize(("command", "record"), [(scan, ScanFlags), (train, TrainFlags)])
def test_every_field_is_a_flag(command: object, record: type) -> None:
    names = [field.name for field in dataclasses.fields(record)]
    assert list(inspect.signature(command).parameters) == names  # type: ignore[arg-type]


def test_the_flags_and_the_options_of_a_scan_have_the_same_defaults() -> None:
    wanted = ScanOptions(
        SourceOptions(("in",)),
        judge=JudgeOptions(),
        decode=DecodeOptions(workers=default_workers()),
    )
    assert scan_options(ScanFlags(["in"])) == wanted


def test_the_flags_and_the_options_of_a_training_have_the_same_defaults() -> None:
    found, init = train_options(TrainFlags("data", "m.safetensors", device="cpu"))
    cache, workers = "m.safetensors.faces", default_workers()
    assert found == TrainOptions("data", "m.safetensors", cache, workers=workers)
    assert init is None


def test_flags_that_contradict_each_other_make_no_options() -> None:
    for given, words in (
        (ScanFlags(["in"], zero=True), "-0 goes with --files-from"),
        (ScanFlags(["in"], model=""), "--model is empty"),
        (ScanFlags(["in"], since_last=True), "add --state FILE"),
        (ScanFlags(), "no input"),
    ):
        with pytest.raises(UsageError, match=words):
            scan_options(given)
    with pytest.raises(UsageError, match="--unfreeze-every goes with --freeze"):
        train_options(TrainFlags("data", "m.safetensors", unfreeze_every=2))
