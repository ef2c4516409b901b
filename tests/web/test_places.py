"""Folders that may be scanned, and what a session leaves."""

import os
import pathlib

import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.web.places import Places, allowed_folder


def test_only_an_allowed_folder_and_those_in_it_may_be_scanned(tmp_path: pathlib.Path) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    allowed = (str(tmp_path / "a"),)
    assert allowed_folder(str(inside), allowed) == str(inside)
    assert allowed_folder(f"{inside}/../b/", allowed) == str(inside)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "ab")
    for wanted in ("", "a", "/", str(tmp_path / "ab"), f"{inside}/../../ab", "a\0b", "/etc"):
        with pytest.raises(UsageError, match="no folder of this name"):
            allowed_folder(wanted, allowed)
    with pytest.raises(UsageError, match="no folder of this name"):
        allowed_folder(str(tmp_path / "a" / "link"), allowed)
    with pytest.raises(UsageError, match="no folder of this name"):
        allowed_folder(str(inside), ())


def test_what_two_sessions_have_stays_until_both_have_ended() -> None:
    places = Places()
    shared = pathlib.Path(places.cache, "hash", "a.jpg")
    shared.parent.mkdir()
    shared.write_bytes(b"x")
    for session in ("one", "two"):
        places.note(session, str(shared))
    own = places.new_folder("one")
    places.end("one")
    assert shared.exists()
    assert not os.path.exists(own)
    places.end("two")
    assert not shared.parent.exists()
    places.remove()
    assert not os.path.exists(places.root)


def test_nothing_outside_the_cache_is_ever_noted_or_removed(tmp_path: pathlib.Path) -> None:
    places = Places()
    kept = pathlib.Path(places.cache, "example", "a.jpg")
    kept.parent.mkdir()
    kept.write_bytes(b"x")
    places.keep()
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(b"x")
    for path in (str(mine), places.cache, places.root, places.work, str(kept)):
        places.note("one", path)
    places.end("one")
    places.sweep(older_than_s=-10)
    assert mine.exists()
    assert kept.exists()
    assert os.path.isdir(places.work)
    places.remove()
