"""What an overlay says fits, and can be read and turned back."""

import pytest

from fakefacecli.base.text import exact, printable
from fakefacecli.base.verdicts import Thresholds
from fakefacecli.overlay.lettering import (
    score_text,
    shorten,
    showable,
    typeface,
    zoom_text,
)

NASTY = "档案/写真" * 30 + "/\udcff\u202egnp.\U0001f600\x1b[31m\\\n=cmd|é.jpg"


def test_a_shown_name_can_be_turned_back() -> None:
    shown = showable(NASTY)
    assert shown.isascii()
    assert exact(shown) == NASTY
    assert showable("plain name.jpg") == "plain name.jpg"
    assert showable("é«»") == "\\u00e9«»"


@pytest.mark.parametrize("width", [0, 10, 60, 200, 1000])
def test_a_long_name_loses_its_middle_and_no_half_escapes(width: int) -> None:
    short = shorten(showable(NASTY), 20, width)
    assert typeface(20).getlength(short) <= max(width, typeface(20).getlength("..."))
    head, _, tail = short.partition("...")
    assert showable(NASTY).startswith(head)
    assert showable(NASTY).endswith(tail)
    assert printable(exact(head)).count("\\\\u") == 0
    assert shorten("a.jpg", 20, 1000) == "a.jpg"


def test_a_name_of_a_million_characters_is_shortened_at_once() -> None:
    assert len(shorten("x" * 1_000_000, 20, 500)) < 100


@pytest.mark.parametrize(
    ("p", "text"), [(0.5, "0.500"), (0.92996, "0.92996"), (0.93, "0.930"), (0.24999, "0.24999")]
)
def test_a_score_is_never_rounded_over_a_threshold(p: float, text: str) -> None:
    assert score_text(p, Thresholds(0.25, 0.93)) == text


def test_a_zoom_is_told_in_words() -> None:
    assert [zoom_text(z) for z in (19.2, 1.0, 0.125, 0.001)] == [
        "enlarged 19.2 times",
        "at its own size",
        "reduced to 12 %",
        "reduced to less than 1 %",
    ]
