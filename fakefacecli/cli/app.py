"""The `fakeface` command. Nothing heavy is imported here: --help must be quick."""

import os
from typing import Annotated

import typer

from fakefacecli import __version__
from fakefacecli.cli import (
    bench,
    calibrate,
    docs,
    doctor,
    embed,
    evaluate,
    explain,
    fuse,
    inspect,
    models,
    report,
    scan,
    state,
    train,
    ui,
    verify,
)
from fakefacecli.cli.console import error_boundary, start

app = typer.Typer(
    name="fakeface",
    help="Find the faces in a folder of images that were made by a machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fakeface {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find the faces in a folder of images that were made by a machine."""


# each command has a module of its own, which imports what is heavy inside its functions
app.command("scan", epilog=scan.EPILOG)(scan.scan)
app.command("explain")(explain.explain)
app.command("report")(report.report)
app.command("inspect")(inspect.inspect)
app.command("ui")(ui.ui)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("fuse")(fuse.fuse)
app.command("embed")(embed.embed)
app.add_typer(models.app, name="models")
app.add_typer(state.app, name="state")
app.command("verify")(verify.verify)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("docs")(docs.docs)


@app.command("schema")
@error_boundary
def schema() -> None:
    """Print the JSON Schema of the JSON report."""
    import json

    from fakefacecli.reports.schema import report_schema

    typer.echo(json.dumps(report_schema(), indent=2))


def main() -> None:
    """Run the command line."""
    # otherwise torch's threads keep their cores busy while they wait for each other, and the
    # decoders need these cores: a scan of 12 photographs on two cores took 14 s of CPU time, not 8
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # pages of 2 MB instead of 4 kB under large tensors: half of the time in the kernel went there
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    start(app)
