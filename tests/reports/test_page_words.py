from enum import StrEnum

import pytest

from fakefacecli.base.verdicts import (
    Caveat,
    Claim,
    DetectorName,
    ErrorCode,
    Evidence,
    Integrity,
    Label,
    ProvenanceKind,
    Reason,
    Status,
    Trust,
)
from fakefacecli.reports.page_words import WORDS


@pytest.mark.parametrize(
    ("list_name", "words"),
    [
        ("verdict", Label),
        ("reason", Reason),
        ("provenance", ProvenanceKind),
        ("claim", Claim),
        ("c2pa", Integrity),
        ("trust", Trust),
        ("status", Status),
        ("warning", Caveat),
        ("detector", DetectorName),
        ("evidence", Evidence),
        ("error_code", ErrorCode),
    ],
)
def test_every_word_of_a_report_is_said_in_plain_words(
    list_name: str, words: type[StrEnum]
) -> None:
    assert set(WORDS[list_name]) == set(words)
    assert all(WORDS[list_name].values())
