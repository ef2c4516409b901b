import os

import pytest

from fakefacecli.base.text import exact, printable

NAMES = [
    "plain.jpg",
    "with space,comma\"quote'.jpg",
    "new\nline\r\ttab.jpg",
    "back\\slash\\n.jpg",
    "\x1b[31mred\x1b[0m.jpg",
    "=cmd|' /C calc'!A0.jpg",
    "\u202egpj.exe",
    "\u2028\u2029\u200b.jpg",
    "日本語 😀 ünï.jpg",
    os.fsdecode(b"\xff\xfe\x80.jpg"),
    "\U000e0041tag",
    "\\xff literally",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_comes_back_exactly(name: str) -> None:
    assert exact(printable(name)) == name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_a_terminal_could_act_on_remains(name: str) -> None:
    assert all(char.isprintable() for char in printable(name))
    printable(name).encode("utf-8")


def test_ordinary_names_stay_as_they_are() -> None:
    assert printable("Größe 日本 (1).jpg") == "Größe 日本 (1).jpg"


def test_different_names_stay_different() -> None:
    assert len({printable(name) for name in NAMES}) == len(NAMES)
