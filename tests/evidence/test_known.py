"""Lists of known pictures."""

import pathlib
import re

import numpy as np
import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.base.evidence import KnownPicture, PerceptualHash
from fakefacecli.evidence.known import Hashes, read_known

ONE, OTHER = "0f" * 32, "f0" * 32
SHA = "ab" * 32


def flipped(digits: str, bits: int) -> str:
    return f"{int(digits, 16) ^ ((1 << bits) - 1):064x}"


def listed(tmp_path: pathlib.Path, text: str, name: str = "known.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def pdq(digits: str, quality: int = 100) -> PerceptualHash:
    return PerceptualHash(digits, quality)


@pytest.mark.parametrize(
    "text",
    [
        f"pdq,label,note\n{ONE},fake,ticket 5\n",
        f"\ufeffPDQ, Label ,note,more\r\n{ONE.upper()},fake,ticket 5,x\r\n",
        f"label,note,pdq\n'fake,ticket 5,{ONE}\n",
        f"path,sha256,face,decision,note,time,model,pdq\na.jpg,,1,fake,ticket 5,t,m,{ONE}\n",
    ],
)
def test_a_table_says_label_and_note(text: str, tmp_path: pathlib.Path) -> None:
    known = read_known([listed(tmp_path, text)])
    assert known.match(None, pdq(ONE)) == KnownPicture("fake", "ticket 5", 0)
    assert known.match(None, pdq(flipped(ONE, 31))) == KnownPicture("fake", "ticket 5", 31)
    assert known.match(None, pdq(flipped(ONE, 32))) is None
    assert known.match(None, pdq(ONE, quality=49)) is None
    assert known.match(None, None) is None


@pytest.mark.parametrize(
    "text", [f"pdq {ONE}\n", f"{ONE}\n", f"# from the desk\n\nPDQ  {ONE.upper()}\nvpdq abc\n"]
)
def test_plain_lines_as_other_tools_write_them_are_read(text: str, tmp_path: pathlib.Path) -> None:
    known = read_known([listed(tmp_path, text, "known.txt")])
    assert known.match(None, pdq(ONE)) == KnownPicture("", "", 0)
    assert known.lists[0].skipped == text.count("vpdq")


def test_the_same_bytes_match_before_any_hash(tmp_path: pathlib.Path) -> None:
    text = f"sha256,pdq,label\n{SHA},,real\n,{ONE},fake\n"
    known = read_known([listed(tmp_path, text)])
    assert known.match(SHA, pdq(ONE)) == KnownPicture("real", "", 0)
    assert known.match("cd" * 32, pdq(ONE)) == KnownPicture("fake", "", 0)


def test_the_nearest_entry_decides_and_of_equally_near_ones_the_most_serious(
    tmp_path: pathlib.Path,
) -> None:
    near, far = flipped(ONE, 3), flipped(ONE, 9)
    first = listed(tmp_path, f"pdq,label\n{far},fake\n{near},real\n{near},unsure\n", "a.csv")
    second = listed(tmp_path, f"pdq,label\n{near},Fake\n{OTHER},fake\n", "b.csv")
    assert read_known([first]).match(None, pdq(ONE)) == KnownPicture("unsure", "", 3)
    assert read_known([first, second]).match(None, pdq(ONE)) == KnownPicture("Fake", "", 3)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "no hash in it"),
        ("pdq,label\n", "no hash in it"),
        (f"pdq,label\n{ONE},fake\n123,fake\n", "line 3: pdq '123' found"),
        ("hello\n", "line 1: 'hello' found"),
        (f"pdq {ONE}\npdq 12\n", "line 2"),
        ("name,label\na.jpg,fake\n", "line 1"),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(
    text: str, wanted: str, tmp_path: pathlib.Path
) -> None:
    path = listed(tmp_path, text)
    with pytest.raises(UsageError, match=re.escape(wanted)) as caught:
        read_known([path])
    assert str(caught.value).startswith(path)


def test_binary_and_missing_files_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match="not text"):
        read_known([str(tmp_path / "a.bin")])
    with pytest.raises(UsageError, match="no such file"):
        read_known([str(tmp_path / "b")])


def test_distances_are_hammings_and_hashes_can_be_added() -> None:
    chance = np.random.default_rng(3)
    digits = [chance.bytes(32).hex() for _ in range(2000)]
    grown = Hashes()
    for one in digits:
        grown.add(one)
    asked = chance.bytes(32).hex()
    wanted = [(int(asked, 16) ^ int(one, 16)).bit_count() for one in digits]
    assert Hashes(digits).distances(asked).tolist() == grown.distances(asked).tolist() == wanted
    assert Hashes([ONE]).distances(OTHER).tolist() == [255]
