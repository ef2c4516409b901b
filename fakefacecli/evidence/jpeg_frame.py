"""How a JPEG was coded: its frame, scans and markers, read without decoding. Source: ITU-T T.81."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from fakefacecli.evidence.structure import jpeg_segments

_CODINGS = {
    0xC0: "baseline",
    0xC1: "extended sequential",
    0xC2: "progressive",
    0xC3: "lossless",
    0xC5: "differential sequential",
    0xC6: "differential progressive",
    0xC7: "differential lossless",
    0xC9: "extended sequential, arithmetic",
    0xCA: "progressive, arithmetic",
    0xCB: "lossless, arithmetic",
}
_SOS, _DRI, _EOI = 0xDA, 0xDD, 0xD9
_NAMES = {
    0xC4: "DHT",
    0xCC: "DAC",
    _SOS: "SOS",
    0xDB: "DQT",
    0xDC: "DNL",
    _DRI: "DRI",
    _EOI: "EOI",
    0xD8: "SOI",
    0xFE: "COM",
}
_MOST_MARKERS = 100_000


@dataclass(frozen=True, slots=True)
class Marker:
    """A segment: its code, where it starts and ends in the file; SOS counts its data as well."""

    code: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """As the standard writes it, such as DQT, SOF2 or APP1."""
        if self.code in _CODINGS:
            return f"SOF{self.code - 0xC0}"
        if 0xE0 <= self.code <= 0xEF:
            return f"APP{self.code - 0xE0}"
        return _NAMES.get(self.code, f"0x{self.code:02X}")


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """The picture's frame: sizes in pixels, `sampling` as 4:2:0, "" where there is no colour.

    `luma_table` is the number of the first component's quantisation table; `restart` counts the
    blocks between two restart markers, 0 for none.
    """

    coding: str
    bits: int
    width: int
    height: int
    components: int
    sampling: str
    luma_table: int
    restart: int
    scans: int


def jpeg_markers(data: bytes) -> Iterator[Marker]:
    """Every marker segment up to the end of the picture, scans included; bounded by the data."""
    yield from itertools.islice(_markers(data), _MOST_MARKERS)


def read_frame(data: bytes) -> JpegFrame | None:
    """The frame of a JPEG's bytes; None where there is none, or it is cut."""
    markers = list(jpeg_markers(data))
    for marker in markers:
        body = data[marker.start + 4 : marker.end]
        if marker.code in _CODINGS and len(body) >= 6 and len(body) >= 6 + 3 * body[5]:
            break
    else:
        return None
    parts = [body[at : at + 3] for at in range(6, 6 + 3 * body[5], 3)]
    return JpegFrame(
        _CODINGS[marker.code],
        body[0],
        int.from_bytes(body[3:5], "big"),
        int.from_bytes(body[1:3], "big"),
        body[5],
        _sampling([(part[1] >> 4, part[1] & 15) for part in parts]),
        parts[0][2] if parts else 0,
        _restart(data, markers),
        sum(marker.code == _SOS for marker in markers),
    )


def _restart(data: bytes, markers: list[Marker]) -> int:
    found = [m for m in markers if m.code == _DRI and m.end - m.start >= 6]
    return int.from_bytes(data[found[-1].start + 4 : found[-1].start + 6], "big") if found else 0


def _markers(data: bytes) -> Iterator[Marker]:
    at = 2
    while at + 1 < len(data):
        begun = at
        for code, start, end in jpeg_segments(data, at):
            if code != _SOS:
                yield Marker(code, start, min(end, len(data)))
                at = end
            else:
                at = _end_of_scan(data, end)
                yield Marker(code, start, at)
        # looked for once only, at the end: a file may hold a million scans
        end_marker = data.find(b"\xff\xd9", at) if at == begun else at
        if data[end_marker : end_marker + 2] == b"\xff\xd9" and end_marker >= 0:
            yield Marker(_EOI, end_marker, end_marker + 2)
            return
        if at == begun:
            return


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker after compressed data is; restart markers and stuffing belong to it."""
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        following = data[at + 1]
        if following == 0xFF:
            at += 1
        elif following == 0 or 0xD0 <= following <= 0xD7:
            at += 2
        else:
            return at
    return len(data)


def _sampling(factors: list[tuple[int, int]]) -> str:
    """4:4:4 and its kin of a picture of three components; the plain factors of any other."""
    if len(factors) == 1:
        return ""
    if len(factors) == 3 and factors[1] == factors[2] and all(h and v for h, v in factors):
        (wide, high), (part_wide, part_high), _ = factors
        named = {
            (1, 1): "4:4:4",
            (2, 1): "4:2:2",
            (2, 2): "4:2:0",
            (4, 1): "4:1:1",
            (1, 2): "4:4:0",
            (4, 2): "4:1:0",
        }
        if wide % part_wide == 0 and high % part_high == 0:
            name = named.get((wide // part_wide, high // part_high))
            if name:
                return name
    return " ".join(f"{h}x{v}" for h, v in factors)
