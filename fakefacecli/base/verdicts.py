"""The words a report uses, each a closed list, and the verdict on a face; loads without numpy."""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Why an input could not be read: the closed list behind the report's `error_code`."""

    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED = "unsupported"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    DECODER_CRASHED = "decoder_crashed"
    VANISHED = "vanished"
    FORBIDDEN = "forbidden"
    NOT_A_FILE = "not_a_file"
    IO_ERROR = "io_error"


class Caveat(StrEnum):
    """What to know of a picture that was judged: the closed list behind the report's `warning`."""

    INCOMPLETE = "incomplete"
    PROFILE_IGNORED = "profile_ignored"


class DetectorName(StrEnum):
    """Which detector found a face: the closed list behind the report's `detector`."""

    MTCNN = "mtcnn"
    CENTERFACE = "centerface"


class Status(StrEnum):
    """What became of one image."""

    OK = "ok"
    NO_FACE = "no_face"
    ERROR = "error"


class Label(StrEnum):
    """A verdict's label. `not_flagged` is absence of evidence, not proof of a real face."""

    # the most serious first: an image's label is the first of these that one of its faces has
    FLAGGED = "flagged"
    INCONCLUSIVE = "inconclusive"
    NOT_FLAGGED = "not_flagged"


class Reason(StrEnum):
    """Why a verdict carries its label."""

    ABOVE_HIGH = "above_high"
    BETWEEN_THRESHOLDS = "between_thresholds"
    BELOW_LOW = "below_low"
    FACE_TOO_SMALL = "face_too_small"
    FACE_TURNED = "face_turned"
    FACE_CUT_OFF = "face_cut_off"
    PROFILE = "profile"
    UNSTABLE = "unstable"


class ProvenanceKind(StrEnum):
    """What the file says about its own origin; a claim, easily removed and easily forged."""

    NONE = "none"
    AI_DECLARED = "ai_declared"
    CAMERA_DECLARED = "camera_declared"
    INVALID = "invalid"
    NOT_CHECKED = "not_checked"


class Claim(StrEnum):
    """How a file says that its picture was made: wholly or partly by a generator, or by a camera.

    These are IPTC's trainedAlgorithmicMedia and algorithmicMedia, its
    compositeWithTrainedAlgorithmicMedia, and its digitalCapture.
    """

    GENERATED = "generated"
    COMPOSITE = "composite"
    CAPTURED = "captured"


class Integrity(StrEnum):
    """Whether a file's C2PA manifest is whole and fits the file, whoever signed it."""

    NONE = "none"
    VALID = "valid"
    INVALID = "invalid"
    NOT_CHECKED = "not_checked"


class Trust(StrEnum):
    """Whether the signer of a C2PA manifest is on the list that a run trusts."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Evidence(StrEnum):
    """What an image's verdict rests on."""

    SCORE = "score"
    PROVENANCE = "provenance"
    KNOWN = "known"


class FailOn(StrEnum):
    """What --fail-on acts on: a face's verdict, a declared origin, a known picture."""

    FLAGGED = "flagged"
    INCONCLUSIVE = "inconclusive"
    PROVENANCE = "provenance"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """p_fake at or above `high` is flagged, below `low` not flagged, inconclusive between."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(
                f"thresholds {self.low},{self.high} found, wanted 0 <= LOW <= HIGH <= 1"
            )


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one network of a judge says of a face: its raw score, positive for "fake"."""

    member: str
    logit: float


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a network of a judge added to the judge's logit; `sees` says what it looked at.

    `logit` is its raw score, None if it was not asked.
    """

    member: str
    weight: float
    logit: float | None
    sees: str = ""

    @property
    def amount(self) -> float | None:
        """Its weighted logit, positive for "fake"; None if it was not asked."""
        return None if self.logit is None else self.weight * self.logit


@dataclass(frozen=True, slots=True)
class Verdict:
    """One face judged: `fake_probability` is calibrated, in [0, 1].

    `opinions` are those of a judge's networks, in its order; none of a single network. `probed` are
    the least and the highest p_fake of the face and of slightly changed copies of it, if it was
    judged again so.
    """

    fake_probability: float
    thresholds: Thresholds
    label: Label
    reason: Reason
    opinions: tuple[Opinion, ...] = ()
    probed: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.fake_probability <= 1.0:  # NaN fails too
            raise ValueError(f"fake probability {self.fake_probability} found, wanted 0..1")
