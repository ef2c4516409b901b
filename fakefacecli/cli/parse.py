"""From the text of a flag to its value; a UsageError of one line says what is wrong with it."""

import sys
from collections.abc import Mapping, Sequence

from fakefacecli.base.errors import UsageError
from fakefacecli.base.options import REPORT_FORMATS, STREAM_FORMATS
from fakefacecli.base.verdicts import FailOn, Thresholds

# what an empty value should have been; for all other flags, a file
_WANTED = {
    "a PATH": "a file or folder",
    "--include": "a pattern",
    "--exclude": "a pattern",
    "--overlays": "a folder",
    "--copy-flagged": "a folder",
    "--model": "a bundled model or a file",
}


def refuse_if(faults: Mapping[str, object]) -> None:
    """Raise UsageError with the first message whose condition is true."""
    for message, found in faults.items():
        if found:
            raise UsageError(message)


def refuse_empty(values: Mapping[str, str | Sequence[str] | None]) -> None:
    """Raise UsageError for the first value that is empty: often an unset variable of a script."""
    for flag, value in values.items():
        if value is not None and "" in ([value] if isinstance(value, str) else value):
            what = _WANTED.get(flag, "a file")
            raise UsageError(f"{flag} is empty; name {what}")


def check_format(name: str | None) -> None:
    """Raise UsageError for a --format that standard output does not take."""
    if name is None or name in STREAM_FORMATS:
        return
    if name in REPORT_FORMATS:
        raise UsageError(
            f"--format {name}: standard output takes csv, json or jsonl; name a file that ends in "
            f".{name} instead"
        )
    raise UsageError(f"--format {name}: wanted csv, json or jsonl")


def parse_thresholds(text: str | None) -> Thresholds | None:
    """The thresholds LOW,HIGH; a single number is both."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
        low, high = numbers * 2 if len(numbers) == 1 else numbers
        return Thresholds(low, high)
    except ValueError:
        raise UsageError(
            f"--threshold {text}: wanted LOW,HIGH with 0 <= LOW <= HIGH <= 1"
        ) from None


def parse_batch_size(text: str) -> int | None:
    """How many images at once; None for auto."""
    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= 1024 and len(text) < 5):
        raise UsageError(f"--batch-size {text}: wanted auto, or a number from 1 to 1,024")
    return int(text)


def parse_fail_on(text: str | None) -> frozenset[FailOn]:
    """What --fail-on names, separated by commas."""
    names = text.split(",") if text is not None else []
    try:
        return frozenset(map(FailOn, names))
    except ValueError:
        unknown = next(name for name in names if name not in list(FailOn))
        raise UsageError(f"--fail-on {unknown}: wanted some of {', '.join(FailOn)}") from None


def read_bytes(path: str) -> bytes:
    """The bytes of a --files-from listing, "-" being stdin; UsageError when there are none."""
    from fakefacecli.scan.listing import listing_bytes

    try:
        if path == "-":
            return listing_bytes(sys.stdin.buffer)
        with open(path, "rb") as handle:
            return listing_bytes(handle)
    except OSError as error:
        why = (error.strerror or "failed").lower()
        raise UsageError(f"--files-from {path}: {why}") from None
