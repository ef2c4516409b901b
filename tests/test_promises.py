"""The promises name tests that exist; exit and error codes are written as the code has them."""

import ast
import re
from collections.abc import Iterator

from fakefacecli.base.errors import EXIT_CODE_MEANINGS, ExitCode
from fakefacecli.base.verdicts import ErrorCode
from tests.builders import ROOT

DOCS = ROOT / "fakefacecli" / "docs"
NAMED = re.compile(r"`((?:\w+/)+)(test_\w+\.py)::(test_\w+)`")


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


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


def places() -> dict[str, set[str]]:
    """The files below tests/ that have each test function, such as "state/test_state.py"."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                place = path.relative_to(ROOT / "tests").as_posix()
                found.setdefault(node.name, set()).add(place)
    return found


def test_every_promise_names_a_test_that_exists() -> None:
    promises = list(table_rows(page("promises")))
    assert len(promises) >= 25
    where = places()
    for cells in promises:
        named = NAMED.findall(cells[-1])
        assert named, f"no test keeps the promise: {cells[0]}"
        assert len(named) == cells[-1].count("::"), f"not package/test_file.py::test_name: {cells}"
        for package, file, name in named:
            # a file of tests may be divided: within its package the name alone has to be right
            assert any(
                place.startswith(package) or place.endswith(f"/{file}")
                for place in where.get(name, ())
            ), f"{package}{file}::{name}: found in {where.get(name) or 'no file'}"


def test_the_exit_codes_in_the_readme_are_those_of_the_code() -> None:
    listed = dict(table_rows(section(readme(), "## Exit codes").replace("`", "")))
    signals = {ExitCode.SIGINT, ExitCode.SIGTERM}
    assert listed.pop(", ".join(str(int(code)) for code in sorted(signals))).startswith("interr")
    assert {code: words.replace("\\|", "|") for code, words in listed.items()} == {
        str(int(code)): words for code, words in EXIT_CODE_MEANINGS.items() if code not in signals
    }


def test_the_readme_says_which_commands_end_with_which_exit_code() -> None:
    from typer.main import get_command

    from fakefacecli.cli.app import app

    words = section(readme(), "## Exit codes").split("\n\n")[-1]
    commands = set(getattr(get_command(app), "commands", {}))
    named = set(re.findall(r"`(\w+)`", words))
    assert named
    assert named <= commands
    assert {int(code) for code in re.findall(r"\d+", words)} == set(map(int, ExitCode))


def test_the_error_codes_in_the_report_page_are_those_of_the_code() -> None:
    text = page("report")
    start = text.index("| error_code |")
    table = text[start:].split("\n\n", 1)[0]
    listed = [code for cells in table_rows(table) for code in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(listed) == sorted(map(str, ErrorCode))
