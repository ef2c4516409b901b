"""README's promises name tests that exist, and its closed lists are those of the code."""

import ast
import re
from collections.abc import Iterator

from fakefacecli.base.errors import EXIT_CODE_MEANINGS, ExitCode
from fakefacecli.base.verdicts import ErrorCode
from tests.builders import ROOT

HEADING = "## What fakeface promises"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of the only table in `text`, its head left out."""
    table = [line for line in text.splitlines() if line.startswith("|")]
    for line in table[2:]:
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def section(text: str, heading: str) -> str:
    """What stands between `heading` and the next one of its rank."""
    assert f"\n{heading}\n" in text, f"README has no section {heading!r}"
    after = text.split(f"\n{heading}\n", 1)[1]
    return after.split(f"\n{heading.split(maxsplit=1)[0]} ", 1)[0]


def functions_of(file: str) -> set[str]:
    path = ROOT / "tests" / file
    assert path.exists(), f"README names {file}, which is not there"
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_a_test_that_exists() -> None:
    promises = list(table_rows(section(readme(), HEADING)))
    assert len(promises) >= 25
    for cells in promises:
        named = NAMED.findall(cells[-1])
        assert named, f"no test keeps the promise: {cells[0]}"
        for file, name in named:
            assert name in functions_of(file), f"{file} has no {name}"


def test_the_exit_codes_in_the_readme_are_those_of_the_code() -> None:
    listed = dict(table_rows(section(readme(), "### Exit codes").replace("`", "")))
    signals = {ExitCode.SIGINT, ExitCode.SIGTERM}
    assert listed.pop(", ".join(str(int(code)) for code in sorted(signals))).startswith("interr")
    assert {code: words.replace("\\|", "|") for code, words in listed.items()} == {
        str(int(code)): words for code, words in EXIT_CODE_MEANINGS.items() if code not in signals
    }


def test_the_readme_says_which_commands_end_with_which_exit_code() -> None:
    from typer.main import get_command

    from fakefacecli.cli.app import app

    words = section(readme(), "### Exit codes").split("\n\n")[-1]
    commands = set(getattr(get_command(app), "commands", {}))
    named = set(re.findall(r"`(\w+)`", words))
    assert named
    assert named <= commands
    assert {int(code) for code in re.findall(r"\d+", words)} == set(map(int, ExitCode))


def test_the_error_codes_in_the_readme_are_those_of_the_code() -> None:
    text = readme()
    start = text.index("| error_code |")
    table = text[start:].split("\n\n", 1)[0]
    listed = [code for cells in table_rows(table) for code in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(listed) == sorted(map(str, ErrorCode))
