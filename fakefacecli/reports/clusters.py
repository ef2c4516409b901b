"""Near-duplicates within a run, so that a person decides about them once."""

from dataclasses import replace

import numpy as np

from fakefacecli.base.evidence import PerceptualHash
from fakefacecli.base.findings import ImageReport
from fakefacecli.evidence.known import Hashes
from fakefacecli.evidence.pdq import LEAST_QUALITY, MOST_DISTANCE


class Clusters:
    """Numbers the images of a run by what they look like, in the order they come.

    An image gets the number of the earlier one that is nearest within MOST_DISTANCE bits, or else
    the next new number. So rows can be written at once; all formats have the same numbers.
    """

    def __init__(self) -> None:
        self._hashes = Hashes()
        self._numbers: list[int] = []
        self._highest = 0

    def numbered(self, report: ImageReport) -> ImageReport:
        """The report with its cluster; as it is where the picture has no hash that tells enough."""
        number = self.number_of(report.pdq)
        return report if number is None else replace(report, cluster=number)

    def number_of(self, pdq: PerceptualHash | None) -> int | None:
        """The number of the next image, by its hash."""
        if pdq is None or pdq.quality < LEAST_QUALITY:
            return None
        number = self._like(pdq.digits)
        if number is None:
            self._highest += 1
            number = self._highest
        self._hashes.add(pdq.digits)
        self._numbers.append(number)
        return number

    def _like(self, digits: str) -> int | None:
        if not len(self._hashes):
            return None
        distances = self._hashes.distances(digits)
        nearest = int(np.argmin(distances))
        return self._numbers[nearest] if distances[nearest] <= MOST_DISTANCE else None
