"""From labelled images to labelled faces: cut out once, with the scanner's own detector.

The cache is a folder of PNG files and an index, which holds a line of JSON for each image, known
by its sha256.
"""

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from PIL import Image

from fakefacecli.base.errors import UsageError
from fakefacecli.base.files import atomic_write, cannot_write, sha256_of_file
from fakefacecli.base.options import Turns
from fakefacecli.base.protocols import Detector
from fakefacecli.base.records import DecodedImage, ImageRef, Pixels, Unreadable
from fakefacecli.decode.file import Refused
from fakefacecli.decode.image import DecodeLimits, shown
from fakefacecli.decode.pool import WorkerDecoder
from fakefacecli.detect.cascade import MtcnnDetector
from fakefacecli.detect.turns import TurningDetector
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.models.window import WindowRule, window_of_network
from fakefacecli.scan.classify import unfit
from fakefacecli.scan.crop import cut
from fakefacecli.train.traits import Traits, sharpness_of, traits_of

CACHE_SCALE = 1.3  # room for shifts and turns around the window a card names
# of cards without a rule; 512 px are more than any backbone here looks at
PLAIN_WINDOW = window_of_network(CACHE_SCALE, most_px=512)
_AT_ONCE = 8  # photographs
# of the index: 1 named faces of two --min-face alike, 2 read JPEG qualities otherwise. A mixture of
# old and new qualities would tell images apart by when they were read. 3 looked for upright faces
# alone, and turned none level for cards without a rule
_VERSION = 4

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A picture of one face: the square in its middle, `side` px, is `scale` times the face's box.

    `phash` is 64 bits of what it looks like; `traits` are those of the file it came from.
    """

    path: str
    image: LabelledImage
    side: int
    scale: float
    phash: int
    traits: Traits


@dataclass(frozen=True, slots=True)
class CutOptions:
    """How faces are cut out of images, and the folder that keeps them.

    `ready_scale`: the images are crops already, so many times as wide as the face's box; None:
    they are photographs, of which the window of `rule` is kept. Faces that a scan by that rule
    would not judge, turned too far or cut off, are left out.
    """

    folder: str
    ready_scale: float | None = None
    device: str = "cpu"
    workers: int = 2
    min_face_px: int = 40
    rule: WindowRule = PLAIN_WINDOW
    turns: Turns = Turns.AUTO

    @property
    def kind(self) -> str:
        """What tells pictures cut in this way from others of the same image, for file names."""
        smallest = f"{self.min_face_px}px-turns-{self.turns}"
        if self.rule == PLAIN_WINDOW:
            return smallest
        level = f"level{self.rule.level_from:g}to{self.rule.level_to:g}"
        turned = level if self.rule.levels else "flat"
        return f"{self.rule.span:g}x{self.rule.most_px}-{turned}-{smallest}"

    @property
    def scale(self) -> float:
        """The width of a face's picture over the face's box."""
        return self.ready_scale or self.rule.span


def read_face(path: str) -> Pixels:
    """The picture of a `LabelledFace`, (h, w, 3) uint8; UsageError when it is not there now."""
    try:
        with open(path, "rb") as handle:
            return shown(handle.read())
    except (Refused, OSError, ValueError, SyntaxError) as error:
        raise UsageError(f"{path}: changed since it was first read ({error})") from None


def find_faces(
    images: Sequence[LabelledImage],
    cutting: CutOptions,
    done: Callable[[int], None] = lambda count: None,
    stop: Callable[[], None] = lambda: None,
) -> tuple[list[LabelledFace], dict[str, str]]:
    """The faces of `images`, in order, and the images that gave none, with the reason.

    Every face of an image bears its label. `done` gets the number of images finished since its last
    call; `stop` may raise in between. Raises CannotWrite when the cache cannot be written.
    """
    try:
        os.makedirs(cutting.folder, exist_ok=True)
        # known by content: a renamed or copied image is not cut out again
        digests = [_digest(image.path) for image in images]
        kind = "ready" if cutting.ready_scale else f"cut-{cutting.kind}"
        index = os.path.join(cutting.folder, f"{kind}.jsonl")
        known = _read_index(index)
        new = [place for place, digest in enumerate(digests) if digest not in known]
        done(len(images) - len(new))
        detector = (
            None
            if cutting.ready_scale
            else TurningDetector(
                MtcnnDetector(cutting.device, cutting.min_face_px), cutting.turns, cutting.device
            )
        )
        with open(index, "a", encoding="utf-8") as handle, _decoder(cutting, stop) as decoder:
            refs = (ImageRef(place, images[place].path, "") for place in new)
            decoded = decoder.decode(refs)
            while batch := list(itertools.islice(decoded, _AT_ONCE)):
                for digest, entry in _entries(batch, digests, cutting, detector):
                    known[digest] = entry
                    _append(handle, digest, entry)
                done(len(batch))
    except OSError as error:
        raise cannot_write(cutting.folder, error) from error
    entries = [(image, known[digest]) for image, digest in zip(images, digests, strict=True)]
    faces = [face for image, entry in entries for face in _faces(image, entry, cutting)]
    return faces, {image.path: str(entry["why"]) for image, entry in entries if not entry["faces"]}


Decoded = DecodedImage | Unreadable


def _entries(
    batch: Sequence[Decoded],
    digests: Sequence[str],
    cutting: CutOptions,
    detector: Detector | None,
) -> Iterator[tuple[str, Entry]]:
    images = [item for item in batch if isinstance(item, DecodedImage)]
    if detector is None:
        found = [([("", image.pixels)], "") for image in images]
    else:
        found = _cut_out(images, digests, cutting, detector)
    parts = dict(zip((image.ref.index for image in images), found, strict=True))
    for item in batch:
        entry: Entry = {"faces": []}
        if isinstance(item, Unreadable):
            entry["why"] = item.message
        else:
            named, entry["why"] = parts[item.ref.index]
            entry["traits"] = traits_of(item).row()
            entry["faces"] = [_describe(name, face) for name, face in named]
        yield digests[item.ref.index], entry


def _cut_out(
    images: Sequence[DecodedImage],
    digests: Sequence[str],
    cutting: CutOptions,
    detector: Detector,
) -> list[tuple[list[tuple[str, Pixels]], str]]:
    """The pictures of each image's faces with their names, and why there are none, if so."""
    found = []
    for image, faces in zip(images, detector.detect(images), strict=True):
        named = []
        for number, face in enumerate(faces, 1):
            crop = cut(image, face, number, cutting.rule)
            if unfit(crop, cutting.rule):
                continue
            picture = Image.fromarray(crop.pixels)
            # the smallest face in the name: with another the detector finds other boxes
            digest = digests[image.ref.index][:32]
            name = f"{digest}-{cutting.kind}-{number}.png"
            with atomic_write(os.path.join(cutting.folder, name)) as handle:
                picture.save(handle, "PNG")
            named.append((name, np.asarray(picture)))
        found.append((named, "no face that a scan would judge" if faces else "no face found"))
    return found


