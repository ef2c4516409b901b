"""Near-duplicates within a run."""

import dataclasses

from fakefacecli.base.evidence import PerceptualHash
from fakefacecli.reports.clusters import Clusters
from tests import builders

ONE = "0f" * 32


def clusters(*found: PerceptualHash | None) -> list[int | None]:
    numbers = Clusters()
    return [
        numbers.numbered(dataclasses.replace(builders.report(index=n), pdq=pdq)).cluster
        for n, pdq in enumerate(found)
    ]


def flipped(bits: int) -> PerceptualHash:
    return PerceptualHash(f"{int(ONE, 16) ^ ((1 << bits) - 1):064x}", 100)


def test_pictures_that_look_alike_share_a_number_in_the_order_they_come() -> None:
    assert clusters(flipped(0), flipped(100), flipped(31), flipped(99), flipped(0)) == [
        1,
        2,
        1,
        2,
        1,
    ]


def test_a_chain_of_small_changes_is_one_cluster_and_the_nearest_decides() -> None:
    assert clusters(flipped(0), flipped(30), flipped(60), flipped(200)) == [1, 1, 1, 2]


def test_a_picture_without_a_telling_hash_has_no_number() -> None:
    flat = PerceptualHash(ONE, 49)
    assert clusters(flat, None, flipped(0), flat) == [None, None, 1, None]
