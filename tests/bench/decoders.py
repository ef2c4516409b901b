"""What faster ways of decoding JPEGs would do to the verdicts.

    python -m tests.bench.decoders FOLDER [--limit N] [--only NAME]

Compares Pillow's full decode with others, on the JPEGs in FOLDER that lie upright:

- half scale: libjpeg's reduced inverse DCT, for faces of 250 px and more, whose window is shrunk
  for the model even then (every face looked for in the reduced picture is 125 px or more);
- nearest chroma: colour that was saved at half the resolution is repeated, not interpolated, as
  nvJPEG does by default, and with it torchvision's decode_jpeg on a GPU (put together here from
  the full brightness and the half-scale colour, which is the same thing);
- nvimgcodec: NVIDIA's nvImageCodec with interpolated colour, where it is installed
  (nvidia-nvimgcodec-cu13[nvjpeg]): on a GPU where there is one, otherwise on the CPU.

p_fake is compared for the boxes found in the full decode, and for those that the detector finds in
the other picture itself, each with the one it overlaps most (by half of both together at least).
"""

import argparse
import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from PIL import Image, JpegImagePlugin

from fakefacecli.base.options import DEFAULT_NETWORK, JudgeOptions, Precision
from fakefacecli.base.records import Box, DecodedImage, Face, ImageRef, Pixels
from fakefacecli.base.verdicts import Verdict
from fakefacecli.models.bundled import find_model
from fakefacecli.scan.build import build_judge
from fakefacecli.scan.crop import cut
from fakefacecli.scan.pipeline import Judge

AGREES = 0.005
SAME_FACE = 0.5
ORIENTATION = 274
HALVED_LEAST_PX = 250


@dataclass
class Found:
    """Differences of p_fake, with one box for both decodes and with each its own."""

    photographs: int = 0
    other_count: int = 0
    same_box: list[float] = field(default_factory=list)
    own_box: list[float] = field(default_factory=list)
    other_verdict: int = 0

    def row(self, name: str) -> str:
        cells = [name, f"{self.photographs}, {self.other_count} with another number of faces"]
        for moved in (self.same_box, self.own_box):
            over = sum(value > AGREES for value in moved)
            cells.append(f"{max(moved):.3f}, {over} of {len(moved)} over {AGREES}")
        return f"| {' | '.join([*cells, str(self.other_verdict)])} |"


