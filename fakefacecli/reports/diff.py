"""What two reports of the same images say differently."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from fakefacecli.base.errors import UsageError
from fakefacecli.base.records import Box
from fakefacecli.reports.read import Report
from fakefacecli.reports.rows import Row
from fakefacecli.reports.runs import Header

# two boxes are of one face if they share this much (intersection over union)
SAME_FACE = 0.5
_CORNERS = ("x1", "y1", "x2", "y2")


class Kind(StrEnum):
    """What has changed: the closed list behind the column `change`."""

    VERDICT = "verdict"
    APPEARED = "appeared"
    VANISHED = "vanished"
    IMAGE = "image"
    IMAGE_APPEARED = "image_appeared"
    IMAGE_VANISHED = "image_vanished"


class SameFile(StrEnum):
    """Whether an image's file is the one it was: the closed list behind the column `file`."""

    SAME = "same"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Change:
    """A face or an image on which two reports differ; None where one report has nothing to say.

    Of an image (without face numbers) the verdicts are the image's, and `p_fake` is None. `path` is
    the exact one of the newer report that has the image, `old_path` that of a file that was moved.
    `box` is left, top, right, bottom in pixels, of the newer report that has the face.
    """

    kind: Kind
    path: str
    old_path: str | None = None
    file: SameFile | None = None
    box: tuple[float, float, float, float] | None = None
    old_face: int | None = None
    new_face: int | None = None
    old_verdict: str | None = None
    new_verdict: str | None = None
    old_p_fake: float | None = None
    new_p_fake: float | None = None
    old_reason: str | None = None
    new_reason: str | None = None
    old_status: str | None = None
    new_status: str | None = None
    old_error_code: str | None = None
    new_error_code: str | None = None

    @property
    def row(self) -> Row:
        """The cells of this change by their columns, `box` as x1, y1, x2, y2."""
        cells = asdict(self)
        box = cells.pop("box") or (None,) * 4
        return {"change": cells.pop("kind"), **cells} | dict(zip(_CORNERS, box, strict=True))


CHANGE_COLUMNS = tuple(Change(Kind.IMAGE, "").row)


def differences(old: Report, new: Report) -> Iterator[Change]:
    """The changes, image by image in the order of `new`; images that vanished come last.

    An image is the same if its path is; of those that are left, if the hash of its file is. A face
    is the same if it is in the same picture of the file, and the boxes overlap by SAME_FACE or
    more; the best overlap counts first. Raises UsageError for a report with two runs of one image.
    """
    before, after = _images(old), _images(new)
    moved = _moved(before, after)
    for path, rows in after.items():
        was = path if path in before else moved.get(path)
        if was is None:
            yield _image_change(Kind.IMAGE_APPEARED, path, None, rows[0])
        else:
            yield from _of_image(path, was, before[was], rows)
    gone = before.keys() - after.keys() - set(moved.values())
    for path, rows in before.items():
        if path in gone:
            yield _image_change(Kind.IMAGE_VANISHED, path, rows[0], None)


def differing(old: Header, new: Header) -> Iterator[str]:
    """What the two headers say differently of how faces were judged, one sentence for each."""
    for what, names in (
        ("model", ("model", "name")),
        ("weights (sha256)", ("model", "sha256")),
        ("thresholds", ("model", "thresholds")),
        ("version of fakeface", ("tool_version",)),
    ):
        one, other = _inside(old, names), _inside(new, names)
        if one != other and one is not None and other is not None:
            yield f"not the same {what}: {_words(one)} before, {_words(other)} now"


def _images(report: Report) -> dict[str, list[Row]]:
    images: dict[str, list[Row]] = {}
    for row in report.rows:
        rows = images.setdefault(row["path"], [])
        if rows and rows[0]["run_id"] != row["run_id"]:
            raise UsageError(
                f"{report.path}: {row['path']} is in two of its runs; compare reports in which "
                "each image was judged once"
            )
        rows.append(row)
    return images


