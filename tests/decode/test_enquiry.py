"""A file is read in a process of its own: what hangs, crashes or lies costs its own section."""

import json
import os
import pathlib
import time

import pytest

from fakefacecli.base.errors import Interrupted
from fakefacecli.decode.enquiry import enquire
from fakefacecli.decode.image import DecodeLimits
from fakefacecli.decode.inspection import SECTIONS, lines_of
from tests import bad_files
from tests.bad_files import picture, saved


def never() -> None:
    """Nobody asks for an end."""


def test_every_section_of_a_whole_file_has_its_value(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(picture(size=(256, 256)), "JPEG", quality=90, comment=b"hi"))
    found = enquire(str(path), DecodeLimits(), never)
    assert list(found) == list(SECTIONS)
    assert {part["error"] for part in found.values()} == {None}
    assert found["file"]["value"]["bytes"] == path.stat().st_size
    assert found["jpeg"]["value"]["tables"][0]["quality"] == 90
    hint = found["recompression"]["value"]
    assert (hint["checked"], hint["found"]) == (True, False)
    assert found["c2pa"]["value"] is None


def test_no_bad_file_breaks_a_section_in_an_unforeseen_way(tmp_path: pathlib.Path) -> None:
    for name in bad_files.build(tmp_path):
        path = os.path.join(tmp_path, name)
        began = time.monotonic()
        for line in lines_of(path, 1 << 28, 10_000_000):
            said = json.loads(line)
            assert said["section"] in SECTIONS, name
            if said["section"] in ("file", "layout", "jpeg"):  # our own: total for any input
                assert said["error"] is None or said["value"] is None
                assert "cannot be read (" not in (said["error"] or ""), (name, said)
        assert time.monotonic() - began < 5, name


def test_a_file_that_cannot_be_read_has_one_section_that_says_why(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = enquire(str(tmp_path / "pipe"), DecodeLimits(), never)
    assert found == {"file": {"value": None, "error": "found a named pipe, wanted a regular file"}}


def test_a_deadline_leaves_what_was_read_before(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(saved(picture(size=(3000, 3000)), "JPEG", progressive=True, quality=95))
    found = enquire(str(path), DecodeLimits(timeout_s=0.05), never)
    assert found["file"]["value"]["bytes"] == path.stat().st_size
    assert found["recompression"]["value"] is None
    why = {part["error"] for part in found.values()} - {None}
    assert why <= {"reading was stopped after 0.05 s", "not read"}
    assert why


def test_who_stops_the_command_stops_the_reading(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(picture(), "PNG"))

    def stop() -> None:
        raise Interrupted(2)

    with pytest.raises(Interrupted):
        enquire(str(tmp_path / "a.png"), DecodeLimits(), stop)
