"""Writing a judge: its card (format 2) and, beside it, the files of its members."""

import json
import os
import shutil
from dataclasses import asdict
from typing import Any

from fakefacecli.base.errors import CannotWrite, ModelRefused
from fakefacecli.base.files import atomic_write, cannot_write
from fakefacecli.models.card import card_json
from fakefacecli.models.checkpoint import sha256_of
from fakefacecli.models.judge import FORMAT, AnyCheckpoint, JudgeCheckpoint, Member


def member_path(judge: str, member: Member) -> str:
    """Where the member's file lies, or will lie, beside the card at the path `judge`.

    A file that is in the card's folder already keeps its place; another is copied.
    """
    folder, path = os.path.dirname(judge), member.checkpoint.path
    if os.path.realpath(os.path.dirname(path) or ".") == os.path.realpath(folder or "."):
        return os.path.join(folder, os.path.basename(path))
    stem = os.path.splitext(os.path.basename(judge))[0]
    return os.path.join(folder, f"{stem}-{member.name}.safetensors")


def check_members(judge: JudgeCheckpoint) -> None:
    """Raise CannotWrite where another file has the place that a member's copy would get."""
    for member in judge.members:
        place = member_path(judge.path, member)
        if os.path.lexists(place) and sha256_of(place) != member.checkpoint.sha256:
            raise CannotWrite(
                f"cannot write {place}: another file is there; name another --out, or remove it"
            )


def write_judge(judge: JudgeCheckpoint) -> None:
    """Copy the members' files beside the card, then write the card, the last of all.

    Raises CannotWrite, and ModelRefused where a member's file has changed since it was read.
    """
    check_members(judge)
    for member in judge.members:
        place = member_path(judge.path, member)
        if not os.path.lexists(place):
            _copy(member, place)
    text = json.dumps(judge_facts(judge), indent=1, allow_nan=False) + "\n"
    with atomic_write(judge.path) as handle:
        handle.write(text.encode())


def card_facts(checkpoint: AnyCheckpoint) -> dict[str, Any]:
    """The card of a model as JSON has it, of a single network or of a judge."""
    if isinstance(checkpoint, JudgeCheckpoint):
        return judge_facts(checkpoint)
    facts: dict[str, Any] = json.loads(card_json(checkpoint.card))
    return facts


def judge_facts(judge: JudgeCheckpoint) -> dict[str, Any]:
    """The JSON object that `read_judge` reads back."""
    card = judge.card
    meaning = {"meaning": card.meaning} if card.meaning else {}
    return {
        "format": FORMAT,
        "name": card.name,
        "positive": "fake",
        "members": [_member_facts(judge.path, member) for member in judge.members],
        "window": card.window.facts(),
        "fusion": {
            "method": "weighted sum of the members' logits",
            "weights": [member.weight for member in judge.members],
            "bias": card.bias,
        },
        "calibration": card.calibration.facts(),
        "thresholds": {"low": card.thresholds.low, "high": card.thresholds.high, **meaning},
        **({"early_exit": asdict(card.early_exit)} if card.early_exit else {}),
        "min_face_px": card.min_face_px,
        "measured": dict(card.measured),
        "trained_on": card.trained_on,
    }


def _member_facts(judge: str, member: Member) -> dict[str, Any]:
    card = member.checkpoint.card
    return {
        "name": member.name,
        "file": os.path.basename(member_path(judge, member)),
        "sha256": member.checkpoint.sha256,
        "backbone": card.backbone,
        "view": card.view,
        "scale": card.crop_scale,
        "via_px": card.via_px or None,
        "input_px": card.input_px,
        "mean": list(card.mean),
        "std": list(card.std),
    }


def _copy(member: Member, place: str) -> None:
    try:
        with open(member.checkpoint.path, "rb") as before, atomic_write(place) as handle:
            shutil.copyfileobj(before, handle)
    except OSError as error:
        raise cannot_write(place, error) from error
    if sha256_of(place) != member.checkpoint.sha256:
        os.unlink(place)
        raise ModelRefused(f"{member.checkpoint.path}: the file changed while it was read")
