"""The card of a judge of several networks: a JSON file (format 2), their weights beside it.

The judge's logit is a weighted sum of its members' logits and a bias; calibration and thresholds
are over that sum. Each member is a safetensors file of its own with the sha256 that the card names.
A single network is a judge of one member, whose card travels inside its checkpoint (format 1).
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fakefacecli.base.errors import ModelRefused
from fakefacecli.base.verdicts import Contribution, Opinion, Thresholds
from fakefacecli.models.backbones import check_backbone
from fakefacecli.models.calibration import Calibration, finite, read_calibration
from fakefacecli.models.card import VIEWS, ModelCard, check_ranges, triple
from fakefacecli.models.checkpoint import Checkpoint, require_file, sha256_of
from fakefacecli.models.window import WindowRule, check_known, read_window

FORMAT = 2
SUFFIX = ".json"
_MAX_CARD_BYTES = 1_000_000
MOST_MEMBERS = 16
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")  # a column of reports is called so


@dataclass(frozen=True, slots=True)
class Member:
    """One network of a judge, the name of its column in reports, and what its logit weighs."""

    name: str
    checkpoint: Checkpoint
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class EarlyExit:
    """When the judge's cheap networks suffice, if a scan is to save time.

    A weighted sum of the logits of `members` and `bias` estimate the judge's logit. Below `below`
    and above `above` the estimate stands for it; the card's thresholds are presumed.
    """

    members: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    below: float
    above: float


@dataclass(frozen=True, slots=True)
class JudgeCard:
    """What a judge says of itself, but for its members. `meaning` is that of its thresholds."""

    name: str
    window: WindowRule
    bias: float
    calibration: Calibration
    thresholds: Thresholds
    min_face_px: int
    backbone: str
    trained_on: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    meaning: str = ""
    early_exit: EarlyExit | None = None


@dataclass(frozen=True, slots=True)
class JudgeCheckpoint:
    """A judge's card and its members, whose files have the hashes that the card names.

    `sha256` is the card's, which holds those of the members.
    """

    path: str
    sha256: str
    card: JudgeCard
    members: tuple[Member, ...]


AnyCard = ModelCard | JudgeCard
AnyCheckpoint = Checkpoint | JudgeCheckpoint


def members_of(checkpoint: AnyCheckpoint) -> tuple[Member, ...]:
    """The networks that judge; of a single network itself, with the weight 1."""
    if isinstance(checkpoint, JudgeCheckpoint):
        return checkpoint.members
    return (Member(checkpoint.card.backbone, checkpoint),)


def member_names(checkpoint: AnyCheckpoint) -> tuple[str, ...]:
    """What a judge's networks are called in reports; none for a single network."""
    members = members_of(checkpoint)
    return tuple(member.name for member in members) if len(members) > 1 else ()


def contributions(
    members: Iterable[tuple[str, float, ModelCard]], opinions: Iterable[Opinion]
) -> tuple[Contribution, ...]:
    """What each of a judge's members (name, weight, card) added to a face's logit, in order.

    A member without an opinion was not asked.
    """
    logits = {opinion.member: opinion.logit for opinion in opinions}
    return tuple(
        Contribution(name, weight, logits.get(name), _sees(card)) for name, weight, card in members
    )


def _sees(card: ModelCard) -> str:
    if card.view == "native":
        return f"the middle {card.input_px} px, not resized"
    return f"{card.crop_scale:g} x the face, at {card.input_px} px"


