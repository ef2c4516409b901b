"""`fakeface fuse`: one judge of several networks, fitted on faces of your own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import CannotWrite, ExitCode, UsageError
from fakefacecli.base.options import Detectors, JudgeOptions
from fakefacecli.base.text import counted, printable
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.flags import Device, FacesOnly, FacesScale, MinFace, TargetFpr, takes
from fakefacecli.cli.labelled import (
    estimate_words,
    labelled_images,
    open_checkpoint,
    report_missed,
)

if TYPE_CHECKING:
    from fakefacecli.evaluate.fused import Fused
    from fakefacecli.figures.results import Estimate
    from fakefacecli.labelled.data import LabelledImage
    from fakefacecli.models.judge import JudgeCheckpoint
    from fakefacecli.models.members import Candidate


@dataclass(frozen=True, slots=True)
class FuseFlags:
    """What was typed after `fakeface fuse`."""

    members: Annotated[
        list[str],
        typer.Argument(metavar="MEMBER...", help="Bundled names, checkpoints, or JUDGE:MEMBER."),
    ]
    data: Annotated[
        str, typer.Option(metavar="DATA", help="Labelled images that no member was trained on.")
    ]
    out: Annotated[str, typer.Option(metavar="FILE", help="The new judge, a .json file.")]
    target_fpr: TargetFpr = 0.01
    faces_only: FacesOnly = False
    faces_scale: FacesScale = None
    min_face: MinFace = 40
    device: Device = "auto"


@error_boundary
@takes(FuseFlags)
def fuse(flags: FuseFlags) -> ExitCode:
    """Fit a judge of several networks on labelled images; write its card beside their weights."""
    from fakefacecli.evaluate.fused import fuse_judge, unfitted
    from fakefacecli.evaluate.run import missed_images, score_images
    from fakefacecli.models.members import find_candidates

    if not flags.out.endswith(".json"):
        raise UsageError(f"--out {flags.out}: wanted a name that ends in .json")
    candidates = find_candidates(flags.members)
    name = os.path.splitext(os.path.basename(flags.out))[0]
    judge = unfitted(flags.out, name, candidates)
    _check_out(judge)  # now, rather than after minutes of judging
    images = _images(flags.data, candidates)
    # as in calibrate: the faces that MTCNN finds
    options = JudgeOptions(
        flags.out, min_face_px=flags.min_face, device=flags.device, detector=Detectors.MTCNN
    )
    faces = (flags.faces_only, flags.faces_scale)
    with stoppable() as stop:
        with open_checkpoint(options, judge, faces, stop, explains=False) as subject:
            judged = score_images(images, subject, grid=False)
        done = fuse_judge(judge, judged, flags.target_fpr)
        stop()  # the last moment: what is written below belongs together
        _write(done.judge, candidates, images)
    _summary(done, flags.out)
    return report_missed(missed_images(judged.missed))


def _check_out(judge: "JudgeCheckpoint") -> None:
    from fakefacecli.models.judge_file import check_members, member_path
    from fakefacecli.scan.targets import check_new
    from fakefacecli.train.split_file import division_path

    check_new(judge.path)
    check_members(judge)
    copies = (member_path(judge.path, member) for member in judge.members)
    for path in (judge.path, *(copy for copy in copies if not os.path.lexists(copy))):
        split = division_path(path)
        if os.path.lexists(split):
            raise CannotWrite(
                f"cannot write {split}: it is the split of another model; name another --out"
            )


def _images(data: str, candidates: "Sequence[Candidate]") -> "list[LabelledImage]":
    """The images to fuse on; UsageError for one that a member was trained on, or of its groups.

    Images without a split that a member was trained on are left out, as in evaluate. One whose
    split says otherwise is refused: either the split is wrong or the member's.
    """
    from fakefacecli.evaluate.fused import SPLITS
    from fakefacecli.train.split_file import learnt_by

    models = {path: one for one in candidates for path in (one.checkpoint.path, *one.judges)}
    note = "; only val, unseen, or images of no split, are fused on"
    images = labelled_images(data, tuple(models), SPLITS, note)
    for path, one in models.items():
        learnt = learnt_by(path)
        for image in images:
            if os.path.realpath(image.path) in learnt.paths:
                raise UsageError(
                    f"{image.path}: {one.given} was trained on it; give it the split train, or "
                    "leave it out"
                )
            # val is of sources that were trained on, and says so
            if image.split != "val" and image.group in learnt.groups:
                raise UsageError(
                    f"{image.path}: {one.given} was trained on faces of its group {image.group}; "
                    "give it the split val if that is meant, or leave the group out"
                )
    return images


def _write(
    judge: "JudgeCheckpoint", candidates: "Sequence[Candidate]", images: "list[LabelledImage]"
) -> None:
    from fakefacecli.models.judge_file import member_path, write_judge
    from fakefacecli.train.split_file import join_divisions, keep_division

    for member in judge.members:
        copy = member_path(judge.path, member)
        if not os.path.lexists(copy):
            keep_division(member.checkpoint.path, copy)
    # so that evaluate knows which images the judge's members were trained on
    models = [path for one in candidates for path in (one.checkpoint.path, *one.judges)]
    join_divisions(models, images, judge.path)
    write_judge(judge)


def _summary(done: "Fused", out: str) -> None:
    complain(f"fitted on {done.judge.card.calibration.fitted_on}")
    if done.left_out:
        complain(
            f"left out {counted(done.left_out, 'face')} too small, turned too far or cut off: a "
            "scan calls that inconclusive"
        )
    if done.few:
        complain("few faces or groups: weights, thresholds and figures are rough; add some")
    _table(done)
    thresholds, choice = done.choice.thresholds, done.choice
    complain(f"calibration {done.judge.card.calibration.words()}")
    complain(
        f"HIGH {thresholds.high:.4f}: {_share(choice.flagged_real)} of the real faces and "
        f"{_share(choice.flagged_fake)} of the fakes lie there or above"
    )
    complain(f"LOW {thresholds.low:.4f}: {_share(choice.cleared_fake)} of the fakes lie below")
    complain(f"written {out}; measure it on other faces with fakeface evaluate")


def _table(done: "Fused") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    fitted = done.fitted
    weights = {member.name: f"{member.weight:.3f}" for member in done.judge.members}
    title = (
        f"{counted(done.faces, 'face')}, {fitted.folds} folds of groups, ridge {fitted.strength:g}"
    )
    heads = ("", "weight", "AUC", "fakes found at 1 % false alarms")
    table = Table(*heads, title=Text(title), title_justify="left")
    for name, row in done.figures.items():
        table.add_row(
            Text(printable(name)), weights.get(name, ""), *map(estimate_words, row.values())
        )
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:  # a pipe has no width to break lines for
        console.width = 120
    console.print(table)


def _share(found: "Estimate") -> str:
    return "an unknown part" if found.value is None else f"{100 * found.value:.2f} %"
