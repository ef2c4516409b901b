"""The self-test: a shipped photograph, judged, must get the scores it got when it was shipped."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.findings import FaceFinding
from fakefacecli.base.options import DecodeOptions, JudgeOptions
from fakefacecli.base.records import Box, DecodedImage, ImageRef
from fakefacecli.detect.second import CenterFaceDetector
from fakefacecli.models.bundled import BUNDLED, SECOND_DETECTOR, find_model
from fakefacecli.scan.build import build_decoder, build_judge
from fakefacecli.scan.machine import pick_device
from fakefacecli.scan.pipeline import Stages, scan

# another CPU, GPU or library version changes the last digits; a wrong weight or step much more
_P_FAKE_OFF = 0.01
_LOGIT_OFF = 0.05
_BOX_OFF_PX = 2.0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What a model said of the shipped photograph's face, beside what it must say.

    `members` are a judge's networks with the logit found and the one wanted; `box_off_px` is how
    far the face's box was off.
    """

    model: str
    sha256: str
    device: str
    p_fake: float
    wanted: float
    box_off_px: float
    members: tuple[tuple[str, float, float], ...] = ()


def self_test(model: str, device: str) -> SelfTest:
    """Judge the shipped photograph with a bundled model, by the very stages of a scan.

    Raises ModelRefused when the answer is not the one it must give, UsageError for a model that is
    not bundled.
    """
    if model not in BUNDLED:
        raise UsageError(f"{model}: no bundled model; wanted {' or '.join(BUNDLED)}")
    golden, path = _golden()
    checkpoint = find_model(model)
    judge = build_judge(JudgeOptions(device=device), checkpoint)
    decoder = build_decoder(DecodeOptions(workers=1))
    with contextlib.closing(decoder):
        ref = ImageRef(0, path, golden["file"])
        [report] = scan([ref], Stages(decoder, judge), batch_size=1)
    if len(report.findings) != 1:
        raise ModelRefused(f"{len(report.findings)} faces found in {path}, wanted 1")
    [finding] = report.findings
    wanted = golden["models"][model]
    found = SelfTest(
        model=model,
        sha256=checkpoint.sha256,
        device=judge.device,
        p_fake=finding.verdict.fake_probability,
        wanted=wanted["p_fake"],
        box_off_px=_box_off(finding.box, golden["box"]),
        members=_members(finding, wanted.get("members", {})),
    )
    check(found)
    return found


@dataclass(frozen=True, slots=True)
class DetectorTest:
    """What the second detector found in the shipped photograph.

    `box_off_px` is how far the face's box was off.
    """

    name: str
    sha256: str
    score: float
    box_off_px: float


def detector_test(device: str) -> DetectorTest:
    """Look for the shipped photograph's face with the second detector alone.

    Raises ModelRefused where its weights are not those that were shipped, or where it finds
    another face.
    """
    detector = CenterFaceDetector(pick_device(device))
    golden, path = _golden()
    decoder = build_decoder(DecodeOptions(workers=1))
    with contextlib.closing(decoder):
        [photo] = decoder.decode([ImageRef(0, path, golden["file"])])
    if not isinstance(photo, DecodedImage):
        raise ModelRefused(f"{path} cannot be read; reinstall fakefacecli")
    [faces] = detector.detect([photo])
    if len(faces) != 1:
        raise ModelRefused(f"{SECOND_DETECTOR.name}: {len(faces)} faces in {path}, wanted 1")
    [face] = faces
    off = _box_off(face.box, golden["detectors"][SECOND_DETECTOR.name])
    if off > _BOX_OFF_PX:
        raise ModelRefused(
            f"{SECOND_DETECTOR.name}: the face's box is {off:.1f} px off; detection cannot be "
            "trusted"
        )
    return DetectorTest(SECOND_DETECTOR.name, SECOND_DETECTOR.sha256, face.score, off)


def _golden() -> tuple[dict[str, Any], str]:
    """What is wanted, and where the shipped photograph lies."""
    folder = files("fakefacecli.models") / "selftest"
    golden = json.loads((folder / "golden.json").read_text("utf-8"))
    return golden, str(folder / golden["file"])


def _box_off(box: Box, wanted: Sequence[float]) -> float:
    edges = (box.left, box.top, box.right, box.bottom)
    return max(abs(a - b) for a, b in zip(edges, wanted, strict=True))


def _members(
    finding: FaceFinding, wanted: dict[str, float]
) -> tuple[tuple[str, float, float], ...]:
    said = {opinion.member: opinion.logit for opinion in finding.verdict.opinions}
    if said.keys() != wanted.keys():
        raise ModelRefused(f"networks {', '.join(said)} found, wanted {', '.join(wanted)}")
    return tuple((name, said[name], wanted[name]) for name in said)


def check(found: SelfTest) -> None:
    """Raise ModelRefused where a self-test found something else than it must."""
    if abs(found.p_fake - found.wanted) > _P_FAKE_OFF:
        raise ModelRefused(
            f"{found.model}: p_fake {found.p_fake:.4f} on the shipped photograph, wanted "
            f"{found.wanted:.4f} within {_P_FAKE_OFF}; scores of this installation cannot be "
            "trusted"
        )
    for name, logit, wanted in found.members:
        if abs(logit - wanted) > _LOGIT_OFF:
            raise ModelRefused(
                f"{found.model}: its network {name} says {logit:.3f} of the shipped photograph, "
                f"wanted {wanted:.3f} within {_LOGIT_OFF}; scores cannot be trusted"
            )
    # apart from the score, because a wrong box may by chance give a score within the tolerance
    if found.box_off_px > _BOX_OFF_PX:
        raise ModelRefused(
            f"the face's box is {found.box_off_px:.1f} px off; detection cannot be trusted"
        )
