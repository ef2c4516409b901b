"""Shards: each input in exactly one, on every machine; merged they are the whole report."""

import itertools
import json
import pathlib

import pytest

from fakefacecli.base.errors import ExitCode, UsageError
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef
from fakefacecli.base.shard import Shard, parse_shard
from fakefacecli.scan.source import PathSource
from tests.builders import PHOTOS, put
from tests.command import assert_same, fakeface, json_lines

PARTS = ("1/3", "2/3", "3/3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Photographs with near-duplicates, files that are passed over, and some that are broken."""
    folder = tmp_path_factory.mktemp("in")
    for number, photo in enumerate(sorted(PHOTOS.iterdir())[:4]):
        for name in (f"{number}.jpg", f"a/{number}", f"a-b/{number}.jpg"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(photo.read_bytes())
        put(folder / "z" / f"{number}.jpg", 300 + number)
    for name in ("notes.txt", "a/more.txt", "z/clip", "z/x.txt", ".ds_store"):
        (folder / name).write_text("no picture")
    (folder / "a" / "broken.jpg").write_bytes(b"no picture")
    (folder / "q" / "old").mkdir(parents=True)
    return folder


def names(folder: pathlib.Path, shard: Shard | None, **how: object) -> list[str]:
    options = SourceOptions((str(folder),), shard=shard, **how)  # type: ignore[arg-type]
    return [item.name for item in PathSource(options) if isinstance(item, ImageRef)]


def test_the_part_of_a_name_is_the_same_for_ever() -> None:
    # by another program: printf %s NAME | sha256sum, its digits as a number, modulo 7
    known = {"a.jpg": 5, "a/b c.png": 6, "Фото.jpg": 7}
    for name, part in known.items():
        assert [n for n in range(1, 8) if Shard(n, 7).holds(name)] == [part], name
    assert sum(Shard(n, 5).holds("\udcff.jpg") for n in range(1, 6)) == 1


def test_every_input_is_in_exactly_one_part_in_the_order_of_the_whole(folder: pathlib.Path) -> None:
    whole = names(folder, None)
    parts = [names(folder, Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(itertools.chain.from_iterable(parts)) == sorted(whole)
    assert all(parts)
    for part in parts:
        assert part == [name for name in whole if name in part]


def test_what_is_passed_over_is_counted_in_one_part(folder: pathlib.Path) -> None:
    def skipped(shard: Shard | None) -> tuple[dict[str, int], list[str]]:
        told: list[str] = []
        options = SourceOptions((str(folder),), shard=shard, exclude=("old",))
        source = PathSource(options, lambda path, reason: told.append(path))
        list(source)
        return dict(source.skipped), told

    whole, paths = skipped(None)
    parts = [skipped(Shard(number, 3)) for number in (1, 2, 3)]
    assert whole == {"not an image": 4, "system file": 1, "excluded": 1}
    assert {k: sum(part.get(k, 0) for part, _ in parts) for k in whole} == whole
    assert sorted(itertools.chain.from_iterable(told for _, told in parts)) == sorted(paths)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/", "a/b", "1/0", "1/100001", "-1/3"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted I/N"):
        parse_shard(text)


def scanned(folder: pathlib.Path, report: pathlib.Path, *more: object) -> int:
    inputs = (folder / "z", folder / "0.jpg", folder) if "several" in more else (folder,)
    words = [word for word in more if word != "several"]
    return fakeface("scan", *inputs, "--report", report, *words).returncode


@pytest.mark.parametrize("inputs", ["one", "several"])
def test_merged_shards_equal_the_whole(
    folder: pathlib.Path, tmp_path: pathlib.Path, inputs: str
) -> None:
    more = ("several",) if inputs == "several" else ()
    codes = {
        scanned(folder, tmp_path / f"{number}.jsonl", "--shard", part, *more)
        for number, part in enumerate(PARTS)
    }
    assert codes <= {ExitCode.COMPLETE, ExitCode.SOME_UNREADABLE}
    scanned(folder, tmp_path / "whole.jsonl", *more)
    # in another order than that of the shards
    parts = [tmp_path / f"{number}.jsonl" for number in (2, 0, 1)]
    for name in ("merged.jsonl", "merged.csv"):
        assert fakeface("report", *parts, "--to", tmp_path / name).returncode == 0
    assert fakeface("report", tmp_path / "whole.jsonl", "--to", tmp_path / "whole.csv")
    assert_same(tmp_path / "merged.csv", tmp_path / "whole.csv")
    rows, header = json_lines((tmp_path / "merged.jsonl").read_text())
    others, whole = json_lines((tmp_path / "whole.jsonl").read_text())
    assert [row["cluster"] for row in rows] == [row["cluster"] for row in others]
    assert len({row["cluster"] for row in rows}) < len({row["path"] for row in rows})
    assert header["counts"] == whole["counts"]
    assert header["options"] == whole["options"] | {"reports": None}
    assert [run["options"]["shard"]["number"] for run in header["merged"]] == [3, 1, 2]


@pytest.fixture(scope="module")
def parts(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    made = tmp_path_factory.mktemp("parts")
    for number, part in enumerate(PARTS, 1):
        scanned(folder / "a-b", made / f"{number}.jsonl", "--shard", part)
    scanned(folder / "a-b", made / "4.jsonl", "--shard", "1/3", "--min-face", "80")
    scanned(folder / "a-b", made / "5.jsonl", "--shard", "1/2")
    return [made / f"{number}.jsonl" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ((0, 2), "of 3 shards 1 are missing: 2; give all"),
        ((3, 1, 2), "are of different scans"),
        ((4, 1, 2), "are of different scans"),
    ],
)
def test_shards_that_are_not_a_whole_are_refused(
    parts: list[pathlib.Path], tmp_path: pathlib.Path, chosen: tuple[int, ...], message: str
) -> None:
    done = fakeface("report", *(parts[n] for n in chosen), "--to", tmp_path / "all.csv")
    assert done.returncode == ExitCode.USAGE
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_same_shard_twice_is_refused(
    folder: pathlib.Path, parts: list[pathlib.Path], tmp_path: pathlib.Path
) -> None:
    again = tmp_path / "again.jsonl"
    scanned(folder / "a-b", again, "--shard", "1/3")
    done = fakeface("report", *parts[:3], again, "--to", tmp_path / "all.csv")
    assert (done.returncode, "shard 1/3 is there twice" in done.stderr) == (ExitCode.USAGE, True)


def test_what_is_there_is_joined_when_asked(
    parts: list[pathlib.Path], tmp_path: pathlib.Path
) -> None:
    target = tmp_path / "some.jsonl"
    done = fakeface("report", parts[0], parts[2], "--partial", "--to", target)
    assert done.returncode == 0
    _, header = json_lines(target.read_text())
    images = [json_lines(parts[n].read_text())[1]["counts"]["images"] for n in (0, 2)]
    assert header["counts"]["images"] == sum(images)


def test_a_part_without_an_image_is_a_complete_report(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "in" / "a.jpg")
    (number,) = [n for n in range(1, 3) if not Shard(n, 2).holds("a.jpg")]
    report = tmp_path / "empty.jsonl"
    done = fakeface("scan", tmp_path / "in", "--shard", f"{number}/2", "--report", report)
    assert done.returncode == ExitCode.COMPLETE, done.stderr
    header = json.loads(report.read_text())["run"]
    assert (header["counts"]["images"], header["options"]["shard"]) == (
        0,
        {"number": number, "count": 2},
    )
    (tmp_path / "none").mkdir()
    done = fakeface("scan", tmp_path / "none", "--shard", "1/2", "--report", report)
    assert done.returncode == ExitCode.NOTHING_TO_DO
