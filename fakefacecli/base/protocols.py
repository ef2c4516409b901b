"""The seams of a scan. Each part can be swapped for another that keeps its contract.

Contract of Detector, Classifier and Explainer: empty in, empty out; same length, same order; the
answer for an item does not depend on its batch-mates (beyond 1e-4); any image of at least 1x1 is
accepted; no face is `()`, never None.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fakefacecli.base.records import (
    DecodedImage,
    Face,
    FaceCrop,
    Heatmap,
    ImageRef,
    ImageReport,
    Unreadable,
)
from fakefacecli.base.verdicts import Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")


class ImageSource(Protocol):
    """Finds the inputs. A folder that cannot be listed is an `Unreadable` in its place."""

    def __iter__(self) -> Iterator[ImageRef | Unreadable]: ...


class Decoder(Protocol):
    """Turns refs into pictures, one answer per item and in order.

    Whatever is not an ImageRef passes through untouched, in its place.
    """

    def decode(self, items: Iterable[ImageRef | T]) -> Iterator[DecodedImage | Unreadable | T]: ...

    def close(self) -> None: ...


class Detector(Protocol):
    """Finds faces: for each image a tuple of faces, highest detection score first."""

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]: ...


class Classifier(Protocol):
    """Judges face crops."""

    def classify(self, crops: Sequence[FaceCrop]) -> list[Verdict]: ...


class Explainer(Protocol):
    """Says where in a crop the evidence for "fake" lies."""

    def explain(self, crops: Sequence[FaceCrop]) -> list[Heatmap]: ...


class PictureWriter(Protocol):
    """Saves overlay pictures under names with slashes; CannotWrite when it cannot."""

    def write(self, name: str, picture: "Image") -> None: ...


class ReportWriter(Protocol):
    """Turns finished images into the text of a report, piece by piece.

    `live` writers need no facts of the whole run before the first row, so they can stream.
    """

    live: bool

    def start(self, header: Mapping[str, Any]) -> str: ...

    def rows(self, report: ImageReport) -> str: ...

    def end(self, header: Mapping[str, Any]) -> str: ...
