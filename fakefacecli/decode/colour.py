"""Colours as a viewer shows them: whatever a file says of its own, brought to sRGB.

An embedded ICC profile is applied with the perceptual intent (ICC.1:2022); a profile that is
broken, or made for pictures of another kind, is ignored, and the answer says so. Without any word
of its own a picture counts as sRGB. What a profile calls itself does not matter: one that changes
no colour by more than a level of 255 is left out, since it would only cost time.
"""

import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from fakefacecli.decode.primaries import (
    Colours,
    Unknown,
    box_code_points,
    has_profile,
    png_code_points,
    png_colours,
)

_SAME = 1  # levels of 255; rounding alone moves colours by as much
_BOX_SEARCHED = 1 << 16
_MOST_BYTES = 16 << 20  # of a profile; those of presses have 3 MB
# which pictures a profile may belong to: its colour space, and the modes it is applied in
_APPLIED_IN = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}
_CLASSES = frozenset({"scnr", "mntr", "prtr", "spac"})  # not links, names and effects


@dataclass(frozen=True, slots=True)
class Colouring:
    """How to bring a picture's colours to sRGB.

    `profile` is None where they are that already; `ignored` says that the file says something of
    its colours that cannot be applied.
    """

    profile: bytes | None = None
    ignored: bool = False

    def apply(self, image: Image.Image) -> tuple[Image.Image, bool]:
        """An L, RGB, RGBA or CMYK `image` in sRGB, and whether a profile had to be ignored.

        `image` may be changed; the answer is RGB or RGBA where a profile was applied.
        """
        if self.profile is None:
            return image, self.ignored
        for mode in dict.fromkeys((image.mode, "RGB" if image.mode == "L" else image.mode)):
            found = _transform(self.profile, mode)
            if found.usable:
                if found.transform is None:
                    return image, self.ignored
                image = image if image.mode == mode else image.convert(mode)
                in_place = mode in ("RGB", "RGBA") and not image.readonly
                done = ImageCms.applyTransform(image, found.transform, inPlace=in_place)
                return (image if done is None else done), self.ignored
        return image, True


AS_SRGB = Colouring()


def colouring(image: Image.Image, data: bytes, what: str) -> Colouring:
    """What an opened and loaded `image`, whose file is `data`, says of its colours.

    A PNG's cICP comes before its profile, and gAMA and cHRM after it (PNG, third edition); an
    AVIF's or HEIF's colour box after its profile, as in browsers.
    """
    profile = _jp2_profile(data) if what == "JPEG2000" else image.info.get("icc_profile")
    # Pillow notes a profile that cannot be put together as None, or cannot open the PNG at all
    ignored = "icc_profile" in image.info or (what == "PNG" and has_profile(data))
    ignored = ignored and not profile
    try:
        colours = png_code_points(data) if what == "PNG" else None
        if colours is None and isinstance(profile, bytes) and profile:
            return Colouring(profile, ignored)
        if colours is None:
            colours = _by_numbers(data, what)
        return Colouring(colours.profile() if colours else None, ignored)
    except Unknown:
        usable = isinstance(profile, bytes) and profile
        return Colouring(profile if usable else None, ignored or not usable)


def _jp2_profile(data: bytes) -> bytes | None:
    """The profile in the colour box of a JP2, method 2 (ISO/IEC 15444-1, I.5.3.3)."""
    at = data.find(b"colr\2", 4, _BOX_SEARCHED)
    if at < 0:
        return None
    return data[at + 7 : at - 4 + int.from_bytes(data[at - 4 : at], "big")]


def _by_numbers(data: bytes, what: str) -> Colours | None:
    if what == "PNG":
        return png_colours(data)
    return box_code_points(data) if what in ("AVIF", "HEIF") else None


@dataclass(frozen=True, slots=True)
class _Found:
    """A profile looked at once: a transform of None changes nothing."""

    usable: bool
    transform: ImageCms.ImageCmsTransform | None = None


@functools.lru_cache(maxsize=8)  # one device's pictures share a profile
def _transform(profile: bytes, mode: str) -> _Found:
    """How pictures of `mode` with this profile become sRGB."""
    if len(profile) > _MOST_BYTES:
        return _Found(usable=False)
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space.strip()
        if mode not in _APPLIED_IN.get(space, ()) or opened.profile.device_class not in _CLASSES:
            return _Found(usable=False)
        srgb = ImageCms.createProfile("sRGB")
        to = "RGBA" if mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(opened, srgb, mode, to, ImageCms.Intent.PERCEPTUAL)
        probe = _probe(mode)
        shown = np.asarray(ImageCms.applyTransform(probe, transform), np.int16)
        apart = np.abs(shown - np.asarray(probe.convert(to), np.int16)).max()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return _Found(usable=False)
    return _Found(usable=True, transform=transform if apart > _SAME else None)


def _probe(mode: str) -> Image.Image:
    """Every grey and a grid of colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    bands = len(mode)
    grid = np.stack(np.meshgrid(*[steps] * bands, indexing="ij"), axis=-1).reshape(1, -1, bands)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], bands, axis=2)
    return Image.fromarray(np.concatenate((grid, greys), axis=1), mode)
