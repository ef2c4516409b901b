"""`fakeface doctor`: does this installation judge faces as it should?"""

import contextlib
import json
from importlib.resources import files
from typing import Annotated

import typer

from fakefacecli.base.errors import ExitCode, ModelRefused
from fakefacecli.base.options import DecodeOptions, JudgeOptions
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary

# another CPU, GPU or library version changes the last digits; a wrong weight or step much more
TOLERANCE = 0.01  # of the probability
_BOX_TOLERANCE_PX = 2.0


@error_boundary
def doctor(
    device: Annotated[str, flags.device("Where the self-test runs.")] = "auto",
) -> ExitCode:
    """Show versions and devices, check the bundled model and judge a shipped photograph."""
    from fakefacecli.scan.build import pick_device, versions

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
        for line in self_test(device):
            typer.echo(f"  {line}")
    except ModelRefused as error:
        complain(f"self-test failed: {error}")
        return ExitCode.MODEL_REFUSED
    typer.echo("all is well")
    return ExitCode.COMPLETE


def self_test(device: str) -> list[str]:
    """Judge the shipped photograph; ModelRefused when the answer is not the one it must give."""
    from fakefacecli.base.records import ImageRef
    from fakefacecli.models.bundled import find_model
    from fakefacecli.scan.build import build_decoder, build_judge
    from fakefacecli.scan.pipeline import Stages, scan

    folder = files("fakefacecli.models") / "selftest"
    # the scan's own stages, not a short cut: what is tested is what a scan does
    golden = json.loads((folder / "golden.json").read_text("utf-8"))
    path = str(folder / golden["file"])
    checkpoint = find_model(golden["model"])
    judge = build_judge(JudgeOptions(device=device), checkpoint)
    decoder = build_decoder(DecodeOptions(workers=1), judge.lanes, batch_size=1)
    with contextlib.closing(decoder):
        ref = ImageRef(0, path, golden["file"])
        [report] = scan([ref], Stages(decoder, judge), batch_size=1)
    if len(report.findings) != 1:
        raise ModelRefused(f"{len(report.findings)} faces found in {path}, wanted 1")
    [finding] = report.findings
    found = finding.verdict.fake_probability
    if abs(found - golden["p_fake"]) > TOLERANCE:
        raise ModelRefused(
            f"p_fake {found:.4f} on the shipped photograph, wanted {golden['p_fake']:.4f} "
            f"within {TOLERANCE}; scores of this installation cannot be trusted"
        )
    # apart from the score, because a wrong box may by chance give a score within the tolerance
    box = finding.box
    edges = (box.left, box.top, box.right, box.bottom)
    off = max(abs(a - b) for a, b in zip(edges, golden["box"], strict=True))
    if off > _BOX_TOLERANCE_PX:
        raise ModelRefused(f"the face's box is {off:.1f} px off; detection cannot be trusted")
    return [
        f"model           {golden['model']}, sha256 {checkpoint.sha256[:12]}... as shipped",
        f"p_fake          {found:.4f} on {judge.device}, wanted {golden['p_fake']:.4f}",
        f"box             within {off:.2f} px",
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

    ready = allowed_formats()
    lines = [f"reads           {', '.join(ready)}"]
    for name in sorted(DECODED.difference(ready)):
        needs = how_to_install("heif") if name == "HEIF" else "a Pillow that was built with it"
        lines.append(f"would read      {name}, with {needs}")
    return [*lines, f"does not read   {', '.join(NOT_DECODED)}"]
