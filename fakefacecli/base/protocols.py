"""The parts of a scan. Each can be replaced by another that keeps its contract.

Contract of Detector, Classifier and Explainer: empty in, empty out; same length, same order; the
answer for an item does not depend on the others of its batch (beyond 1e-4); any image of at least
1x1 is accepted; no face is `()`, never None.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fakefacecli.base.findings import ImageReport
from fakefacecli.base.records import (
    DecodedImage,
    Face,
    FaceCrop,
    FaceView,
    Heatmap,
    ImageRef,
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

    An item that is not an ImageRef comes out unchanged, in its place.
    """

    def decode(self, items: Iterable[ImageRef | T]) -> Iterator[DecodedImage | Unreadable | T]: ...

    def close(self) -> None: ...


class Detector(Protocol):
    """Finds faces: for each image a tuple of faces, each detector's highest score first."""

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]: ...


class Classifier(Protocol):
    """Judges face crops."""

    def classify(self, crops: Sequence[FaceView]) -> list[Verdict]: ...


class Explainer(Protocol):
    """Shows where in a crop the evidence for "fake" lies, given its verdict."""

    def explain(self, crops: Sequence[FaceCrop], verdicts: Sequence[Verdict]) -> list[Heatmap]: ...


class PictureWriter(Protocol):
    """Saves overlay pictures under names with slashes; CannotWrite when it cannot."""

    def write(self, name: str, picture: "Image") -> None: ...


class ReportWriter(Protocol):
    """Turns finished images into the text of a report, piece by piece.

    A `live` writer needs no counts of the whole run before the first row, so it can stream.
    """

    live: bool

    def start(self, header: Mapping[str, Any]) -> str: ...

    def rows(self, report: ImageReport) -> str: ...

    def put(self, row: dict[str, Any]) -> str: ...

    def end(self, header: Mapping[str, Any]) -> str: ...
