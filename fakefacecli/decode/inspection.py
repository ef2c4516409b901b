"""The child's side of `fakeface inspect`: what can be told of a file, one section after another.

Each section is a line of JSON, written as soon as it is known: a library that crashes or hangs
over a bad file takes only its own section with it.
"""

import hashlib
import io
import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from fakefacecli.base.child import die_with
from fakefacecli.base.text import shortened
from fakefacecli.decode import formats
from fakefacecli.decode.file import Refused, read_file, refuse_large
from fakefacecli.evidence.jpeg_frame import read_frame
from fakefacecli.evidence.manifest import Tree, read_manifests
from fakefacecli.evidence.parts import read_layout
from fakefacecli.evidence.tables import read_tables

if TYPE_CHECKING:
    from PIL import Image

_JPEGS = ("JPEG", "MPO")
_LONGEST = 65_536  # characters of one value
# the sections in their order: those without a library first
SECTIONS = ("file", "layout", "jpeg", "header", "metadata", "c2pa", "recompression")


def main(arguments: list[str]) -> None:
    """Write the sections of a file to a descriptor.

    `arguments`: the descriptor, the process to end with, the limits as JSON, the path.
    """
    from fakefacecli.decode.image import DecodeLimits
    from fakefacecli.decode.worker import limit_memory

    descriptor, parent, plain, path = arguments
    for number in (signal.SIGINT, signal.SIGTERM):  # the command decides when this ends
        signal.signal(number, signal.SIG_IGN)
    die_with(int(parent))
    limits = DecodeLimits(**json.loads(plain))
    limit_memory(limits.memory_budget)
    warnings.simplefilter("ignore")
    with os.fdopen(int(descriptor), "wb") as pipe:
        for line in lines_of(path, limits.memory_budget, limits.max_pixels):
            pipe.write(line)
            pipe.flush()


def lines_of(path: str, most_bytes: int, most_pixels: int) -> Iterator[bytes]:
    """One line of JSON for each of SECTIONS: its name, and its value or why there is none."""
    try:
        data, _ = read_file(path, most_bytes)
    except Refused as refused:
        yield _line("file", error=refused.message)
        return
    what = formats.name(data)
    looks: dict[str, Callable[[], object]] = {
        "file": lambda: {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "container": what,
        },
        "layout": lambda: _plain(read_layout(data, what)),
        "jpeg": lambda: _jpeg(data) if what in _JPEGS else None,
        "header": lambda: _header(data, what),
        "metadata": lambda: _metadata(data, what),
        "c2pa": lambda: read_manifests(data, what),
        "recompression": lambda: _recompression(data, most_pixels) if what in _JPEGS else None,
    }
    for name in SECTIONS:
        try:
            yield _line(name, looks[name]())
        except MemoryError:
            yield _line(name, error="takes more memory than a file may")
        except Refused as refused:
            yield _line(name, error=refused.message)
        except Exception as error:  # noqa: BLE001  (bad files break libraries in many ways)
            # not str(error): Pillow's text holds a memory address, others' what a file says
            yield _line(name, error=f"cannot be read ({type(error).__name__})")


def _line(section: str, value: object = None, error: str | None = None) -> bytes:
    return json.dumps({"section": section, "value": value, "error": error}).encode("ascii") + b"\n"


def _plain(record: object) -> object:
    return None if record is None else asdict(record)  # type: ignore[call-overload]


def _jpeg(data: bytes) -> Tree:
    tables = [asdict(table) | {"libjpeg": table.is_libjpegs} for table in read_tables(data)]
    return {"frame": _plain(read_frame(data)), "tables": tables}  # type: ignore[dict-item]


def _opened(data: bytes, what: str) -> "Image.Image":
    from PIL import Image

    # DecodeLimits.max_pixels is what counts: nothing is decoded before it is asked
    Image.MAX_IMAGE_PIXELS = None
    return Image.open(io.BytesIO(data), formats=(what,))


def _header(data: bytes, what: str | None) -> Tree:
    """What the header says of the picture; None where the format is not decoded."""
    if what is None or what not in formats.allowed_formats():
        return None
    with _opened(data, what) as image:
        profile = image.info.get("icc_profile")
        return {
            "width": image.width,
            "height": image.height,
            "mode": image.mode,
            "frames": int(getattr(image, "n_frames", 1)),
            "profile": _profile_name(profile) if isinstance(profile, bytes) else None,
        }


def _profile_name(profile: bytes) -> str:
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return f"a profile that cannot be read, of {len(profile):,} bytes"
    return name.strip("\0\n ")[:200] or f"a profile without a name, of {len(profile):,} bytes"


def _metadata(data: bytes, what: str | None) -> Tree:
    from fakefacecli.evidence.metadata import MOST_FIELDS, read_metadata

    if what is None or what not in formats.allowed_formats():
        return None
    with _opened(data, what) as image:
        found = read_metadata(image, data)
    fields: list[Tree] = [
        {"place": field.place, "name": field.name, "value": shortened(field.value, _LONGEST)}
        for field in found.fields
    ]
    fields += [
        {"place": place, "name": "error", "value": "cannot be read"} for place in found.broken
    ]
    if len(found.fields) == MOST_FIELDS:
        fields.append({"place": "...", "name": "...", "value": "more than is read"})
    return fields


def _recompression(data: bytes, most_pixels: int) -> Tree:
    """Whether the picture was saved twice, or why that cannot be told."""
    import numpy as np

    from fakefacecli.evidence import recompression

    frame = read_frame(data)
    tables = {table.number: table for table in read_tables(data)}
    if frame is None or frame.luma_table not in tables:
        return {"checked": False, "why": "no frame or no table was found"}
    table = tables[frame.luma_table]
    if table.quality < recompression.LEAST_QUALITY:
        why = f"not reliable below quality {recompression.LEAST_QUALITY}"
        return {"checked": False, "why": why}
    with _opened(data, "JPEG") as image:
        refuse_large(image.size, most_pixels)
        if image.mode not in ("L", "YCbCr", "RGB") or image.info.get("adobe_transform") == 0:
            return {"checked": False, "why": "its colours are not brightness and two colour parts"}
        image.draft("L", image.size)
        found = recompression.find_recompression(np.asarray(image), table.steps)
    if found is None:
        why = f"too small (under {recompression.SMALLEST_PX} px), or saved too coarsely"
        return {"checked": False, "why": why}
    return {"checked": True, "found": found.found, **asdict(found)}
