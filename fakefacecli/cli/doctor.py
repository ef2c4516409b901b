"""`fakeface doctor`: does this installation judge faces as it should?"""

from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import ExitCode, ModelRefused
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary

if TYPE_CHECKING:
    from fakefacecli.scan.selftest import DetectorTest, SelfTest


@error_boundary
def doctor(
    device: Annotated[str, flags.device("Where the self-test runs")] = "auto",
) -> ExitCode:
    """Show versions and devices, check the bundled models and judge a shipped photograph."""
    from fakefacecli.models.bundled import BUNDLED
    from fakefacecli.scan.machine import pick_device, versions
    from fakefacecli.scan.selftest import detector_test, self_test

    pick_device(device)  # refuses a wrong --device before anything is printed
    typer.echo("versions")
    for name, version in versions().items():
        typer.echo(f"  {name:<16}{version}")
    typer.echo("devices")
    for line in _devices():
        typer.echo(f"  {line}")
    typer.echo("formats")
    for line in _formats():
        typer.echo(f"  {line}")
    try:
        typer.echo("self-test")
        for name in BUNDLED:
            for line in said(self_test(name, device)):
                typer.echo(f"  {line}")
        for line in detector_said(detector_test(device)):
            typer.echo(f"  {line}")
    except ModelRefused as error:
        complain(f"self-test failed: {error}")
        return ExitCode.MODEL_REFUSED
    typer.echo("all is well")
    return ExitCode.COMPLETE


def said(test: "SelfTest") -> list[str]:
    """A self-test that was passed, in lines."""
    lines = [
        f"model           {test.model}, sha256 {test.sha256[:12]}... as shipped",
        f"p_fake          {test.p_fake:.4f} on {test.device}, wanted {test.wanted:.4f}",
    ]
    for name, logit, wanted in test.members:
        lines.append(f"  {name:<14}{logit:.3f}, wanted {wanted:.3f}")
    return [*lines, f"box             within {test.box_off_px:.2f} px"]


def detector_said(test: "DetectorTest") -> list[str]:
    """The second detector's test, passed, in lines."""
    return [
        f"detector        {test.name}, sha256 {test.sha256[:12]}... as shipped",
        f"box             within {test.box_off_px:.2f} px, score {test.score:.3f}",
    ]


def _devices() -> list[str]:
    import torch

    lines = [f"cpu             {torch.get_num_threads()} threads"]
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        lines.append(f"cuda:{number}          {facts.name}, {facts.total_memory >> 30} GiB")
    if torch.backends.mps.is_available():
        lines.append("mps             Apple GPU")
    return lines


def _formats() -> list[str]:
    from fakefacecli.base.extras import how_to_install
    from fakefacecli.decode.formats import DECODED, NOT_DECODED, allowed_formats
    from fakefacecli.evidence import pdq

    ready = allowed_formats()
    lines = [f"reads           {', '.join(ready)}"]
    for name in sorted(DECODED.difference(ready)):
        needs = how_to_install("heif") if name == "HEIF" else "a Pillow that was built with it"
        lines.append(f"would read      {name}, with {needs}")
    lines.append(f"does not read   {', '.join(NOT_DECODED)}")
    if not pdq.is_installed():
        lines.append(f"would hash      pictures by PDQ, with {how_to_install('pdq')}")
    return lines
