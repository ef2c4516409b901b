"""Colours that a file names by numbers instead of a profile, as an ICC profile of these numbers.

Sources: PNG (third edition) 11.3.2, "cHRM", "gAMA", "sRGB", "cICP"; ITU-T H.273, tables 2 and 3,
for the code points of cICP and of the nclx colour box (ISO/IEC 23008-12) of AVIF and HEIF.
"""

import itertools
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakefacecli.evidence.structure import png_chunks

Matrix = npt.NDArray[np.float64]

_D65 = (0.3127, 0.3290)
_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
# x and y of red, green, blue and white, by H.273's ColourPrimaries
_PRIMARIES: dict[int, tuple[float, ...]] = {
    1: _SRGB,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
# Video's own curves (1, 6, 14, 15) are shown as sRGB's by browsers, and so are they here
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_SRGB_TRANSFERS = frozenset({1, 6, 13, 14, 15})
_UNSPECIFIED = 2
# PNG's 45455 stands for sRGB in most files that say it
_SRGB_GAMMA = 0.45455
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50_XYZ = np.array([0.9642, 1.0, 0.8249])  # ICC.1, the profile connection space
_BOX_SEARCHED = 1 << 16  # an AVIF's or HEIF's properties stand at its start


class Unknown(Exception):
    """The file names colours that cannot be brought to sRGB here, such as HDR's."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Chromaticities (x, y of red, green, blue, white), and the curve from code to light.

    `gamma` is its exponent; None stands for the curve of sRGB.
    """

    chromaticities: tuple[float, ...] = _SRGB
    gamma: float | None = None

    def profile(self) -> bytes:
        """An ICC profile (version 4, matrix and curves) that says the same.

        Raises Unknown for chromaticities that span no colours.
        """
        try:
            columns = _to_d50(self.chromaticities)
        except (np.linalg.LinAlgError, ZeroDivisionError, FloatingPointError) as error:
            raise Unknown from error
        if not np.isfinite(columns).all() or np.abs(columns).max() > 8.0:
            raise Unknown
        curve = _curve(self.gamma)
        tags = {b"wtpt": _xyz(_D50_XYZ)}
        for name, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
            tags |= {name + b"XYZ": _xyz(column), name + b"TRC": curve}
        return _packed(tags)


def has_profile(data: bytes) -> bool:
    """Does a PNG have the chunk of an embedded profile, sound or not?"""
    kinds = (kind for kind, _ in png_chunks(data))
    return b"iCCP" in itertools.takewhile(lambda kind: kind != b"IDAT", kinds)


def png_colours(data: bytes) -> Colours | None:
    """What cHRM and gAMA of a PNG say; None where nothing is said, or sRGB.

    cICP comes before a profile and is `png_code_points`; a profile comes before these.
    """
    found: dict[bytes, bytes] = {}
    for kind, chunk in png_chunks(data):
        if kind == b"sRGB":
            return None
        if kind == b"IDAT":
            break
        found.setdefault(kind, chunk[8:-4])
    points, exponent = found.get(b"cHRM", b""), found.get(b"gAMA", b"")
    colours = Colours()
    if len(points) == 32:
        values = [number / 100_000 for number in struct.unpack(">8L", points)]
        colours = Colours((*values[2:], *values[:2]))  # the chunk begins with white
        if np.allclose(colours.chromaticities, _SRGB, atol=0.001):
            colours = Colours()
    if len(exponent) == 4:
        gamma = int.from_bytes(exponent, "big") / 100_000
        if gamma and abs(gamma - _SRGB_GAMMA) > 0.001:
            colours = Colours(colours.chromaticities, 1 / gamma)
    return None if colours == Colours() else colours


def png_code_points(data: bytes) -> Colours | None:
    """What cICP of a PNG says; None without one, or where it says sRGB. Raises Unknown."""
    for kind, chunk in png_chunks(data):
        if kind == b"cICP" and len(chunk) == 16:
            return _of_code_points(chunk[8], chunk[9])
        if kind == b"IDAT":
            break
    return None


def box_code_points(data: bytes) -> Colours | None:
    """What the first nclx colour box of an AVIF or HEIF says, as `png_code_points` does."""
    at = data.find(b"colrnclx", 0, _BOX_SEARCHED)
    if at < 0 or len(data) < at + 12:
        return None
    return _of_code_points(*struct.unpack_from(">HH", data, at + 8))


def _of_code_points(primaries: int, transfer: int) -> Colours | None:
    if primaries == _UNSPECIFIED:
        primaries = 1
    srgb_curve = transfer in _SRGB_TRANSFERS or transfer == _UNSPECIFIED
    if primaries not in _PRIMARIES or not (srgb_curve or transfer in _GAMMAS):
        raise Unknown
    colours = Colours(_PRIMARIES[primaries], None if srgb_curve else _GAMMAS[transfer])
    return None if colours == Colours() else colours


def _to_d50(chromaticities: tuple[float, ...]) -> Matrix:
    """XYZ of red, green and blue, a column each, as seen under D50 (Bradford adaptation)."""
    points = np.array(chromaticities).reshape(4, 2)
    with np.errstate(all="raise"):
        xyz = np.column_stack(
            (points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(1)) / points[:, 1])
        ).T
        colours, white = xyz[:, :3], xyz[:, 3]
        colours = colours * np.linalg.solve(colours, white)
        cones = (_BRADFORD @ _D50_XYZ) / (_BRADFORD @ white)
        adapted: Matrix = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ colours
    return adapted


def _xyz(values: Matrix) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _curve(gamma: float | None) -> bytes:
    # parametric curves: type 0 is x ** g, type 3 has a straight part below d, as sRGB has
    kind, values = (3, _SRGB_CURVE) if gamma is None else (0, (gamma,))
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, values))


def _fixed(value: float) -> bytes:
    return struct.pack(">l", round(max(-32768.0, min(value, 32767.0)) * 65536))  # s15Fixed16


def _packed(tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">LL", at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    size = struct.pack(">L", at + len(body))
    head = size + bytes(4) + b"\4\0\0\0" + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + _xyz(_D50_XYZ)[8:] + bytes(128 - 80) + table + body