def _moved(before: dict[str, list[Row]], after: dict[str, list[Row]]) -> dict[str, str]:
    """The old path of each new one whose file was elsewhere before; copies pair up in order."""
    free: dict[str, list[str]] = {}
    for path, rows in before.items():
        if path not in after and rows[0]["sha256"]:
            free.setdefault(rows[0]["sha256"], []).append(path)
    return {
        path: free[rows[0]["sha256"]].pop(0)
        for path, rows in after.items()
        if path not in before and free.get(rows[0]["sha256"])
    }


def _of_image(path: str, was: str, old: list[Row], new: list[Row]) -> Iterator[Change]:
    moved = was if was != path else None
    changes = list(_of_faces(path, old, new))
    one, other = old[0], new[0]
    # where a file could not be read before or now, its faces have not really come or gone
    if "error" in (one["status"], other["status"]):
        changes = []
    names = ("status", "image_verdict", "error_code")
    said = any(one[name] != other[name] for name in names)
    if said and not changes:
        changes = [_image_change(Kind.IMAGE, path, one, other)]
    for change in changes:
        yield replace(change, old_path=moved, file=_file(moved, one, other))


def _file(moved: str | None, old: Row, new: Row) -> SameFile | None:
    if moved is not None:
        return SameFile.MOVED
    if old["sha256"] is None or new["sha256"] is None:
        return None
    return SameFile.SAME if old["sha256"] == new["sha256"] else SameFile.CHANGED


def _of_faces(path: str, old: Sequence[Row], new: Sequence[Row]) -> Iterator[Change]:
    """The faces with another verdict, those that appeared, and last those that vanished."""
    before = [row for row in old if row["face"] is not None]
    after = [row for row in new if row["face"] is not None]
    pairs = _pairs(before, after)
    for number, row in enumerate(after):
        was = before[pairs[number]] if number in pairs else None
        if was is None:
            yield _face_change(Kind.APPEARED, path, None, row)
        elif was["verdict"] != row["verdict"]:
            yield _face_change(Kind.VERDICT, path, was, row)
    for number, row in enumerate(before):
        if number not in pairs.values():
            yield _face_change(Kind.VANISHED, path, row, None)


def _pairs(before: Sequence[Row], after: Sequence[Row]) -> dict[int, int]:
    """Which of `before` each of `after` is, by their places; the best overlap is settled first."""
    boxes = [_box(row) for row in before]
    shares = [
        (_box(row).overlap(boxes[one]), other, one)
        for other, row in enumerate(after)
        for one, was in enumerate(before)
        if (row["frame"] or 1) == (was["frame"] or 1)
    ]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for share, other, one in sorted(shares, key=lambda found: (-found[0], found[1:])):
        if share >= SAME_FACE and other not in pairs and one not in taken:
            pairs[other] = one
            taken.add(one)
    return pairs


def _face_change(kind: Kind, path: str, old: Row | None, new: Row | None) -> Change:
    one, other = old or {}, new or {}
    box = _box(other or one)
    return Change(
        kind,
        path,
        box=(box.left, box.top, box.right, box.bottom),
        old_face=one.get("face"),
        new_face=other.get("face"),
        old_verdict=one.get("verdict"),
        new_verdict=other.get("verdict"),
        old_p_fake=one.get("p_fake"),
        new_p_fake=other.get("p_fake"),
        old_reason=one.get("reason"),
        new_reason=other.get("reason"),
        old_status=one.get("status"),
        new_status=other.get("status"),
    )


def _image_change(kind: Kind, path: str, old: Row | None, new: Row | None) -> Change:
    one, other = old or {}, new or {}
    return Change(
        kind,
        path,
        old_verdict=one.get("image_verdict"),
        new_verdict=other.get("image_verdict"),
        old_status=one.get("status"),
        new_status=other.get("status"),
        old_error_code=one.get("error_code"),
        new_error_code=other.get("error_code"),
    )


def _box(row: Row) -> Box:
    return Box(*(row[name] for name in _CORNERS))


def _inside(header: Header, names: tuple[str, ...]) -> object:
    found: object = header
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _words(value: object) -> str:
    if isinstance(value, dict):  # thresholds
        return f"{value.get('low')} and {value.get('high')}"
    return str(value)
