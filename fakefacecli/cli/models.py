"""`fakeface models list|info|verify|selftest|import`."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakefacecli.base.errors import ExitCode, ModelRefused, UsageError
from fakefacecli.base.options import DEFAULT_MODEL
from fakefacecli.base.text import printable
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary
from fakefacecli.cli.edits import EDITS, edits_table
from fakefacecli.cli.flags import takes

if TYPE_CHECKING:
    from fakefacecli.models.card import ModelCard
    from fakefacecli.models.judge import AnyCheckpoint

app = typer.Typer(help="The models that come with fakeface, and checkpoints of yours.")

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A bundled model or a checkpoint.")]


@app.command("list")
@error_boundary
def list_() -> None:
    """List the bundled models, and the weights of the second detector."""
    from fakefacecli.models.bundled import (
        BUNDLED,
        SECOND_DETECTOR,
        find_model,
        second_detector_file,
    )
    from fakefacecli.models.judge import members_of

    # lines and no table: the names of networks are long, and a terminal may have 80 columns
    for name in BUNDLED:
        checkpoint = find_model(name)
        thresholds = checkpoint.card.thresholds
        typer.echo(f"{name} (default)" if name == DEFAULT_MODEL else name)
        sha256 = checkpoint.sha256[:12]
        typer.echo(f"  LOW {thresholds.low}, HIGH {thresholds.high}, sha256 {sha256}")
        for member in members_of(checkpoint):
            card = member.checkpoint.card
            typer.echo(f"  {card.backbone}, {card.input_px} px")
    second_detector_file()  # a file that was changed is refused, as those above are
    typer.echo(f"{SECOND_DETECTOR.name} (detector)")
    typer.echo(f"  sha256 {SECOND_DETECTOR.sha256[:12]}")


@app.command("info")
@error_boundary
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
    table.add_column(overflow="fold")  # a path or a name must not lose its end
    facts = {
        "name": card.name,
        "file": checkpoint.path,
        "sha256": checkpoint.sha256,
        "backbone": card.backbone,
        **_feeding(checkpoint),
        "calibration": card.calibration.words(),
        "fitted on": card.calibration.fitted_on,
        "flagged": f"p_fake >= {card.thresholds.high}",
        "not flagged": f"p_fake < {card.thresholds.low}",
        "smallest face": f"{card.min_face_px} px",
        "trained on": card.trained_on,
    }
    for key, value in facts.items():
        table.add_row(key, Text(printable(value)))
    edits = edits_table(card.measured)
    for group, figures in card.measured.items():
        if group != EDITS or edits is None:
            table.add_row("measured", Text(printable(f"{group}: {_figures(figures)}")))
    console = Console(highlight=False)
    console.print(table)
    if edits is not None:
        console.print(edits)


def _feeding(checkpoint: "AnyCheckpoint") -> dict[str, str]:
    """What is cut out for a face, and what each network sees of it."""
    from fakefacecli.models.judge import JudgeCheckpoint
    from fakefacecli.models.window import SIDES

    if not isinstance(checkpoint, JudgeCheckpoint):
        card = checkpoint.card
        if card.rule:
            return {"input": _input(card), "window": card.rule.words(), "sees": _seen(card)}
        crop = f"{card.crop_scale} x {SIDES[card.stretch]}, to a square; edges repeat"
        return {"input": _input(card), "crop": crop}
    facts = {"window": checkpoint.card.window.words()}
    for member in checkpoint.members:
        card = member.checkpoint.card
        facts[f"  {member.name}"] = (
            f"{card.backbone}, weight {member.weight:g}, sees {_seen(card)}; {_input(card)}; "
            f"sha256 {member.checkpoint.sha256[:12]}"
        )
    return facts


def _seen(card: "ModelCard") -> str:
    """What of its window a network sees."""
    return "its middle as it is" if card.view == "native" else f"{card.crop_scale} x the box"


def _input(card: "ModelCard") -> str:
    mean, std = (
        str(triple[0]) if len(set(triple)) == 1 else str(list(triple))
        for triple in (card.mean, card.std)
    )
    # as formulas show it: the network sees (value - mean) / std, of values 0..255 or 0..1
    kind = "RGB" if card.channels == "rgb" else "Error Level Analysis"
    via = f" by way of {card.via_px} px" if card.via_px else ""
    grey = "grey" if card.levels == 255 else "grey / 255"
    return (
        f"{card.input_px} x {card.input_px} px {kind}, {card.resize}{via}, "
        f"({grey} - {mean}) / {std}"
    )


def _figures(figures: Any) -> str:
    if not isinstance(figures, dict):
        return str(figures)
    inner = (
        f"{key} ({_figures(value)})" if isinstance(value, dict) else f"{key} {value}"
        for key, value in figures.items()
    )
    return ", ".join(inner)


@app.command("verify")
@error_boundary
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Default: every bundled model and detector."),
    ] = None,
) -> ExitCode:
    """Check that a model's file is whole: its hash (bundled models), its card, every weight."""
    from fakefacecli.models.bundled import BUNDLED, SECOND_DETECTOR, find_model
    from fakefacecli.models.checkpoint import load
    from fakefacecli.models.judge import JudgeCheckpoint, members_of

    code = ExitCode.COMPLETE
    for name in names or (*BUNDLED, SECOND_DETECTOR.name):
        try:
            if name == SECOND_DETECTOR.name:
                _verify_detector()
                continue
            checkpoint = find_model(name)
            for member in members_of(checkpoint):
                # a hash and a card do not show that every weight fits the network
                load(member.checkpoint)
            typer.echo(f"{printable(name)}: ok, sha256 {checkpoint.sha256}")
            for member in checkpoint.members if isinstance(checkpoint, JudgeCheckpoint) else ():
                typer.echo(f"  {member.name}: ok, sha256 {member.checkpoint.sha256}")
        except ModelRefused as error:  # and go on: all damaged files are named in one run
            complain(str(error))
            code = error.exit_code
    return code


