"""`fakeface verify`: what has become of the files of a run."""

from collections import Counter
from typing import Annotated

import typer

from fakefacecli.base.errors import ExitCode
from fakefacecli.base.text import counted, printable
from fakefacecli.cli.console import complain, error_boundary, say
from fakefacecli.cli.parse import refuse_empty

_GONE = ("changed", "missing", "unreadable")


@error_boundary
def verify(
    manifest: Annotated[
        str,
        typer.Argument(metavar="MANIFEST", help="What scan --manifest wrote.", show_default=False),
    ],
) -> ExitCode:
    """Hash the files of a manifest again and name those that are not what they were."""
    from fakefacecli.base.files import sha256_of_file
    from fakefacecli.scan.custody import check_manifest

    refuse_empty({"MANIFEST": manifest})
    counts: Counter[str] = Counter()
    for found in check_manifest(manifest):
        counts[found.state] += 1
        if found.state in _GONE:
            say(f"{found.state}  {found.kind}  {printable(found.path)}\n")
    gone = sum(counts[state] for state in _GONE)
    complain(f"{manifest}: sha256 {sha256_of_file(manifest)}")
    not_so = f", {gone} changed, missing or unreadable" if gone else ""
    complain(f"{counted(counts['ok'], 'file')} as before{not_so}")
    if counts["unknown"]:
        complain(f"{counts['unknown']} not checked: without a hash, or their paths are redacted")
    return ExitCode.SOME_UNREADABLE if gone else ExitCode.COMPLETE
