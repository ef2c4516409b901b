"""The options of a scan as the header of its report shows them."""

import os
from collections.abc import Mapping
from dataclasses import asdict

from fakefacecli.base.addresses import shown
from fakefacecli.base.options import ScanOptions
from fakefacecli.base.text import in_json

# the fields of ScanOptions that hold options themselves
_RECORDS = ("source", "judge", "decode", "evidence", "engine")
# the options that hold paths of files and folders which are no inputs
_FILES = frozenset(
    {
        *("reports", "overlays", "copy_flagged", "model", "state", "list_skipped"),
        *("trust_list", "generators", "known", "contact_sheet", "manifest"),
    }
)


def described(options: ScanOptions) -> dict[str, object]:
    """Every option as a report's header shows it; of --files-from only the number of paths."""
    plain: dict[str, object] = {}
    for name, value in asdict(options).items():
        # the header is flat: how options are grouped here does not concern readers of reports
        plain |= value if name in _RECORDS else {name: value}
    plain["listed"] = len(options.source.listed)
    plain["paths"] = tuple(map(shown, options.source.paths))
    plain["reports"] = [shown(target.path) for target in options.reports]
    del plain["never"]  # the same as overlays and copy_flagged
    if options.redact_paths:
        plain |= _redacted(plain)
    return {name: _shown(value) for name, value in plain.items()}


def _redacted(plain: Mapping[str, object]) -> dict[str, object]:
    """What could name an input, or a folder above one: inputs are counted, files lose folders."""
    count = len(_as_tuple(plain["paths"]))
    inputs: dict[str, object] = {"paths": [f"{count} inputs"], "include": [], "exclude": []}
    files = {name: value for name, value in plain.items() if name in _FILES}
    return {**inputs, **{name: _without_folder(value) for name, value in files.items()}}


def _as_tuple(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, tuple | list) else ()


def _without_folder(value: object) -> object:
    if isinstance(value, str):
        return os.path.basename(os.path.normpath(value))
    return [_without_folder(item) for item in value] if isinstance(value, tuple | list) else value


def _shown(value: object) -> object:
    if isinstance(value, str):
        return in_json(str(value))[0]
    if isinstance(value, set | frozenset):
        return sorted(map(_shown, value), key=str)  # a set's own order changes from run to run
    if isinstance(value, tuple | list):
        return [_shown(item) for item in value]
    return value
