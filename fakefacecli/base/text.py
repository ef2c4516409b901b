"""File names for people, terminals and reports: each leads back to the exact name."""

import base64
import os
import re
import sys
import unicodedata

# Unicode categories. Cc/Cf: terminal escapes, bidirectional overrides; Cs: bytes that are not UTF-8
# (surrogateescape); Zl/Zp: line separators; Cn/Co: what no font shows
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPE = re.compile(r"\\(\\|n|r|t|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_LONG = {short: char for char, short in _SHORT.items()}


def printable(name: str) -> str:
    r"""Escape what a terminal or a spreadsheet must not see raw; `exact` undoes it.

    A backslash becomes `\\`, a byte that is not UTF-8 `\xNN`, a control or invisible character
    `\n`, `\r`, `\t`, `\uNNNN` or `\UNNNNNNNN`; everything else stays as it is.
    """
    # nearly all names: nothing to escape, and no need to look at each character
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return "".join(map(_escape, name))


def counted(number: int, noun: str) -> str:
    """A number and what it counts, as people say it: 1 image, 2 images."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shortened(text: str, most: int) -> str:
    """`text`, cut to `most` characters with its whole length said where it is longer."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def exact(text: str) -> str:
    """The name that `printable` made `text` of."""
    return _ESCAPE.sub(_unescape, text)


def in_json(name: str) -> tuple[str, str | None]:
    """A name as JSON holds it, and the base64 of its bytes where JSON cannot hold it.

    JSON (RFC 8259) is Unicode: a name whose bytes are UTF-8 stands there as it is, and its writer
    escapes control characters. Any other name is made `printable`.
    """
    data = os.fsencode(name)
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        return printable(name), base64.b64encode(data).decode("ascii")


def from_json(name: str, name_bytes: str | None) -> str:
    """The name that `in_json` was given; ValueError when `name_bytes` is not base64."""
    return os.fsdecode(base64.b64decode(name_bytes, validate=True) if name_bytes else name.encode())


def _escape(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if unicodedata.category(char) not in _HIDDEN:
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: byte 0xNN stands as U+DCNN
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _unescape(match: re.Match[str]) -> str:
    whole = match.group()
    if whole in _LONG:
        return _LONG[whole]
    code = int(whole[2:], 16)
    if code > sys.maxunicode:  # a text that `printable` did not make
        return whole
    return chr(code + 0xDC00 if whole[1] == "x" else code)
