"""The frozen records that flow from stage to stage; numpy arrays, never torch tensors.

Pixel coordinates are those of the upright image (EXIF orientation applied), x to the right and y
down, in pixels; right and bottom edges are exclusive.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fakefacecli.base.evidence import PerceptualHash, Provenance
from fakefacecli.base.verdicts import (
    Caveat,
    Contribution,
    DetectorName,
    ErrorCode,
)

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
TURNS = (0, 90, 180, 270)

# Records check themselves when they are made: a wrong shape or range would otherwise give wrong
# scores some stages later, without an error. Those with an array have eq=False: == of arrays is an
# array, so the generated comparison would fail.


class Content(Protocol):
    """The bytes of an input that is no file here; `size` in bytes and `version` where known."""

    @property
    def size(self) -> int | None: ...

    @property
    def version(self) -> str: ...

    def pieces(self, most: int) -> Iterator[bytes]:
        """All bytes in order, but no more than `most`; raises whatever the store does."""
        ...


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One input. `index` counts from 0 in scan order; `name` is relative to the scan root.

    `path` and `name` are str in the file system's encoding with surrogateescape, so that bytes
    which are not UTF-8 are kept; `text.printable` escapes them for people and reports. Of an input
    in a store, `path` is its URL without what lets others in, `content` its bytes there, and
    `local` the file that they were fetched into.
    """

    index: int
    path: str
    name: str
    content: Content | None = field(default=None, compare=False, repr=False)
    local: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ValueError(f"index {self.index} found, wanted 0 or more")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file's bytes; None for what is not known."""

    sha256: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An upright picture: `pixels` (H, W, 3) uint8 RGB; `orientation` is the EXIF value, 1..8.

    `frame` counts from 1 among the `frames` pictures of its file; `others` are those of them that
    are judged as well, each with the same ref.
    """

    ref: ImageRef
    pixels: Pixels
    facts: FileFacts = FileFacts()
    orientation: int = 1
    provenance: Provenance = field(default_factory=Provenance)
    decode_ms: float = 0.0
    caveats: tuple[Caveat, ...] = ()
    frame: int = 1
    frames: int = 1
    others: tuple["DecodedImage", ...] = ()
    pdq: PerceptualHash | None = None

    def __post_init__(self) -> None:
        shape, kind = self.pixels.shape, self.pixels.dtype
        if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise ValueError(f"pixels {shape} {kind} found, wanted (H, W, 3) uint8")
        if not 1 <= self.orientation <= 8:
            raise ValueError(f"orientation {self.orientation} found, wanted 1..8")

    @property
    def all_frames(self) -> tuple["DecodedImage", ...]:
        """This picture and the others of its file, in their order."""
        return (self, *self.others)

    @property
    def width(self) -> int:
        """Upright width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Upright height in pixels."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An input without pixels. `message` is ours, never a library's text; names in it are raw."""

    ref: ImageRef
    code: ErrorCode
    message: str
    facts: FileFacts = FileFacts()
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Box:
    """A detector's box; it may reach beyond the image."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (self.left < self.right and self.top < self.bottom):
            raise ValueError(f"box {self} found, wanted left < right and top < bottom")

    @property
    def longer_side(self) -> float:
        """The longer of width and height, in pixels: the face's size everywhere in fakeface."""
        return max(self.right - self.left, self.bottom - self.top)

    def overlap(self, other: "Box") -> float:
        """Intersection over union of two boxes, 0..1."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(wide, 0.0) * max(high, 0.0)
        areas = ((box.right - box.left) * (box.bottom - box.top) for box in (self, other))
        return shared / (sum(areas) - shared)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face: `landmarks` (5, 2) float32, eyes, nose, mouth corners; `score` in [0, 1].

    It was found in its picture turned clockwise by `turn` degrees (0, 90, 180 or 270); box and
    landmarks are those of the picture as it is. Scores of two detectors cannot be compared. With
    `upside_down` it clearly stands on its head there, whatever its landmarks say.
    """

    box: Box
    landmarks: Floats
    score: float
    turn: int = 0
    detector: DetectorName = DetectorName.MTCNN
    upside_down: bool = False

    def __post_init__(self) -> None:
        if self.landmarks.shape != (5, 2):
            raise ValueError(f"landmarks {self.landmarks.shape} found, wanted (5, 2)")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"detection score {self.score} found, wanted 0..1")
        if self.turn not in TURNS:
            raise ValueError(f"a turn of {self.turn} found, wanted one of {TURNS}")

    @property
    def roll(self) -> float:
        """How far the line from the left to the right eye is turned from level, clockwise as seen.

        In degrees, -180..180; 0 where both lie in one place.
        """
        (left_x, left_y), (right_x, right_y) = self.landmarks[:2].tolist()
        return math.degrees(math.atan2(right_y - left_y, right_x - left_x))

    @property
    def tilt(self) -> float:
        """What is left of `roll` in the picture turned by `turn`, -180..180 degrees."""
        return (self.roll + self.turn + 180) % 360 - 180 if self.turn else self.roll


