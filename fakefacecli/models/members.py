"""Single networks that become the members of one judge."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakefacecli.base.errors import UsageError
from fakefacecli.base.text import printable
from fakefacecli.models.bundled import BUNDLED, find_model
from fakefacecli.models.card import CHANNELS, HEADS, RESIZES
from fakefacecli.models.checkpoint import Checkpoint
from fakefacecli.models.judge import MOST_MEMBERS, JudgeCheckpoint
from fakefacecli.models.window import LEVEL_WINDOW, WindowRule

_MOST_LETTERS = 32  # of a member's name, which is a column of reports


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that is to be a member: how it was `given`, its name in the judge, its checkpoint.

    `judges` are the paths of the judges whose member it is already.
    """

    given: str
    name: str
    checkpoint: Checkpoint
    judges: tuple[str, ...] = ()


def find_candidates(given: Sequence[str]) -> list[Candidate]:
    """The networks named on a command line: bundled names, files, or JUDGE:MEMBER.

    Their names are made unlike each other. Raises UsageError for a judge of several networks, for a
    network that is named twice and for fewer than two of them; ModelRefused as `find_model`.
    """
    if not 2 <= len(given) <= MOST_MEMBERS:
        raise UsageError(f"{len(given)} members found, wanted 2 to {MOST_MEMBERS} networks")
    found: list[Candidate] = []
    for words in given:
        one = _find(words)
        for other in found:
            # only weights that are fed alike say the same
            if other.checkpoint.sha256 == one.checkpoint.sha256 and _fed(other) == _fed(one):
                raise UsageError(
                    f"{words} is the same network as {other.given}; name each of them once"
                )
        taken = {other.name for other in found}
        found.append(replace(one, name=_unlike(one.name, taken)))
    return found


def shared_window(candidates: Sequence[Candidate]) -> WindowRule:
    """The window that all of them can be fed from.

    It is the one that their cards name. Networks whose cards name none were trained on windows of
    their own: these see the middle of the largest, which is turned level as the bundled judge's is.
    Raises UsageError where two cards name different windows, or a network sees more than that one.
    """
    named = [one for one in candidates if one.checkpoint.card.rule]
    for one in named[1:]:
        first, other = named[0].checkpoint.card.window, one.checkpoint.card.window
        if first != other:
            raise UsageError(
                f"{named[0].given} is fed from a window of {first.words()}, {one.given} from one "
                f"of {other.words()}; the members of a judge share one window"
            )
    widest = max(one.checkpoint.card.crop_scale for one in candidates)
    rule = named[0].checkpoint.card.window if named else replace(LEVEL_WINDOW, span=widest)
    for one in candidates:
        scale = one.checkpoint.card.crop_scale
        if scale > rule.span:
            raise UsageError(
                f"{one.given} sees {scale} x the box, more than the window of {rule.span} x the "
                f"box from which {named[0].given} is fed; leave one of them out"
            )
    return rule


def as_member(candidate: Candidate, rule: WindowRule) -> Checkpoint:
    """The candidate's checkpoint, fed from windows of `rule`.

    Raises UsageError for what a judge's card cannot say of a member.
    """
    card = candidate.checkpoint.card
    faults = {
        f"is fed with {card.channels}": card.channels != CHANNELS[0],
        f"is resized with {card.resize}": card.resize != RESIZES[0],
        f"has the head {card.head}": card.head != HEADS[0],
        "sees a box that is stretched to a square": card.stretch,
        f"is resized by way of {card.via_px} px": card.via_px and card.rule is None,
    }
    for fault, found in faults.items():
        if found:
            raise UsageError(
                f"{candidate.given} {fault}, which the card of a judge cannot say; leave it out"
            )
    fed = replace(card.in_grey_levels(), name=candidate.name, rule=rule)
    return replace(candidate.checkpoint, card=fed)


def _find(words: str) -> Candidate:
    judge, colon, member = words.rpartition(":")
    # a file may have a colon in its name
    if not colon or words in BUNDLED or os.path.lexists(words):
        checkpoint = find_model(words)
        if isinstance(checkpoint, JudgeCheckpoint):
            names = ", ".join(f"{words}:{one.name}" for one in checkpoint.members)
            raise UsageError(f"{words} is a judge; name single networks, such as {names}")
        stem = words if words in BUNDLED else os.path.splitext(os.path.basename(words))[0]
        return Candidate(words, _column(stem), checkpoint)
    of = find_model(judge)
    members = of.members if isinstance(of, JudgeCheckpoint) else ()
    for one in members:
        if one.name == member:
            return Candidate(words, one.name, one.checkpoint, (of.path,))
    known = ", ".join(one.name for one in members) or "none, as it is a single network"
    raise UsageError(f"{words}: no member {printable(member)}; {judge} has {known}")


def _fed(candidate: Candidate) -> tuple[object, ...]:
    card = candidate.checkpoint.card
    return card.view, card.crop_scale, card.via_px, card.input_px, card.mean, card.std


def _column(stem: str) -> str:
    """A name as judges' cards allow them: small letters, digits and _, a letter first."""
    words = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return (words if words[:1].isalpha() else f"m_{words}")[:_MOST_LETTERS].rstrip("_")


def _unlike(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        end = f"_{number}"
        found = name[: _MOST_LETTERS - len(end)] + end
    return found