def _describe(name: str, pixels: Pixels) -> Entry:
    import imagehash

    looks = imagehash.phash(Image.fromarray(pixels))
    return {
        "file": name,
        "side": min(pixels.shape[:2]),
        "phash": str(looks),
        "sharpness": sharpness_of(pixels),
    }


def _faces(image: LabelledImage, entry: Entry, cutting: CutOptions) -> Iterator[LabelledFace]:
    for face in entry["faces"]:
        yield LabelledFace(
            path=os.path.join(cutting.folder, face["file"]) if face["file"] else image.path,
            image=image,
            side=face["side"],
            scale=cutting.scale,
            phash=int(face["phash"], 16),
            traits=replace(Traits(*entry["traits"]), sharpness=face["sharpness"]),
        )


def _read_index(path: str) -> dict[str, Entry]:
    """What an earlier run found; lines torn by a kill, or of another version, do not count."""
    known: dict[str, Entry] = {}
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as handle:
        for line in handle:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                files = [face["file"] for face in entry["faces"] if face["file"]]
                folder = os.path.dirname(path)
                all_there = all(os.path.isfile(os.path.join(folder, name)) for name in files)
                if entry["version"] == _VERSION and all_there:
                    known[entry["sha256"]] = entry
    return known


def _append(handle: IO[str], digest: str, entry: Entry) -> None:
    """Add a line at once: a killed run loses only the images it was working on."""
    handle.write(json.dumps({"sha256": digest, "version": _VERSION, **entry}) + "\n")
    handle.flush()


def _decoder(cutting: CutOptions, stop: Callable[[], None]) -> Any:
    limits = DecodeLimits(timeout_s=30.0)
    return contextlib.closing(WorkerDecoder(cutting.workers, limits, stop=stop))


def _digest(path: str) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