@dataclass(frozen=True, slots=True)
class Window:
    """The square a classifier sees, in whole pixels; it may reach beyond the image."""

    left: int
    top: int
    side: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"window side {self.side} found, wanted at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A face cut out of its image; `number` counts from 1 in the file, over all its frames.

    `pixels` (n, n, 3) uint8 RGB, n the window's side unless that was reduced; what lies outside
    the image repeats its edge. `roll` is how far the line from the left to the right eye is turned
    from level, in degrees, clockwise as seen. The pixels are turned back by `turned` degrees about
    the window's centre: by a face's quarter turn, and by what is left of its roll where the rule of
    the window levels that. `outside` is the share of the window beyond the image.
    """

    ref: ImageRef
    number: int
    face: Face
    window: Window
    pixels: Pixels
    roll: float = 0.0
    turned: float = 0.0
    outside: float = 0.0
    frame: int = 1

    def __post_init__(self) -> None:
        side = self.side
        if self.pixels.shape != (side, side, 3) or not 1 <= side <= self.window.side:
            wanted = (self.window.side, self.window.side, 3)
            raise ValueError(f"crop {self.pixels.shape} found, wanted {wanted} or a smaller square")
        if self.number < 1:
            raise ValueError(f"face number {self.number} found, wanted 1 or more")

    @property
    def side(self) -> int:
        """The side of `pixels`."""
        return len(self.pixels)

    @property
    def levelled(self) -> bool:
        """Whether the pixels are turned at all."""
        return self.turned != 0


@dataclass(frozen=True, slots=True, eq=False)
class FacePlace:
    """Where the window of a face lies: all that a FaceCrop has, but for the pixels."""

    ref: ImageRef
    number: int
    face: Face
    window: Window
    roll: float = 0.0
    turned: float = 0.0
    outside: float = 0.0
    frame: int = 1

    @property
    def levelled(self) -> bool:
        """Whether the window is turned at all."""
        return self.turned != 0

    @property
    def facts(self) -> dict[str, Any]:
        """The fields that every place has, for a record that has more."""
        return {one.name: getattr(self, one.name) for one in fields(FacePlace)}


FaceView = FaceCrop | FacePlace


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """Where in a crop the evidence for "fake" is: `values` (h, w) float32 in [0, 1].

    Where there is none at all, all values are zero. `contributions` are those of a judge's
    networks, in its order; none of a single network.
    """

    values: Floats
    contributions: tuple[Contribution, ...] = ()

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim != 2 or not np.isfinite(values).all():
            raise ValueError(f"heat {values.shape} found, wanted (h, w) of finite numbers")
        if values.size and (values.min() < 0.0 or values.max() > 1.0):
            raise ValueError(f"heat {values.min()}..{values.max()} found, wanted 0..1")
