import pytest
import typer

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.text import exact, printable
from fakefacecli.cli.console import complain, error_boundary
from fakefacecli.cli.labelled import report_missed
from fakefacecli.evaluate.evaluation import MissedImage

NASTY = "back\\slash \x1b[31mred\nline \u202egpj \udcff.jpg"


@error_boundary
def refuse() -> None:
    raise UsageError(f"{NASTY}: wanted another name")


@error_boundary
def fail() -> None:
    raise RuntimeError(NASTY)


def test_a_name_in_a_message_is_escaped_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        refuse()
    assert ended.value.exit_code == ExitCode.USAGE
    told = capsys.readouterr().err
    assert told == f"fakeface: {printable(NASTY)}: wanted another name\n"
    assert exact(told) == f"fakeface: {NASTY}: wanted another name\n"


def test_an_image_without_a_face_is_named_once_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_missed([MissedImage(NASTY, "no face found", False)]) is ExitCode.COMPLETE
    told = capsys.readouterr().err
    assert told.endswith(f"such as {printable(NASTY)}: no face found\n")


def test_what_is_said_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("one\ntwo")
    assert capsys.readouterr().err == "fakeface: one\\ntwo\n"


def test_a_traceback_quotes_no_raw_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail()
    assert ended.value.exit_code == ExitCode.INTERNAL
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("fakeface: ") and line.isprintable() for line in lines)
    assert lines[-1] == "fakeface: internal error; please report the lines above"
