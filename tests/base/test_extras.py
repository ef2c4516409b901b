"""Hints to install an extra lead to where the project came from, never to the package index."""

import json
import pathlib
from importlib import metadata

import pytest

from fakefacecli.base import extras


class Installed:
    """A distribution whose pip noted `url`."""

    def __init__(self, note: object):
        self.note = note

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.note if isinstance(self.note, str | None) else json.dumps(self.note)


IN_WORDS = "pip install '.[heif]' in the folder of fakeface's sources"


def test_the_hint_names_what_pip_installed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    git = {"url": "https://example.org/f.git", "vcs_info": {"vcs": "git"}}
    hints = {
        json.dumps({"url": folder.as_uri(), "dir_info": {}}): f"pip install '{folder}[heif]'",
        json.dumps({"url": f"{folder.as_uri()}/gone", "dir_info": {}}): IN_WORDS,
        json.dumps(git): "pip install 'fakefacecli[heif] @ git+https://example.org/f.git'",
        "not json": IN_WORDS,
        "[]": IN_WORDS,
    }
    for note, hint in hints.items():
        monkeypatch.setattr(extras, "distribution", lambda _, note=note: Installed(note))
        assert extras.how_to_install("heif") == hint
    monkeypatch.setattr(extras, "distribution", lambda _: Installed(None))
    assert extras.how_to_install("heif") == IN_WORDS


def test_without_an_installation_the_hint_is_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> object:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(extras, "distribution", missing)
    assert extras.how_to_install("heif") == IN_WORDS
