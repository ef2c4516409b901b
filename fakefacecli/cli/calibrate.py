"""`fakeface calibrate`: probabilities and thresholds for a model, fitted on faces of your own."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import CannotWrite, ExitCode, UsageError
from fakefacecli.base.options import DEFAULT_NETWORK, Detectors, JudgeOptions
from fakefacecli.base.text import counted
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.flags import (
    Data,
    Device,
    FacesOnly,
    FacesScale,
    MinFace,
    Model,
    TargetFpr,
    takes,
)
from fakefacecli.cli.labelled import labelled_images, open_checkpoint, report_missed
from fakefacecli.models.calibration import Method

if TYPE_CHECKING:
    from fakefacecli.evaluate.calibrate import Recalibrated
    from fakefacecli.figures.results import Estimate


@dataclass(frozen=True, slots=True)
class CalibrateFlags:
    """What was typed after `fakeface calibrate`."""

    data: Data
    out: Annotated[
        str, typer.Option(metavar="FILE", help="The new checkpoint, a .safetensors file.")
    ]
    model: Model = DEFAULT_NETWORK
    target_fpr: TargetFpr = 0.01
    method: Annotated[
        Method,
        typer.Option(
            metavar="METHOD",
            help="How logits become probabilities: platt, temperature or isotonic.",
        ),
    ] = Method.PLATT
    faces_only: FacesOnly = False
    faces_scale: FacesScale = None
    min_face: MinFace = 40
    device: Device = "auto"


@error_boundary
@takes(CalibrateFlags)
def calibrate(flags: CalibrateFlags) -> ExitCode:
    """Fit calibration and thresholds on labelled images; write a checkpoint that holds them."""
    from fakefacecli.evaluate.calibrate import SPLITS, recalibrate, write_checkpoint
    from fakefacecli.evaluate.run import missed_images, score_images
    from fakefacecli.models.bundled import find_network
    from fakefacecli.train.split_file import keep_division

    checkpoint = find_network(flags.model, "calibrate")
    _check_out(flags.out, flags.model)  # now, rather than after minutes of judging
    note = "; only val, or images of no split, are calibrated on"
    images = labelled_images(flags.data, (flags.model,), SPLITS, note)
    # thresholds are about the faces that judges are trained on: those that MTCNN finds
    options = JudgeOptions(
        flags.model,
        min_face_px=flags.min_face,
        device=flags.device,
        detector=Detectors.MTCNN,
    )
    faces = (flags.faces_only, flags.faces_scale)
    with stoppable() as stop:
        with open_checkpoint(options, checkpoint, faces, stop, explains=False) as subject:
            judged = score_images(images, subject, grid=False)
        done = recalibrate(checkpoint.card, judged, flags.method, flags.target_fpr)
        stop()  # the last moment: what is written below belongs together
        write_checkpoint(flags.out, checkpoint, done.card)
        # so that evaluate knows which images the new checkpoint, too, was trained on
        keep_division(flags.model, flags.out)
    _summary(done, flags.out)
    return report_missed(missed_images(judged.missed))


def _check_out(out: str, model: str) -> None:
    from fakefacecli.scan.targets import check_new

    if not out.endswith(".safetensors"):
        raise UsageError(f"--out {out}: wanted a name that ends in .safetensors")
    if os.path.realpath(out) == os.path.realpath(model):
        # before check_new, whose message would advise to remove it
        raise CannotWrite(f"cannot write {out}: it is the model itself; name another file")
    check_new(out)


def _summary(done: "Recalibrated", out: str) -> None:
    choice, card = done.choice, done.card
    complain(f"fitted on {card.calibration.fitted_on}")
    if done.too_small:
        complain(
            f"left out {counted(done.too_small, 'face')} under {card.min_face_px} px: a scan "
            "calls that inconclusive"
        )
    complain(f"calibration {card.calibration.words()}")
    thresholds = choice.thresholds
    complain(
        f"HIGH {thresholds.high:.4f}: {_share(choice.flagged_real)} of the real faces and "
        f"{_share(choice.flagged_fake)} of the fakes lie there or above"
    )
    complain(f"LOW {thresholds.low:.4f}: {_share(choice.cleared_fake)} of the fakes lie below")
    complain(f"written {out}; measure it on other faces with fakeface evaluate")


def _share(found: "Estimate") -> str:
    if found.value is None or found.low is None or found.high is None:
        return "an unknown part"
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.value:.2f} % (95 % interval {low:.2f} to {high:.2f} %)"
