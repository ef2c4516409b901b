"""One untrusted file to pixels, or to the reason why not. Runs inside a worker process.

Nothing here trusts the file's name, its suffix or its header; no exception of a decoder gets out.
"""

import contextlib
import hashlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from PIL import Image

from fakefacecli.base.errors import UsageError
from fakefacecli.base.evidence import Provenance
from fakefacecli.base.options import Frames
from fakefacecli.base.records import (
    DecodedImage,
    FileFacts,
    ImageRef,
    Pixels,
    Unreadable,
)
from fakefacecli.base.verdicts import ErrorCode, ProvenanceKind
from fakefacecli.decode import formats
from fakefacecli.decode.file import Refused, read_file
from fakefacecli.decode.incomplete import rest_of
from fakefacecli.decode.picture import Shown, Wanted, refuse_cut, show
from fakefacecli.evidence import structure
from fakefacecli.evidence.pdq import hash_picture
from fakefacecli.evidence.provenance import Lists, read_lists

# A lossless RGBA WebP that must be turned and has a profile takes 26 bytes a pixel with its file,
# the most of 21 kinds measured; the rest is room for heaps with holes.
BYTES_PER_PIXEL = 32
FLOOR_BYTES = 256 << 20  # a decoder's fixed needs, so that a small max_pixels still decodes


def _at_once(pixels: int) -> None:
    """Nobody else needs the memory."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost: pixels as its header states them, seconds, bytes of memory.

    Pixels and seconds count over all `frames` that are decoded; more than may be decoded are
    sampled.

    `memory_bytes` covers the file and its decoding; None derives it from `max_pixels`. Without
    `follow_symlinks` a file that was swapped for a link since it was listed is not read.
    """

    max_pixels: int = 100_000_000
    timeout_s: float = 10.0
    memory_bytes: int | None = None
    follow_symlinks: bool = True
    frames: Frames = Frames.FIRST
    # what is read of a file beside its pixels: its own claims, two lists to check them against, and
    # its perceptual hash
    provenance: bool = False
    trust_list: str | None = None
    generators: str | None = None
    lists_sha256: str = ""
    pdq: bool = False
    # called with a file's pixels once they are known and before they are decoded; may wait
    begins: Callable[[int], None] = field(default=_at_once, compare=False, repr=False)

    def __post_init__(self) -> None:
        memory = 1 if self.memory_bytes is None else self.memory_bytes
        if self.max_pixels < 1 or not self.timeout_s > 0 or memory < 1:
            raise ValueError(f"{self} found, wanted every limit above 0")

    @property
    def lists(self) -> Lists | None:
        """The two lists, read once in a process; None where provenance is not looked at.

        Raises UsageError for a file that is not what it was when the run began.
        """
        if not self.provenance:
            return None
        lists = read_lists(self.trust_list, self.generators)
        if self.lists_sha256 not in ("", lists.sha256):
            raise UsageError("--trust-list or --generators changed during the run; run it again")
        return lists

    @property
    def memory_budget(self) -> int:
        """Bytes of memory that one file may take."""
        return self.memory_bytes or FLOOR_BYTES + BYTES_PER_PIXEL * self.max_pixels


def read_image(ref: ImageRef, limits: DecodeLimits) -> DecodedImage | Unreadable:
    """Decode the pictures of `ref` that `limits` ask for, upright, or say why that cannot be.

    Raises nothing. `limits.timeout_s` is not watched here: that takes another process. It changes
    Pillow's limits and the warning filters while it runs: one call at a time in a process.
    """
    began = time.monotonic()
    facts = FileFacts()
    answer: DecodedImage | Unreadable
    try:
        data, facts = read_file(ref.path, limits.memory_budget, limits.follow_symlinks)
        what = formats.name(data)
        facts = replace(
            facts,
            sha256=hashlib.sha256(data).hexdigest(),
            format=what if what in formats.DECODED else None,
        )
        with _pillow_under_our_limits():
            answer = _decode(ref, data, facts, _accepted(what), limits)
    except Refused as refused:
        answer = Unreadable(ref, refused.code, refused.message, refused.facts or facts)
    except MemoryError:
        answer = Unreadable(ref, ErrorCode.TOO_LARGE, needs_too_much(limits), facts)
    if limits.pdq and isinstance(answer, DecodedImage):
        answer = replace(answer, pdq=hash_picture(answer.pixels))
    return replace(answer, decode_ms=(time.monotonic() - began) * 1000.0)


