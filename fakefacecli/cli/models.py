"""`fakeface models list|info|verify`."""

from typing import Annotated, Any

import typer

from fakefacecli.cli.console import told
from fakefacecli.errors import ExitCode
from fakefacecli.options import DEFAULT_MODEL
from fakefacecli.text import printable

app = typer.Typer(help="The models that come with fakeface, and checkpoints of yours.")

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A bundled model or a checkpoint.")]


@app.command("list")
@told
def list_() -> None:
    """List the bundled models."""
    from rich.console import Console
    from rich.table import Table

    from fakefacecli.models.bundled import BUNDLED
    from fakefacecli.models.checkpoint import read_checkpoint

    table = Table("name", "backbone", "input", "LOW", "HIGH", "sha256")
    for name, model in BUNDLED.items():
        card = read_checkpoint(model.path).card
        shown = f"{name} (default)" if name == DEFAULT_MODEL else name
        low, high = card.thresholds.low, card.thresholds.high
        table.add_row(
            *(shown, card.backbone, f"{card.input_px} px", str(low), str(high)), model.sha256[:12]
        )
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe has no width to cut names for
        console.width = 200
    console.print(table)


@app.command("info")
@told
def info(name: Name = DEFAULT_MODEL) -> None:
    """Show a model's card: how it is fed, its thresholds, what was measured."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fakefacecli.models.bundled import find_model

    checkpoint = find_model(name)
    card = checkpoint.card
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    calibration = card.calibration
    facts = {
        "name": card.name,
        "file": checkpoint.path,
        "sha256": checkpoint.sha256,
        "backbone": card.backbone,
        "input": f"{card.input_px} x {card.input_px} px RGB, (grey - {card.mean}) / {card.std}",
        "crop": f"square, {card.crop_scale} x the longer side of the box; edges repeat",
        "calibration": f"{calibration.method}, sigmoid({calibration.a} * logit + {calibration.b})",
        "fitted on": calibration.fitted_on,
        "flagged": f"p_fake >= {card.thresholds.high}",
        "not flagged": f"p_fake < {card.thresholds.low}",
        "smallest face": f"{card.min_face_px} px",
        "trained on": card.trained_on,
    }
    for key, value in facts.items():
        table.add_row(key, Text(printable(value)))
    for group, figures in card.measured.items():
        table.add_row("measured", Text(f"{printable(group)}: {_figures(figures)}"))
    Console(highlight=False).print(table)


def _figures(figures: Any) -> str:
    if not isinstance(figures, dict):
        return printable(str(figures))
    inner = (
        f"{printable(str(key))} ({_figures(value)})"
        if isinstance(value, dict)
        else f"{printable(str(key))} {printable(str(value))}"
        for key, value in figures.items()
    )
    return ", ".join(inner)


@app.command("verify")
@told
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Default: every bundled model."),
    ] = None,
) -> ExitCode:
    """Check that a model's file is whole: its hash (bundled models), its card, every weight."""
    from fakefacecli.cli.console import complain
    from fakefacecli.errors import ModelRefused
    from fakefacecli.models.bundled import BUNDLED, find_model
    from fakefacecli.models.checkpoint import load

    code = ExitCode.COMPLETE
    for name in names or BUNDLED:
        try:
            checkpoint = find_model(name)
            load(checkpoint)
            typer.echo(f"{printable(name)}: ok, sha256 {checkpoint.sha256}")
        except ModelRefused as error:
            complain(str(error))
            code = error.exit_code
    return code
