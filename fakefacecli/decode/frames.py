"""Files of several pictures: how many there are, how long each is shown, which ones are judged.

Times stand in the file's structure (GIF89a graphic control; APNG fcTL; WebP ANMF), so that choosing
decodes nothing. Where a format has no times, or they cannot be read, all count alike.
"""

from collections.abc import Sequence

from PIL import Image

from fakefacecli.base.options import Frames
from fakefacecli.evidence.structure import gif_delays, png_chunks, riff_chunks

SAMPLED = 8  # at most
# browsers show what asks for 10 ms or less for 100 ms
_SHORTEST_MS, _INSTEAD_MS = 10, 100
_REDUCED_OR_MASK = 0b101  # bits of a TIFF's NewSubfileType (254): no page of its own
_SUBFILE = 254
_MP_ENTRIES = 0xB002  # CIPA DC-007, the list of an MPO's pictures


def pages(image: Image.Image) -> tuple[list[int], bool]:
    """The numbers, from 0, of the pictures in an opened file that a viewer shows.

    Thumbnails and masks among a TIFF's pages are left out, and so are the pictures of an MPO that
    are of another size than the first (previews, depth and gain maps). Says also whether the file
    announces pictures that are not there.
    """
    found = [0]
    try:
        count = int(getattr(image, "n_frames", 1))
        if image.format in _LOOKED_AT:
            size = image.size
            for number in range(1, count):
                image.seek(number)
                if _LOOKED_AT[image.format](image, number, size):
                    found.append(number)
        else:
            found = list(range(max(1, count)))
    except Exception:  # noqa: BLE001  (what lies behind the first picture may be broken in any way)
        return found, True
    finally:
        image.seek(0)
    return found, False


def chosen(times: Sequence[float], frames: Frames, most: int) -> list[int]:
    """Which of the pictures, shown for `times` each, are judged: at most `most`, in their order.

    A sample takes those that are on screen at the middles of equal parts of the whole time, and
    then those that are shown longest.
    """
    if frames is Frames.FIRST or most < 2:
        return [0]
    most = min(most, SAMPLED) if frames is Frames.SAMPLE else most
    if len(times) <= most:
        return list(range(len(times)))
    ends, end = [], 0.0
    for time in times:
        end += time
        ends.append(end)
    taken: set[int] = set()
    at = 0
    for part in range(most):
        while ends[at] <= (part + 0.5) * end / most and at < len(times) - 1:
            at += 1
        taken.add(at)
    longest = sorted(range(len(times)), key=lambda number: (-times[number], number))
    for number in longest:
        if len(taken) >= most:
            break
        taken.add(number)
    return sorted(taken)


def times_of(data: bytes, what: str, count: int) -> list[float]:
    """For how many ms each of a file's `count` pictures is shown; all alike where nothing says."""
    found: list[float] = []
    if what == "GIF":
        found = [10.0 * delay for delay in gif_delays(data)]
    elif what == "PNG":
        found = _apng_times(data)
    elif what == "WEBP":
        # the chunk's payload: x, y, width, height, duration, 3 bytes each
        found = [
            float(int.from_bytes(data[start + 20 : start + 23], "little"))
            for kind, start, _ in riff_chunks(data)
            if kind == b"ANMF"
        ]
    if len(found) != count:
        return [1.0] * count
    return [float(_INSTEAD_MS) if time <= _SHORTEST_MS else time for time in found]


def _apng_times(data: bytes) -> list[float]:
    times, animated = [], False
    for kind, chunk in png_chunks(data):
        if kind == b"fcTL" and len(chunk) == 38:
            over = int.from_bytes(chunk[30:32], "big") or 100
            times.append(1000.0 * int.from_bytes(chunk[28:30], "big") / over)
            animated = True
        elif kind == b"IDAT" and not animated:
            times, animated = [0.0], True  # a picture that the animation leaves out
    return times


def _is_tiff_page(image: Image.Image, _: int, __: tuple[int, int]) -> bool:
    kind = getattr(image, "tag_v2", {}).get(_SUBFILE, 0)
    return not (isinstance(kind, int) and kind & _REDUCED_OR_MASK)


def _is_mpo_page(image: Image.Image, number: int, size: tuple[int, int]) -> bool:
    entry = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, [])[number]
    return image.size == size or str(entry["Attribute"]["MPType"]).startswith("Multi-Frame")


_LOOKED_AT = {"TIFF": _is_tiff_page, "MPO": _is_mpo_page}