def shown(data: bytes) -> Pixels:
    """The picture that a viewer shows of a file that was read before, upright and in sRGB.

    Raises Refused for what is not decoded, and whatever Pillow raises for a file that is damaged.
    """
    wanted = Wanted(DecodeLimits().max_pixels)
    return show(data, _accepted(formats.name(data)), wanted).frames[0].pixels


def needs_too_much(limits: DecodeLimits) -> str:
    """The wording for a file whose decoding does not fit into the memory it may take."""
    return f"decoding takes more than {limits.memory_budget >> 20} MiB of memory"


def _accepted(what: str | None) -> str:
    """The name of Pillow's format for `what`; refuses all others before Pillow sees the file."""
    if what is None:
        raise Refused(ErrorCode.NOT_AN_IMAGE, "the content is not that of a known image format")
    if what not in formats.DECODED:
        raise Refused(ErrorCode.UNSUPPORTED, f"found {what}, which is not decoded")
    if what not in formats.allowed_formats():
        raise Refused(ErrorCode.UNSUPPORTED, f"found {what}; fakeface doctor says what it needs")
    return what


@contextlib.contextmanager
def _pillow_under_our_limits() -> Iterator[None]:
    # DecodeLimits.max_pixels takes its place, checked on the header before anything is decoded
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _decode(
    ref: ImageRef, data: bytes, facts: FileFacts, what: str, limits: DecodeLimits
) -> DecodedImage:
    for attempt in (_whole, _without_metadata, _what_is_there):
        try:
            shown = attempt(
                data,
                what,
                Wanted(limits.max_pixels, Frames(limits.frames), limits.lists, limits.begins),
            )
        except (Refused, MemoryError):
            raise
        except Exception:  # noqa: BLE001  (27 of 148 bad files raise something else than OSError)
            shown = None
        if shown is not None:
            return _decoded(ref, shown, replace(facts, format=shown.format))
    if structure.ends_early(data, what):
        raise Refused(ErrorCode.TRUNCATED, f"the {what} data end before the picture does")
    raise Refused(ErrorCode.CORRUPT, f"the {what} data are damaged")


def _decoded(ref: ImageRef, shown: Shown, facts: FileFacts) -> DecodedImage:
    first, *rest = shown.frames
    return DecodedImage(
        ref,
        first.pixels,
        facts,
        first.orientation,
        shown.provenance,
        caveats=shown.caveats,
        frame=first.number,
        frames=shown.count,
        others=tuple(
            DecodedImage(ref, frame.pixels, facts, frame.orientation, frame=frame.number)
            for frame in rest
        ),
    )


def _whole(data: bytes, what: str, wanted: Wanted) -> Shown:
    return show(data, what, wanted)


def _without_metadata(data: bytes, what: str, wanted: Wanted) -> Shown | None:
    """The picture of a file whose metadata alone are broken; None where there are none."""
    bare = structure.without_metadata(data, what)
    if bare is None or bare == data:
        return None
    shown = show(data, what, wanted, bare)
    claim = Provenance(ProvenanceKind.INVALID, "the metadata is broken")
    return replace(shown, provenance=claim) if wanted.lists else shown


def _what_is_there(data: bytes, what: str, wanted: Wanted) -> Shown | None:
    """The picture of a file that lacks its end alone; None where that is not known."""
    if not structure.ends_early(data, what):
        return None
    rest = rest_of(data, what, wanted.most_pixels)
    if rest is None:
        return None
    refuse_cut(rest.share, what)
    return show(data, what, wanted, rest)
