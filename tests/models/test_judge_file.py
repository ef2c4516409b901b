"""A judge that is written can be read again, and replaces nothing."""

import json
import pathlib
import shutil
from dataclasses import replace

import pytest

from fakefacecli.base.errors import CannotWrite, ModelRefused
from fakefacecli.models.bundled import find_model
from fakefacecli.models.judge import EarlyExit, JudgeCheckpoint, read_judge
from fakefacecli.models.judge_file import judge_facts, member_path, write_judge


@pytest.fixture
def judge(tmp_path: pathlib.Path) -> JudgeCheckpoint:
    """Two small members of the bundled judge, to be written to `tmp_path`."""
    whole = find_model("fakeface-judge-2026.11")
    assert isinstance(whole, JudgeCheckpoint)
    members = (whole.members[1], whole.members[3])
    early_exit = EarlyExit(("native",), (1.5,), 0.25, -3.0, 3.0)
    card = replace(whole.card, backbone="lite320 + native", early_exit=early_exit)
    return JudgeCheckpoint(str(tmp_path / "j.json"), "", card, members)


def test_the_bundled_judge_would_be_written_as_it_is() -> None:
    whole = find_model("fakeface-judge-2026.11")
    assert isinstance(whole, JudgeCheckpoint)
    raw = json.loads(pathlib.Path(whole.path).read_text("utf-8"))
    facts = judge_facts(whole)
    for key in ("format", "name", "positive", "window", "fusion", "thresholds", "measured"):
        assert facts[key] == raw[key], key
    for mine, theirs in zip(facts["members"], raw["members"], strict=True):
        assert {key: mine[key] for key in theirs} == theirs


def test_what_is_written_is_read_again(judge: JudgeCheckpoint, tmp_path: pathlib.Path) -> None:
    write_judge(judge)
    assert {path.name for path in tmp_path.iterdir()} == {
        "j.json",
        "j-lite320.safetensors",
        "j-native.safetensors",
    }
    again = read_judge(judge.path)
    assert again.card == judge.card
    for mine, theirs in zip(again.members, judge.members, strict=True):
        assert (mine.name, mine.weight) == (theirs.name, theirs.weight)
        assert mine.checkpoint.sha256 == theirs.checkpoint.sha256
        assert mine.checkpoint.card == theirs.checkpoint.card


def test_a_member_that_lies_there_is_not_copied(
    judge: JudgeCheckpoint, tmp_path: pathlib.Path
) -> None:
    mine = shutil.copy(judge.members[1].checkpoint.path, str(tmp_path / "mine.safetensors"))
    here = replace(judge.members[1], checkpoint=replace(judge.members[1].checkpoint, path=mine))
    one = replace(judge, members=(judge.members[0], here))
    assert member_path(one.path, here) == str(tmp_path / "mine.safetensors")
    write_judge(one)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"j.json", "j-lite320.safetensors", "mine.safetensors"}
    assert read_judge(one.path).members[1].checkpoint.path == mine


def test_no_file_is_replaced(judge: JudgeCheckpoint, tmp_path: pathlib.Path) -> None:
    (tmp_path / "j-native.safetensors").write_bytes(b"mine")
    with pytest.raises(CannotWrite, match=r"j-native\.safetensors: another file is there"):
        write_judge(judge)
    assert [path.name for path in tmp_path.iterdir()] == ["j-native.safetensors"]


def test_a_member_that_changed_since_it_was_read_is_refused(
    judge: JudgeCheckpoint, tmp_path: pathlib.Path
) -> None:
    changed = replace(judge.members[0].checkpoint, sha256="0" * 64)
    one = replace(judge, members=(replace(judge.members[0], checkpoint=changed),))
    with pytest.raises(ModelRefused, match="changed while it was read"):
        write_judge(one)
    assert not list(tmp_path.iterdir())
