import os
import pathlib
import socket
import subprocess

import pytest

from fakefacecli.base.errors import NothingToDo, UsageError
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.scan.source import PathSource, read_listing

JPEG = b"\xff\xd8\xff\xe0 the rest does not matter to a walk"


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("b.jpg", "a/c.PNG", "a/notes.txt", "z/deep/er/d.webp", ".hidden/e.jpeg"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text" if name.endswith("txt") else JPEG)
    (tmp_path / "in" / "upload-0001").write_bytes(JPEG)
    return tmp_path / "in"


def names(source: PathSource) -> list[str]:
    return [item.name if isinstance(item, ImageRef) else item.ref.name for item in source]


def walk(*paths: pathlib.Path, **how: object) -> list[str]:
    return names(PathSource(SourceOptions(tuple(map(str, paths)), **how)))  # type: ignore[arg-type]


def test_a_walk_is_sorted_recursive_and_finds_images_without_a_suffix(tree: pathlib.Path) -> None:
    assert walk(tree) == [".hidden/e.jpeg", "a/c.PNG", "b.jpg", "upload-0001", "z/deep/er/d.webp"]


def test_indices_count_from_zero_in_order(tree: pathlib.Path) -> None:
    refs = [item for item in PathSource(SourceOptions((str(tree),))) if isinstance(item, ImageRef)]
    assert [ref.index for ref in refs] == list(range(5))


def test_what_is_passed_over_is_counted(tree: pathlib.Path) -> None:
    source = PathSource(SourceOptions((str(tree),)))
    names(source)
    assert source.skipped == {"not an image": 1}


def test_no_recursive_stays_in_the_folder(tree: pathlib.Path) -> None:
    assert walk(tree, recursive=False) == ["b.jpg", "upload-0001"]


def test_globs_match_the_name_or_its_last_part(tree: pathlib.Path) -> None:
    assert walk(tree, include=("*.jpg", "a/*.PNG")) == ["a/c.PNG", "b.jpg"]
    assert walk(tree, exclude=("z", "*.PNG", ".hidden/*")) == ["b.jpg", "upload-0001"]


def test_an_included_name_is_taken_whatever_it_holds(tree: pathlib.Path) -> None:
    assert walk(tree, include=("*.txt",)) == ["a/notes.txt"]


def test_a_named_file_is_taken_whatever_its_suffix(tree: pathlib.Path) -> None:
    assert walk(tree / "a" / "notes.txt") == ["notes.txt"]


def test_names_of_several_inputs_are_relative_to_their_common_folder(tree: pathlib.Path) -> None:
    assert walk(tree / "a", tree / "z", tree / "b.jpg") == ["a/c.PNG", "z/deep/er/d.webp", "b.jpg"]


def test_a_file_named_twice_is_one_input(tree: pathlib.Path) -> None:
    assert walk(tree / "a" / "c.PNG", tree / "a") == ["c.PNG"]


def test_links_are_followed_only_when_asked(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(JPEG)
    (tree / "link.jpg").symlink_to(outside / "secret.jpg")
    (tree / "linked").symlink_to(outside)
    (tree / "back").symlink_to(tree)
    (tree / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    assert len(walk(tree)) == 5
    found = walk(tree, follow_symlinks=True)
    assert {"link.jpg", "linked/secret.jpg", "dangling.jpg"} < set(found)
    assert len(found) == 8


def test_a_named_link_is_a_row_that_says_how_to_follow_it(tree: pathlib.Path) -> None:
    (tree / "link.jpg").symlink_to(tree / "b.jpg")
    [item] = PathSource(SourceOptions((str(tree / "link.jpg"),)))
    assert isinstance(item, Unreadable)
    assert item.code is ErrorCode.NOT_A_FILE
    assert "--follow-symlinks" in item.message


def test_fifos_and_sockets_are_rows_and_never_opened(
    tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tree / "pipe.jpg")
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        found = [item for item in PathSource(SourceOptions((".",))) if isinstance(item, Unreadable)]
    assert [(item.ref.name, item.code) for item in found] == [
        ("pipe.jpg", ErrorCode.NOT_A_FILE),
        ("socket.png", ErrorCode.NOT_A_FILE),
    ]


def test_a_missing_argument_stops_the_run_and_is_named(tree: pathlib.Path) -> None:
    with pytest.raises(NothingToDo, match=r"gone\.jpg"):
        walk(tree, tree / "gone.jpg")


def test_a_missing_listed_file_is_a_row(tree: pathlib.Path) -> None:
    options = SourceOptions(listed=(str(tree / "gone.jpg"), str(tree / "b.jpg")))
    gone, there = PathSource(options)
    assert isinstance(gone, Unreadable)
    assert gone.code is ErrorCode.VANISHED
    assert isinstance(there, ImageRef)


def test_folders_of_our_own_output_are_not_inputs(tree: pathlib.Path) -> None:
    assert "a/c.PNG" not in walk(tree, never=(str(tree / "a"),))


def test_names_that_are_not_utf8_survive(tmp_path: pathlib.Path) -> None:
    raw = os.fsencode(str(tmp_path)) + b"/\xff\xfe.jpg"
    with open(raw, "wb") as handle:
        handle.write(JPEG)
    [item] = PathSource(SourceOptions((str(tmp_path),)))
    assert isinstance(item, ImageRef)
    assert os.fsencode(item.path) == raw


def test_a_tree_deeper_than_pythons_recursion_is_walked(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        os.mkdir("d")
        os.chdir("d")
    with open("x.jpg", "wb") as handle:
        handle.write(JPEG)
    os.chdir(tmp_path)
    try:
        [item] = PathSource(SourceOptions(("d",)))
    finally:
        subprocess.run(["rm", "-rf", "d"], check=True)  # shutil.rmtree recurses too deep
    assert isinstance(item, ImageRef)
    assert item.path.count("d/") == 1100


def test_listings_are_split_at_newlines_or_nul() -> None:
    assert read_listing(b"a.jpg\nb c.jpg\n\n", zero=False) == ("a.jpg", "b c.jpg")
    assert read_listing(b"a.jpg\r\nb.jpg\r\n", zero=False) == ("a.jpg", "b.jpg")
    assert read_listing(b"a\r\nb\n", zero=False) == ("a\r", "b")
    assert read_listing(b"a\nb.jpg\0c.jpg\0", zero=True) == ("a\nb.jpg", "c.jpg")
    with pytest.raises(UsageError, match="-0"):
        read_listing(b"a\0b", zero=False)
