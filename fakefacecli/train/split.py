"""Dividing faces between training and validation: by families, never by file.

A family is everything of one group, one image, or one look (perceptual hashes almost alike), and
what such links join in turn: were it split, validation would measure memory.
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
_MOST_OVER = 1.25  # of VAL_SHARE, where families are large
_NAMED = 3  # groups in a note
_ROWS_AT_ONCE = 1024

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Division:
    """Faces to learn from and faces to choose the best epoch by; `notes` are for people.

    Faces of the splits test, held_out and unseen are in neither.
    """

    train: list[LabelledFace]
    val: list[LabelledFace]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A face to divide: numbers of its family and of its look, and its split, "" if undecided."""

    face: LabelledFace
    family: int
    look: int
    split: str

    @property
    def free(self) -> bool:
        """Whether it may be learnt from or validated with."""
        return self.split in ("", "train")


def divide(faces: Sequence[LabelledFace], seed: int) -> Division:
    """Divide `faces`; those that bear a split keep it, and their near-duplicates in training go.

    Raises UsageError when a class would be missing on one side.
    """
    rows = _candidates(faces)
    notes = list(_crossing(faces))
    # what is kept out of training decides over its whole family, not over the face alone
    kept_out = {row.family for row in rows if not row.free}
    # a validation that is given is taken as it is
    if not any(row.split == "val" for row in rows):
        chosen = _choose([row for row in rows if row.free], seed)
        rows = [
            replace(row, split="val") if row.free and row.family in chosen else row for row in rows
        ]
    seen = {row.look for row in rows if not row.free}
    sides: dict[str, list[LabelledFace]] = defaultdict(list)
    dropped = 0
    for row in rows:
        like_one_kept_out = not row.split and row.family in kept_out
        if like_one_kept_out or (row.free and row.look in seen):
            dropped += 1
            continue
        image = replace(row.face.image, split=row.split or "train")
        sides[image.split].append(replace(row.face, image=image))
    if dropped:
        notes.append(
            f"{dropped} faces left out of training: near-duplicates of them, or others of their "
            "group, are kept for validation or testing"
        )
    division = Division(sides["train"], sides["val"], notes)
    _check(division, len(kept_out))
    return division


def near_pairs_of_both_labels(faces: Sequence[LabelledFace]) -> int:
    """How many looks bear both labels: one of them must be wrong."""
    labels: dict[int, set[bool]] = defaultdict(set)
    for face, look in zip(faces, _components(_look_pairs(faces), len(faces)), strict=True):
        labels[look].add(face.image.fake)
    return sum(len(found) > 1 for found in labels.values())


def _candidates(faces: Sequence[LabelledFace]) -> list[_Candidate]:
    alike = _look_pairs(faces)
    looks = _components(alike, len(faces))
    families = _components(alike + _related_pairs(faces), len(faces))
    return [
        _Candidate(face, family, look, face.image.split)
        for face, family, look in zip(faces, families, looks, strict=True)
    ]


def _look_pairs(faces: Sequence[LabelledFace]) -> list[Pair]:
    """Places of faces whose hashes differ by NEAR_BITS at most."""
    hashes = np.array([face.phash for face in faces], np.uint64)
    pairs: list[Pair] = []
    for start in range(0, len(hashes), _ROWS_AT_ONCE):  # all at once would take too much memory
        part = hashes[start : start + _ROWS_AT_ONCE]
        rows, columns = np.nonzero(np.bitwise_count(part[:, None] ^ hashes) <= NEAR_BITS)
        # each pair once, and no face with itself
        later = rows + start < columns
        pairs += zip((rows + start)[later].tolist(), columns[later].tolist(), strict=True)
    return pairs


def _related_pairs(faces: Sequence[LabelledFace]) -> list[Pair]:
    """Places of faces of one image or one group: each with the first of them."""
    first: dict[tuple[str, str], int] = {}
    pairs: list[Pair] = []
    for place, face in enumerate(faces):
        keys = [("image", face.image.path)]
        if face.image.group:
            keys.append(("group", face.image.group))
        pairs += [(first.setdefault(key, place), place) for key in keys]
    return pairs


def _components(pairs: Sequence[Pair], count: int) -> list[int]:
    """A number for each of `count` things, the same for those that pairs join, directly or not.

    The numbers rise in the order of the things, so the same seed chooses the same families.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), (count, count))
    numbers: list[int] = connected_components(graph, directed=False)[1].tolist()
    return numbers


def _choose(free: Sequence[_Candidate], seed: int) -> set[int]:
    """Families for validation: about VAL_SHARE of each class, and at least one of each."""
    members: dict[int, Counter[bool]] = defaultdict(Counter)
    for row in free:
        members[row.family][row.face.image.fake] += 1
    whole = sum(members.values(), Counter[bool]())
    order = sorted(members)
    random.Random(seed).shuffle(order)  # noqa: S311 - a division, not a secret
    chosen: set[int] = set()
    got: Counter[bool] = Counter()
    # taken in random order, unless a class would get too many, or each has enough already
    for family in order:
        more = members[family]
        if all(got[c] + n <= _MOST_OVER * VAL_SHARE * whole[c] for c, n in more.items()):
            if all(got[c] >= VAL_SHARE * whole[c] for c in more):
                continue
            chosen.add(family)
            got += more
    for label in whole:
        if not got[label]:  # only large families: take the smallest
            holders = [family for family in order if members[family][label]]
            if len(holders) > 1:
                smallest = min(holders, key=lambda family: members[family].total())
                chosen.add(smallest)
                got += members[smallest]
    return chosen


def _crossing(faces: Sequence[LabelledFace]) -> Iterator[str]:
    """A note on groups that the given splits cut apart, if there are such."""
    sides: dict[str, set[str]] = defaultdict(set)
    for face in faces:
        if face.image.group and face.image.split:
            sides[face.image.group].add(face.image.split)
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