def _verify_detector() -> None:
    """Check the second detector's file and load it; ModelRefused where it is not as shipped."""
    from fakefacecli.detect.second import CenterFaceDetector
    from fakefacecli.models.bundled import SECOND_DETECTOR

    CenterFaceDetector()
    typer.echo(f"{SECOND_DETECTOR.name}: ok, sha256 {SECOND_DETECTOR.sha256}")


@app.command("selftest")
@error_boundary
def selftest(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Default: every bundled model and detector."),
    ] = None,
    device: Annotated[str, flags.device("Where it runs")] = "auto",
) -> ExitCode:
    """Judge a shipped photograph: each model and network must say what it said when shipped."""
    from fakefacecli.cli.doctor import detector_said, said
    from fakefacecli.models.bundled import BUNDLED, SECOND_DETECTOR
    from fakefacecli.scan.selftest import detector_test, self_test

    code = ExitCode.COMPLETE
    for name in names or (*BUNDLED, SECOND_DETECTOR.name):
        try:
            if name == SECOND_DETECTOR.name:
                lines = detector_said(detector_test(device))
            else:
                lines = said(self_test(name, device))
            typer.echo("\n".join(lines))
        except ModelRefused as error:  # and go on, as in verify
            complain(f"self-test failed: {error}")
            code = error.exit_code
    return code


@dataclass(frozen=True, slots=True)
class ImportFlags:
    """What was typed after `fakeface models import`; None where the model's system says it."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="A .pth, .pt or .safetensors.")]
    backbone: Annotated[str, typer.Option(metavar="NAME", help="As in train.")]
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Default: FILE's name + .safetensors, if new."),
    ] = None
    positive_class: Annotated[
        int,
        typer.Option(
            metavar="N",
            help='Which of two outputs means "fake"; of one output, 0: it means "real".',
        ),
    ] = 1
    input_px: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=16, max=1024, help="Its input's side (as its system had it)."
        ),
    ] = None
    normalise: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE", help="unit, imagenet, symmetric or facenet: fakeface docs models."
        ),
    ] = None
    crop_scale: Annotated[
        float | None,
        typer.Option(
            metavar="X", min=0.5, max=4.0, help="What it saw of a picture, over the face's box."
        ),
    ] = None
    input_: Annotated[str, typer.Option("--input", metavar="rgb|ela")] = "rgb"


@app.command("import")
@error_boundary
@takes(ImportFlags)
def import_(given: ImportFlags) -> None:
    """Turn a published checkpoint into one of fakeface; its card says how faces are fed."""
    from fakefacecli.models.backbones import check_flag
    from fakefacecli.models.card import CHANNELS
    from fakefacecli.models.checkpoint import save
    from fakefacecli.models.foreign import NORMALISATIONS, Feeding, fit, foreign_card, read_foreign

    for flag, found, wanted in (
        ("--normalise", given.normalise or "unit", NORMALISATIONS),
        ("--input", given.input_, CHANNELS),
    ):
        if found not in wanted:
            raise UsageError(f"{flag} {found}: wanted {' or '.join(wanted)}")
    # in this order: a wrong flag and a wrong FILE are reported before a wrong --out
    check_flag(given.backbone)
    found_state = read_foreign(given.file)
    stem = os.path.splitext(os.path.basename(given.file))[0]
    target = _target(given.file, given.out, stem)
    state, head = fit(found_state, given.backbone, given.positive_class, given.file)
    feeding = Feeding(given.input_px, given.normalise, given.crop_scale, given.input_)
    card = foreign_card(
        stem, given.backbone, head, feeding, printable(os.path.basename(given.file))
    )
    save(target, state, card, check=True)
    typer.echo(f"{printable(target)}: {given.backbone}, head {head}, {_input(card)}")
    complain(
        "uncalibrated, and nothing is measured here; see `fakeface models info` for how it is fed"
    )


def _target(file: str, out: str | None, stem: str) -> str:
    """The file to write; UsageError or CannotWrite if it cannot be, or would replace one."""
    from fakefacecli.scan.targets import check_file

    target = out or f"{stem}.safetensors"
    if os.path.realpath(target) == os.path.realpath(file):
        raise UsageError(f"{target} is the file itself; name another with --out")
    # a name that the user did not type replaces no file; one that was typed may
    if out is None and os.path.lexists(target):
        raise UsageError(f"{target} is there already; name another file, or this one, with --out")
    check_file(target)
    return target
