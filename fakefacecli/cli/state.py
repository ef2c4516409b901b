"""`fakeface state stats|prune`."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from fakefacecli.base.errors import UsageError
from fakefacecli.base.lock import locked
from fakefacecli.base.text import printable
from fakefacecli.cli.console import error_boundary

app = typer.Typer(help="What `fakeface scan --state FILE` remembers.")

File = Annotated[str, typer.Argument(metavar="FILE", help="The state.", show_default=False)]


@app.command("stats")
@error_boundary
def stats(file: File) -> None:
    """Show what a state holds: images, verdicts, models, size, dates."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fakefacecli.state.upkeep import read_stats

    found = read_stats(os.path.realpath(file))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    table.add_row("images known", str(found.images), "")
    table.add_row("verdicts", str(found.verdicts), "")
    for outcome, count in found.outcomes.items():
        table.add_row(f"  {printable(outcome.replace('_', ' '))}", str(count), "")
    for name, sha256, count in found.models:
        table.add_row("model", str(count), Text(printable(f"{name}  {sha256[:12]}")))
    table.add_row("bytes", f"{found.bytes:,}", "")
    table.add_row("oldest", "", _date(found.oldest))
    table.add_row("newest", "", _date(found.newest))
    Console(highlight=False).print(table)


@app.command("prune")
@error_boundary
def prune(
    file: File,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="DAYS", min=0, help="Verdicts that are at least this old."),
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Images whose file is gone.")] = False,
    other_models: Annotated[
        bool, typer.Option("--other-models", help="Verdicts of models that are not bundled.")
    ] = False,
) -> None:
    """Take out what is stale in any of the ways named, and shrink the file."""
    from fakefacecli.models.bundled import BUNDLED
    from fakefacecli.state.file import require_state
    from fakefacecli.state.upkeep import Stale, take_out

    if older_than is None and not missing and not other_models:
        raise UsageError("nothing named to prune; add --older-than DAYS, --missing, --other-models")
    # where `file` is a link: the lock and SQLite's own files lie beside what it leads to
    path = os.path.realpath(file)
    require_state(path)  # first: the lock would be made beside a file that is not there
    bundled = [model.sha256 for model in BUNDLED.values()] if other_models else None
    with locked(path):
        images, verdicts = take_out(path, Stale(older_than, missing, bundled))
    typer.echo(f"removed {verdicts} verdicts and {images} images")


def _date(seconds: int | None) -> str:
    if seconds is None:
        return "none"
    # UTC, as in reports: a state may be read on another machine
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")
