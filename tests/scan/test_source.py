import os
import pathlib
import socket
import struct
import subprocess
import sys

import pytest

from fakefacecli.base.errors import NothingToDo
from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.decode import formats
from fakefacecli.scan.source import PathSource
from tests.builders import ROOT

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


def test_globs_match_whatever_the_case(tree: pathlib.Path) -> None:
    (tree / "IMG_1.JPG").write_bytes(JPEG)
    assert walk(tree, include=("*.jpg",)) == ["IMG_1.JPG", "b.jpg"]
    assert walk(tree, include=("A/*.png", "img_[0-9].*")) == ["IMG_1.JPG", "a/c.PNG"]
    assert walk(tree, exclude=("*.JPG", "Z", "upload*", ".HIDDEN")) == ["a/c.PNG"]


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


@pytest.mark.parametrize("how", ["plain", "a link to a link", "beside another input"])
def test_a_folder_named_by_a_link_is_walked(
    how: str, tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.parent)
    os.symlink("in", "uploads")
    os.symlink("uploads", "latest")
    (tree / "linked").symlink_to(tree / "a")
    (tree / "link.jpg").symlink_to(tree / "b.jpg")
    named = "latest" if how == "a link to a link" else "uploads"
    more = ("in/b.jpg",) if how == "beside another input" else ()
    source = PathSource(SourceOptions((named, *more)))
    found = [item.path for item in source if isinstance(item, ImageRef)]
    inside = (".hidden/e.jpeg", "a/c.PNG", "b.jpg", "upload-0001", "z/deep/er/d.webp")
    assert found == [*(f"{named}/{name}" for name in inside), *more]
    assert source.skipped == {"not an image": 1, "symbolic link": 2}
    if not more:
        assert names(source) == list(inside)


def test_a_listed_link_to_a_folder_is_left_alone_as_in_a_walk(tree: pathlib.Path) -> None:
    (tree / "linked").symlink_to(tree / "a")
    [item] = PathSource(SourceOptions(listed=(str(tree / "linked"),)))
    assert isinstance(item, Unreadable)
    assert item.ref.name == "linked"
    assert item.code is ErrorCode.NOT_A_FILE


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


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file, and some bytes of the next."""
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return struct.pack(">L", len(body) + 4) + body + b"\0\0\1\0meta"


BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
BITMAP = b"BM" + struct.pack("<LHHL", 354, 0, 0, 54) + struct.pack("<LllHH", 40, 10, 10, 1, 24)
IMAGES = {
    "jpeg": JPEG,
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "gif87": b"GIF87a\x0a\0\x0a\0",
    "gif89": b"GIF89a\x0a\0\x0a\0",
    "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "bmp": BITMAP,
    "bmp-of-os2": b"BM"
    + struct.pack("<LHHL", 354, 0, 0, 26)
    + struct.pack("<LHHHH", 12, 9, 9, 1, 8),
    "tiff": b"II*\0\x08\0\0\0",
    "tiff-big-end-first": b"MM\0*\0\0\0\x08",
    "bigtiff": b"II+\0\x08\0\0\0",
    "cr2": b"II*\0\x10\0\0\0CR\2\0",
    **{f"major-{brand.decode()}": ftyp(brand) for brand in (*BRANDS, b"avif", b"avis")},
    **{f"also-{brand.decode()}": ftyp(b"isom", b"iso8", brand) for brand in (*BRANDS, b"avif")},
    "avif-called-mif1": ftyp(b"mif1", b"miaf", b"avif"),
    # these are not decoded, and their rows say so
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7",
    "photoshop": b"8BPS\0\1" + bytes(20),
    "icon": b"\0\0\1\0\1\0\x20\x20" + bytes(14),
    "jpeg-xl": b"\0\0\0\x0cJXL \r\n\x87\n",
    "jpeg-2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0",
    "netpbm": b"P6 # a comment\n8 8\n255\n",
    "twelfth-brand": ftyp(b"isom", *[b"miaf"] * 10, b"heic"),
}
OTHERS = {
    "empty": b"",
    "cars": b"BMW is a maker of cars, and not of bitmaps, says the text.",
    "cars-in-short": b"BMW",
    "bm-and-zeros": b"BM" + bytes(60),
    "gifts": b"GIFTS and other things",
    "gif-of-1999": b"GIF99a\x0a\0\x0a\0",
    "second": b"II. The second chapter",
    "millimetres": b"MM is short for millimetre",
    "sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "film-avi": b"RIFF\x24\0\0\0AVI LIST",
    "film-mp4": ftyp(b"isom", b"mp42"),
    "brand-behind-the-box": ftyp(b"isom") + b"heic",
    "plan": b"P3 of the plan: see page 4.",
    "text": b"text",
}


def test_content_decides_which_files_without_a_suffix_are_inputs(tmp_path: pathlib.Path) -> None:
    for name, data in {**IMAGES, **OTHERS}.items():
        (tmp_path / name).write_bytes(data)
    assert walk(tmp_path) == sorted(IMAGES)


def skipped(*paths: pathlib.Path, **how: object) -> tuple[list[str], dict[str, str]]:
    """What a walk takes, and what it passes over: reasons by name."""
    found: dict[str, str] = {}
    options = SourceOptions(tuple(map(str, paths)), **how)  # type: ignore[arg-type]
    source = PathSource(options, lambda path, why: found.update({pathlib.Path(path).name: why}))
    taken = names(source)
    assert sum(source.skipped.values()) == len(found)
    return taken, found


def test_videos_are_passed_over_and_named_as_such(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.mov").write_bytes(ftyp(b"qt  "))
    (tmp_path / "b").write_bytes(OTHERS["film-avi"])
    assert skipped(tmp_path) == ([], {"a.mov": "video", "b": "video"})


@pytest.mark.parametrize("include", [(), ("*",)])
def test_what_file_managers_leave_behind_is_passed_over(
    include: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    companions = ("._a.jpg", "__MACOSX/._b.HEIC", "__MACOSX/sub/._c.png", "._empty.jpg")
    system = (".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini", "Desktop.ini", "Icon\r")
    for name in (*companions, *system, "a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG if name == "a.jpg" else b"\0\5\x16\7" + bytes(60))
    (tmp_path / "._empty.jpg").write_bytes(b"")
    taken, found = skipped(tmp_path, include=include)
    assert taken == ["a.jpg"]
    bases = {pathlib.Path(name).name: "companion file of macOS" for name in companions}
    assert found == bases | dict.fromkeys(system, "system file")


def test_a_name_hides_no_picture(tmp_path: pathlib.Path) -> None:
    hidden = ("._photo.jpg", "Thumbs.db", "__MACOSX/._photo", "__MACOSX/plain.jpg", "desktop.ini")
    for name in hidden:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)
    assert sorted(walk(tmp_path)) == sorted(hidden)


def test_a_walk_and_a_decoder_agree_on_what_is_an_image() -> None:
    for data in (*IMAGES.values(), *OTHERS.values()):
        start = data[: formats.SNIFFED_BYTES]
        assert formats.name(start) == formats.name(data + bytes(4096))


def test_a_walk_imports_no_decoder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "upload").write_bytes(ftyp(b"hevc"))
    code = (
        "import sys; from fakefacecli.base.options import SourceOptions;"
        " from fakefacecli.scan.source import PathSource;"
        " print(len(list(PathSource(SourceOptions((sys.argv[1],))))),"
        " *({'PIL', 'torch', 'pillow_heif'} & set(sys.modules)))"
    )
    command = (sys.executable, "-c", code, str(tmp_path))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
