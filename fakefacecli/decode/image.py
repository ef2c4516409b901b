"""One untrusted file to pixels, or to the reason why not. Runs inside a worker process.

Nothing here trusts the file's name, its suffix or its header; no exception of a decoder gets out.
"""

import contextlib
import hashlib
import io
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image

from fakefacecli.base.records import (
    DecodedImage,
    FileFacts,
    ImageRef,
    Pixels,
    Provenance,
    Unreadable,
)
from fakefacecli.base.verdicts import Caveat, ErrorCode, ProvenanceKind
from fakefacecli.decode import formats, pixels
from fakefacecli.decode.colour import colouring
from fakefacecli.decode.file import Refused, read_file
from fakefacecli.decode.orientation import levelled_tiff, stored_orientation
from fakefacecli.evidence import structure
from fakefacecli.evidence.provenance import read_provenance

# A lossless RGBA WebP that must be turned and has a profile takes 26 bytes a pixel with its file,
# the most of 21 kinds measured; the rest is room for heaps with holes.
BYTES_PER_PIXEL = 32
FLOOR_BYTES = 256 << 20  # a decoder's fixed needs, so that a small max_pixels still decodes


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost: pixels as its header states them, seconds, bytes of memory.

    `memory_bytes` covers the file and its decoding; None derives it from `max_pixels`. Without
    `follow_symlinks` a file that was swapped for a link since it was listed is not read.
    """

    max_pixels: int = 100_000_000
    timeout_s: float = 10.0
    memory_bytes: int | None = None
    follow_symlinks: bool = True

    def __post_init__(self) -> None:
        memory = 1 if self.memory_bytes is None else self.memory_bytes
        if self.max_pixels < 1 or not self.timeout_s > 0 or memory < 1:
            raise ValueError(f"{self} found, wanted every limit above 0")

    @property
    def memory_budget(self) -> int:
        """Bytes of memory that one file may take."""
        return self.memory_bytes or FLOOR_BYTES + BYTES_PER_PIXEL * self.max_pixels


def read_image(ref: ImageRef, limits: DecodeLimits) -> DecodedImage | Unreadable:
    """Decode the first frame of `ref`, upright, or say why that cannot be.

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
    return replace(answer, decode_ms=(time.monotonic() - began) * 1000.0)


def shown(data: bytes) -> Pixels:
    """The picture that a viewer shows of a file that was read before, upright and in sRGB.

    Raises Refused for what is not decoded, and whatever Pillow raises for a file that is damaged.
    """
    what = _accepted(formats.name(data))
    file, stated = _openable(data, what)
    with Image.open(file, formats=(what,)) as image:
        return _shown(image, data, what, stated)[0]


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
        advice = "install fakefacecli[heif], with a Pillow that knows AVIF, to decode it"
        raise Refused(ErrorCode.UNSUPPORTED, f"found {what}: {advice}")
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
    try:
        return _decode_with_pillow(ref, data, facts, what, limits)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # 27 of 148 bad files raise something else than OSError
        # broken metadata alone should not cost the picture: once more without any
        bare = structure.without_metadata(data, what)
        if bare is None or bare == data:
            raise _broken(data, what) from error
    try:
        image = _decode_with_pillow(ref, data, facts, what, limits, bare)
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise _broken(data, what) from error
    claim = Provenance(ProvenanceKind.INVALID, "the metadata is broken")
    return replace(image, provenance=claim)


def _broken(data: bytes, what: str) -> Refused:
    if structure.ends_early(data, what):
        return Refused(ErrorCode.TRUNCATED, f"the {what} data end before the picture does")
    return Refused(ErrorCode.CORRUPT, f"the {what} data are damaged")


def _decode_with_pillow(
    ref: ImageRef,
    data: bytes,
    facts: FileFacts,
    what: str,
    limits: DecodeLimits,
    bare: bytes | None = None,
) -> DecodedImage:
    """The picture in `data`, read from `bare` instead where its metadata are broken."""
    file, stated = _openable(bare or data, what)
    with Image.open(file, formats=(what,)) as image:
        width, height = image.size
        if width * height > limits.max_pixels:
            found = f"{width}x{height} is {width * height:,} pixels"
            message = f"{found}, at most {limits.max_pixels:,} are decoded"
            raise Refused(ErrorCode.TOO_LARGE, message)
        tags = getattr(image, "tag_v2", None) if what == "TIFF" else None
        if tags is not None and formats.is_raw_thumbnail(tags):
            raise Refused(ErrorCode.UNSUPPORTED, "found a raw photograph, which is not decoded")
        upright, orientation, ignored = _shown(image, data, what, stated)
        claim = read_provenance(image, data)
        return DecodedImage(
            ref,
            upright,
            replace(facts, format=image.format or what),
            orientation,
            claim,
            caveats=(Caveat.PROFILE_IGNORED,) if ignored else (),
        )


def _openable(data: bytes, what: str) -> tuple[io.BytesIO, tuple[int, ...]]:
    """The file to open, and the orientations of a TIFF's pages, which it says no more."""
    return levelled_tiff(data) if what == "TIFF" else (io.BytesIO(data), ())


def _shown(
    image: Image.Image, data: bytes, what: str, stated: tuple[int, ...]
) -> tuple[Pixels, int, bool]:
    """The opened `image` as a viewer shows it, its orientation, and if a profile was ignored."""
    if what == "TIFF":
        image.info.pop("xmp", None)  # Pillow would turn it by that; its tags still hold it
    image.load()
    orientation = stated[0] if stated else stored_orientation(image, data, what)
    stored, ignored = pixels.rgb(image, colouring(image, data, what))
    return pixels.upright(stored, orientation), orientation, ignored