def read_judge(path: str) -> JudgeCheckpoint:
    """Read a judge's card and hash its members, without importing torch.

    A member's file lies in the card's folder. Raises ModelRefused, naming the file, when anything
    is missing, damaged, altered, or not known to this version.
    """
    require_file(path, "no such model file; see `fakeface models list`")
    try:
        with open(path, "rb") as handle:
            data = handle.read(_MAX_CARD_BYTES + 1)
        if len(data) > _MAX_CARD_BYTES:
            raise ModelRefused(f"{path}: over {_MAX_CARD_BYTES} bytes; wanted a judge's card")
        raw = json.loads(data)
    except OSError as error:
        raise ModelRefused(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    except (ValueError, RecursionError):
        raise ModelRefused(f"{path}: not JSON; wanted a judge's card") from None
    try:
        card, members = _read(raw, path)
    except KeyError as error:
        raise ModelRefused(f"{path}: it has no {error.args[0]!r}; wanted a judge's card") from None
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelRefused(f"{path}: malformed ({error}); wanted a judge's card") from None
    return JudgeCheckpoint(path, hashlib.sha256(data).hexdigest(), card, members)


def _read(raw: Mapping[str, Any], path: str) -> tuple[JudgeCard, tuple[Member, ...]]:
    check_known(path, "format", raw["format"], (FORMAT,))
    check_known(path, "positive", raw["positive"], ("fake",))
    window = read_window(raw["window"], path)
    listed, fusion, thresholds = raw["members"], raw["fusion"], raw["thresholds"]
    weights = [finite(weight) for weight in fusion["weights"]]
    names = [str(member["name"]) for member in listed]
    if not 1 <= len(listed) == len(weights) <= MOST_MEMBERS or len(set(names)) < len(names):
        raise ValueError(f"{len(listed)} members and {len(weights)} weights")
    calibration = read_calibration(raw["calibration"])
    limits = Thresholds(finite(thresholds["low"]), finite(thresholds["high"]))
    card = JudgeCard(
        name=str(raw["name"]),
        window=window,
        bias=finite(fusion["bias"]),
        calibration=calibration,
        thresholds=limits,
        min_face_px=int(raw["min_face_px"]),
        backbone=" + ".join(names),
        trained_on=str(raw.get("trained_on", "")),
        measured=dict(raw.get("measured", {})),
        meaning=str(thresholds.get("meaning", "")),
        early_exit=_early_exit(raw["early_exit"], names) if "early_exit" in raw else None,
    )
    _check_early_exit(card)
    # side by side, as each file is hashed
    with ThreadPoolExecutor() as pool:
        read = list(pool.map(lambda member: _member(member, card, path), listed))
    members = tuple(map(Member, names, read, weights))
    return card, members


def _early_exit(raw: Mapping[str, Any], names: list[str]) -> EarlyExit:
    found = EarlyExit(
        members=tuple(map(str, raw["members"])),
        weights=tuple(map(finite, raw["weights"])),
        bias=finite(raw["bias"]),
        below=finite(raw["below"]),
        above=finite(raw["above"]),
    )
    asked = [name for name in names if name in found.members]
    if list(found.members) != asked or not 1 <= len(asked) == len(found.weights) < len(names):
        raise ValueError(
            f"early_exit asks {len(found.members)} members with {len(found.weights)} weights, "
            "wanted some of the judge's, in its order, and a weight for each"
        )
    if found.below > found.above:
        raise ValueError(f"early_exit ends below {found.below} and above {found.above}")
    return found


def _check_early_exit(card: JudgeCard) -> None:
    """Raise ValueError where an estimate would stand for a verdict that it does not reach."""
    if card.early_exit is None:
        return
    of, limits = card.calibration.probability, card.thresholds
    if of(card.early_exit.below) >= limits.low or of(card.early_exit.above) < limits.high:
        raise ValueError("early_exit ends between the thresholds")


def _member(raw: Mapping[str, Any], judge: JudgeCard, path: str) -> Checkpoint:
    name, file, wanted = str(raw["name"]), str(raw["file"]), str(raw["sha256"])
    if not _NAME.fullmatch(name):
        raise ValueError(f"a member called {name[:40]!r}, wanted small letters, digits and _")
    if os.path.basename(file) != file or file in ("", ".", ".."):
        raise ValueError(f"the member {name} in {file[:80]!r}, wanted a file beside the card")
    where = os.path.join(os.path.dirname(path), file)
    view = check_known(path, "view", raw["view"], VIEWS)
    card = ModelCard(
        name=name,
        backbone=str(raw["backbone"]),
        input_px=int(raw["input_px"]),
        mean=triple(raw["mean"]),
        std=triple(raw["std"]),
        crop_scale=finite(raw["scale"]) if view == "window" else judge.window.span,
        calibration=judge.calibration,
        thresholds=judge.thresholds,
        min_face_px=judge.min_face_px,
        via_px=int(raw.get("via_px") or 0),
        view=view,
        rule=judge.window,
    )
    check_ranges(f"{path}, member {name}", card)
    check_backbone(card.backbone, card.head, path)
    require_file(where, f"no such file; the judge {judge.name} needs it for its member {name}")
    if (found := sha256_of(where)) != wanted:
        raise ModelRefused(
            f"{where}: sha256 {found[:12]}... found, the judge {judge.name} wants {wanted[:12]}... "
            f"for its member {name}; get it anew, or reinstall fakefacecli"
        )
    return Checkpoint(where, found, card)
