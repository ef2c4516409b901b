"""Dividing faces between training and validation: by families, never by file.

A family is everything of one group, one image, or one look (perceptual hashes almost alike).
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fakefacecli.base.errors import UsageError
from fakefacecli.train.faces import LabelledFace

# of 64 bits: in 2,439 faces of 60 sources every pair this close was of one source, and from 6 on
# strangers were among them
NEAR_BITS = 4
VAL_SHARE = 0.2
_MOST_OVER = 1.25
_NAMED = 3  # groups in a note
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Division:
    """Faces to learn from and faces to choose the best epoch by; `notes` are for people.

    Faces of the splits test and held_out are in neither.
    """

    train: list[LabelledFace]
    val: list[LabelledFace]
    notes: list[str]


def divide(faces: Sequence[LabelledFace], seed: int) -> Division:
    """Divide `faces`; those that bear a split keep it, and their near-duplicates in training go.

    Raises UsageError when a class would be missing on one side.
    """
    families = _families(faces)
    splits = [face.image.split for face in faces]
    notes = list(_crossing(faces, splits))
    kept_out = {families[i] for i, split in enumerate(splits) if split not in ("", "train")}
    if "val" not in splits:
        chosen = _choose(faces, families, splits, seed)
        splits = [
            "val" if family in chosen and split in ("", "train") else split
            for family, split in zip(families, splits, strict=True)
        ]
    unclear = [
        not split and family in kept_out for split, family in zip(splits, families, strict=True)
    ]
    splits = [split or "train" for split in splits]
    looks = _groups_of(_look_pairs([face.phash for face in faces]), len(faces))
    seen = {looks[i] for i, split in enumerate(splits) if split != "train"}
    sides: dict[str, list[LabelledFace]] = defaultdict(list)
    dropped = 0
    for face, split, look, drop in zip(faces, splits, looks, unclear, strict=True):
        if drop or (split == "train" and look in seen):
            dropped += 1
        else:
            sides[split].append(replace(face, image=replace(face.image, split=split)))
    if dropped:
        notes.append(f"{dropped} faces left out of training: their like lies on the other side")
    division = Division(sides["train"], sides["val"], notes)
    _check(division, len(kept_out))
    return division


def near_pairs_of_both_labels(faces: Sequence[LabelledFace]) -> int:
    """How many looks bear both labels: one of them must be wrong."""
    looks = _groups_of(_look_pairs([face.phash for face in faces]), len(faces))
    labels: dict[int, set[bool]] = defaultdict(set)
    for face, look in zip(faces, looks, strict=True):
        labels[look].add(face.image.fake)
    return sum(len(found) > 1 for found in labels.values())


def _families(faces: Sequence[LabelledFace]) -> list[int]:
    pairs = list(_look_pairs([face.phash for face in faces]))
    first: dict[tuple[str, str], int] = {}
    for place, face in enumerate(faces):
        keys = [("image", face.image.path)]
        if face.image.group:
            keys.append(("group", face.image.group))
        for key in keys:
            pairs.append((first.setdefault(key, place), place))
    return _groups_of(pairs, len(faces))


def _look_pairs(hashes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of places whose hashes differ by NEAR_BITS at most."""
    all_bits = np.array(hashes, np.uint64)
    for start in range(0, len(all_bits), _ROWS_AT_ONCE):
        part = all_bits[start : start + _ROWS_AT_ONCE]
        rows, columns = np.nonzero(np.bitwise_count(part[:, None] ^ all_bits) <= NEAR_BITS)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if row + start < column:
                yield row + start, column


def _groups_of(pairs: Iterator[tuple[int, int]] | list[tuple[int, int]], count: int) -> list[int]:
    """A number for each of `count` things, the same for those that pairs join (union-find)."""
    parents = list(range(count))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return [root(place) for place in range(count)]


def _choose(
    faces: Sequence[LabelledFace], families: list[int], splits: list[str], seed: int
) -> set[int]:
    """Families for validation: about VAL_SHARE of each class, and at least one of each."""
    members: dict[int, Counter[bool]] = defaultdict(Counter)
    for face, family, split in zip(faces, families, splits, strict=True):
        if split in ("", "train"):
            members[family][face.image.fake] += 1
    whole = sum(members.values(), Counter[bool]())
    order = sorted(members)
    random.Random(seed).shuffle(order)  # noqa: S311 - a division, not a secret
    chosen: set[int] = set()
    got: Counter[bool] = Counter()
    for family in order:
        more = members[family]
        if all(got[c] + n <= _MOST_OVER * VAL_SHARE * whole[c] for c, n in more.items()):
            if all(got[c] >= VAL_SHARE * whole[c] for c in more):
                continue
            chosen.add(family)
            got += more
    for label in whole:
        if not got[label]:  # only large families: the smallest one will do
            holders = [family for family in order if members[family][label]]
            if len(holders) > 1:
                smallest = min(holders, key=lambda family: members[family].total())
                chosen.add(smallest)
                got += members[smallest]
    return chosen


def _crossing(faces: Sequence[LabelledFace], splits: list[str]) -> Iterator[str]:
    sides: dict[str, set[str]] = defaultdict(set)
    for face, split in zip(faces, splits, strict=True):
        if face.image.group and split:
            sides[face.image.group].add(split)
    crossing = [group for group, found in sides.items() if len(found) > 1]
    if crossing:
        named = ", ".join(sorted(crossing)[:_NAMED])
        more = f" and {len(crossing) - _NAMED} more" if len(crossing) > _NAMED else ""
        validation = any({"train", "val"} <= sides[group] for group in crossing)
        spoilt = (
            "the validation figures" if validation else "figures on the splits kept for testing"
        )
        yield (
            f"{len(crossing)} of {len(sides)} groups lie on both sides of the given splits "
            f"({named}{more}), and are left there: {spoilt} will be too good; give each group one "
            "split"
        )


def _check(division: Division, kept_out: int) -> None:
    for side, faces in (("training", division.train), ("validation", division.val)):
        counts = Counter(face.image.fake for face in faces)
        for fake, word in ((False, "real"), (True, "fake")):
            if not counts[fake]:
                raise UsageError(
                    f"no {word} face is left for {side}: splits go by group, so each class wants "
                    f"two groups or more (or images without a group); {kept_out} families are "
                    "kept for testing"
                )