def half_scale(path: pathlib.Path) -> Pixels | None:
    """The picture at half its sides; None where libjpeg would not halve both exactly."""
    with Image.open(path) as image:
        width, height = image.size
        image.draft("RGB", (width // 2, height // 2))
        halved = image.size == (width // 2, height // 2) and not width % 2 and not height % 2
        return np.asarray(image) if halved and image.mode == "RGB" else None


def nearest_chroma(path: pathlib.Path) -> Pixels | None:
    """The picture with colour repeated; None unless it was saved at half the resolution."""
    with Image.open(path) as image, Image.open(path) as again:
        width, height = image.size
        if width % 2 or height % 2 or JpegImagePlugin.get_sampling(image) != 2:
            return None
        image.draft("YCbCr", image.size)
        again.draft("YCbCr", (width // 2, height // 2))
        if again.size != (width // 2, height // 2) or {image.mode, again.mode} != {"YCbCr"}:
            return None
        colour = np.asarray(again).repeat(2, 0).repeat(2, 1)
        levels = np.dstack([np.asarray(image)[..., 0], colour[..., 1:]])
        return np.asarray(Image.fromarray(levels, "YCbCr").convert("RGB"))


class NvImageCodec:
    """NVIDIA's decoder, on `where`: "GPU" or "CPU". Raises ImportError where it is missing."""

    def __init__(self) -> None:
        from nvidia import nvimgcodec

        self.library = nvimgcodec
        self.where = "GPU" if torch.cuda.is_available() else "CPU"
        on_cpu = {
            "device_id": nvimgcodec.NVIMGCODEC_DEVICE_CPU_ONLY,
            "backends": [nvimgcodec.Backend(nvimgcodec.CPU_ONLY)],
        }
        place = {} if self.where == "GPU" else on_cpu
        # interpolated, as Pillow does it; otherwise a colour is repeated
        self.decoder = nvimgcodec.Decoder(**place, options=":fancy_upsampling=1")

    def __call__(self, path: pathlib.Path) -> Pixels | None:
        """The picture, or None where the library does not decode it."""
        made = self.decoder.decode(self.library.CodeStream(path.read_bytes()))
        return None if made is None else np.array(made.cpu())


def judge(min_face_px: int) -> Judge:
    options = JudgeOptions(DEFAULT_NETWORK, min_face_px=min_face_px, precision=Precision.FP32)
    return build_judge(options, find_model(options.model))


def shrunk(face: Face, by: int) -> Face:
    box = face.box
    edges = (edge / by for edge in (box.left, box.top, box.right, box.bottom))
    return replace(face, box=Box(*edges), landmarks=face.landmarks / by)


def compare(
    paths: list[pathlib.Path], read: Callable[[pathlib.Path], Pixels | None], by: int, least_px: int
) -> Found:
    """Full decodes against what `read` makes of the same files, `by` times smaller."""
    full, other = judge(least_px), judge(least_px // by)
    found = Found()

    def judged(image: DecodedImage, faces: list[Face]) -> list[Verdict]:
        return full.classifier.classify([cut(image, face, 1, full.window) for face in faces])

    for path in paths:
        pixels = read(path)
        if pixels is None:
            continue
        with Image.open(path) as image:
            whole = np.asarray(image.convert("RGB"))
        ref = ImageRef(0, str(path), path.name)
        there, here = DecodedImage(ref, whole), DecodedImage(ref, pixels)
        wanted, own = full.detector.detect([there])[0], other.detector.detect([here])[0]
        found.photographs += 1
        found.other_count += len(wanted) != len(own)
        before = judged(there, list(wanted))
        smaller = [shrunk(face, by) for face in wanted]
        found.same_box += map(moved, before, judged(here, smaller))
        after = judged(here, list(own))
        for first, second in paired([face.box for face in smaller], [face.box for face in own]):
            found.own_box.append(moved(before[first], after[second]))
            found.other_verdict += before[first].label != after[second].label
    return found


def paired(wanted: list[Box], own: list[Box]) -> list[tuple[int, int]]:
    """Which of `own` is which of `wanted`: the pairs that overlap most, each box in one at most."""
    overlaps = sorted(
        ((a.overlap(b), one, other) for one, a in enumerate(wanted) for other, b in enumerate(own)),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    for share, one, other in overlaps:
        if share >= SAME_FACE and one not in pairs and other not in pairs.values():
            pairs[one] = other
    return sorted(pairs.items())


def moved(one: Verdict, other: Verdict) -> float:
    return abs(one.fake_probability - other.fake_probability)


def upright_jpegs(folder: pathlib.Path) -> list[pathlib.Path]:
    paths = []
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as image:
            upright = image.getexif().get(ORIENTATION, 1) == 1
            if image.format == "JPEG" and image.mode == "RGB" and upright:
                paths.append(path)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--only", choices=("half scale", "nearest chroma", "nvimgcodec"))
    given = parser.parse_args()
    paths = upright_jpegs(given.folder)[: given.limit]
    print("| decode | photographs | p_fake moved, same box | own box | other verdict |")
    print("| --- | --- | --- | --- | --- |")
    if given.only in {None, "half scale"}:
        print(compare(paths, half_scale, 2, HALVED_LEAST_PX).row("half scale"), flush=True)
    if given.only in {None, "nearest chroma"}:
        print(compare(paths, nearest_chroma, 1, 40).row("nearest chroma"), flush=True)
    if given.only in {None, "nvimgcodec"}:
        try:
            codec = NvImageCodec()
        except ImportError:
            print("| nvimgcodec | not installed | | | |")
            return
        print(compare(paths, codec, 1, 40).row(f"nvimgcodec on the {codec.where}"))


if __name__ == "__main__":
    main()
