"""The table of honest pictures that were edited."""

from typing import Any

import pytest
from rich.console import Console

from fakefacecli.cli.edits import edits_table

GOOD = {"denoising, strength 7": {"real": 100, "flagged": 6, "between": 50}}


def shown(measured: dict[str, Any]) -> str:
    table = edits_table(measured)
    assert table is not None
    console = Console(width=120)
    with console.capture() as caught:
        console.print(table)
    return " ".join(caught.get().split())


def test_every_edit_has_its_row() -> None:
    text = shown({"edits": GOOD | {"\x1b[1m": {"real": 3, "flagged": 0, "between": 1}}})
    for words in ("denoising, strength 7", "100", "6 (6.0 %)", "50 (50.0 %)", "\\x1b[1m", "33.3 %"):
        assert words in text.replace("\\u001b", "\\x1b"), words
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "edits",
    [
        None,
        {},
        [1],
        "text",
        {"a": 3},
        {"a": {"real": 0, "flagged": 0, "between": 0}},
        {"a": {"real": 5, "flagged": 6, "between": 0}},
        {"a": {"real": 5, "flagged": 0.5, "between": 0}},
        {"a": {"real": 5, "flagged": True, "between": 0}},
        {"a": {"real": 5, "flagged": 1}},
    ],
)
def test_what_is_no_such_table_is_left_to_the_other_figures(edits: Any) -> None:
    assert edits_table({"edits": edits}) is None
