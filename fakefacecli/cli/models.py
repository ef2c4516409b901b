"""`fakeface models list|info|verify`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakefacecli.cli.console import told
from fakefacecli.errors import ExitCode
from fakefacecli.options import DEFAULT_MODEL
from fakefacecli.text import printable

if TYPE_CHECKING:
    from fakefacecli.models.card import ModelCard

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
    Console(highlight=False).print(table)


@app.command("info")
@told
def info(name: Name = DEFAULT_MODEL) -> None:
    """Show a model's card: how it is fed, its thresholds, what was measured."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fakefacecli.models.bundled import find_model
    from fakefacecli.models.card import SIDES

    checkpoint = find_model(name)
    card = checkpoint.card
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    facts = {
        "name": card.name,
        "file": checkpoint.path,
        "sha256": checkpoint.sha256,
        "backbone": card.backbone,
        "input": _input(card),
        "crop": f"{card.crop_scale} x {SIDES[card.stretch]}, to a square; edges repeat",
        "calibration": card.calibration.words(),
        "fitted on": card.calibration.fitted_on,
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


def _input(card: "ModelCard") -> str:
    mean, std = (
        str(triple[0]) if len(set(triple)) == 1 else str(list(triple))
        for triple in (card.mean, card.std)
    )
    kind = "RGB" if card.channels == "rgb" else "Error Level Analysis"
    via = f" by way of {card.via_px} px" if card.via_px else ""
    grey = "grey" if card.levels == 255 else "grey / 255"
    return (
        f"{card.input_px} x {card.input_px} px {kind}, {card.resize}{via}, "
        f"({grey} - {mean}) / {std}"
    )


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
