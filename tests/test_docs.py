"""The pages: what they must name, where their links lead, and how `fakeface docs` shows them."""

import os
import pathlib
import pty
import re
import subprocess
import sys

import pytest
from cogapp import Cog

from fakefacecli.base.errors import ExitCode
from tests.builders import ROOT
from tests.command import fakeface
from tests.option_tables import commands

DOCS = ROOT / "fakefacecli" / "docs"
PAGES = sorted(DOCS.glob("*.md"))
README = ROOT / "README.md"
REFRESH = "python -m cogapp -r README.md fakefacecli/docs/*.md"

GENERATED = re.compile(
    r'^<!-- \[\[\[cog [^\n]*options\("([a-z ]*)"[^\n]* -->$(.*?)^<!-- \[\[\[end', re.M | re.S
)
CODE = re.compile(r"^```.*?^```|^ {4}.*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def generated() -> dict[str, str]:
    """The generated tables of each command, by its words after `fakeface`."""
    tables = dict.fromkeys(commands(), "")
    for page in PAGES:
        for command, table in GENERATED.findall(page.read_text("utf-8")):
            tables[command] += table
    return tables


def anchors(page: pathlib.Path) -> set[str]:
    """The anchors that code hosts give the headings of a page."""
    text = re.sub(r"^ {4}.*$", "", page.read_text("utf-8"), flags=re.MULTILINE)
    found = set()
    for heading in HEADING.findall(text):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.stem)
def test_the_generated_tables_are_those_of_the_commands(
    page: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    fresh = tmp_path / page.name
    done = Cog().main(["cog", "-o", str(fresh), str(page)])
    assert done == 0
    assert fresh.read_text("utf-8") == page.read_text("utf-8"), f"outdated; run: {REFRESH}"


def test_every_option_of_every_command_is_in_a_generated_table() -> None:
    tables = generated()
    for words, command in commands().items():
        for param in command.params:
            names = [*param.opts, *param.secondary_opts]
            if param.param_type_name == "argument":
                names = [param.metavar.replace("|", "\\|")]
            for name in names:
                shown = re.search(rf"`{re.escape(name)}[ `]", tables[words])
                assert shown, f"fakeface {words}: no {name}; add a table to a page"


def test_every_command_is_in_the_readme_and_in_a_page() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES)
    for words in filter(None, commands()):
        assert re.search(rf"`fakeface {words}[ `]", README.read_text("utf-8")), words
        assert re.search(rf"`fakeface {words}[ `]|^#+ fakeface {words}$", pages, re.M), words


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_the_readme_leads_to_every_page_and_is_short() -> None:
    text = README.read_text("utf-8")
    for page in PAGES:
        assert f"(fakefacecli/docs/{page.name})" in text, page.name
    assert len(text.splitlines()) <= 240


def test_without_a_topic_the_pages_are_listed_one_a_line() -> None:
    done = fakeface("docs")
    assert (done.returncode, done.stderr) == (ExitCode.COMPLETE, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [page.stem for page in PAGES]
    for line in done.stdout.splitlines():
        assert line.endswith(".")
        assert 20 < len(line) < 80, line


def test_a_pipe_gets_the_markdown_without_the_markers() -> None:
    done = fakeface("docs", "changes")  # a page without a generated table
    assert done.returncode == ExitCode.COMPLETE
    assert done.stdout == (DOCS / "changes.md").read_text("utf-8")
    done = fakeface("docs", "scan")
    assert "`--min-face N`" in done.stdout
    assert "<!--" not in done.stdout
    assert "cog" not in done.stdout


def test_an_unknown_topic_is_refused_with_those_there_are() -> None:
    done = fakeface("docs", "no\x1b[1m")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.startswith("fakeface: docs no\\u001b[1m: no such page; there are changes, ")
    for page in PAGES:
        assert page.stem in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_terminal_gets_a_formatted_page_through_its_pager() -> None:
    screen, terminal = pty.openpty()
    env = {**os.environ, "PAGER": "cat", "TERM": "xterm-256color", "COLUMNS": "80"}
    command = [sys.executable, "-m", "fakefacecli", "docs", "contributing"]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, env=env) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(screen, 1 << 16)
            except OSError:  # the other end is closed
                break
    os.close(screen)
    assert b"\x1b[1" in shown
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    assert process.returncode == 0
    assert "• Checks" in text  # a list of Markdown has become one of the terminal
    assert "## Checks" not in text
    assert "\x1b" not in text
    assert "#checks" not in text  # a link to a file means nothing here
    assert max(map(len, text.splitlines())) <= 80


def test_the_tree_of_packages_names_each_of_them() -> None:
    tree = re.findall(r"^ {6}(\w+)/ ", (DOCS / "contributing.md").read_text("utf-8"), re.MULTILINE)
    packages = {path.parent.name for path in (ROOT / "fakefacecli").glob("*/__init__.py")}
    assert sorted(tree) == sorted({*packages, "docs"})
