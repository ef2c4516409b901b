"""Which networks can be members of one judge, what they are called and how they are fed."""

import pathlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.models.bundled import find_model
from fakefacecli.models.card import ModelCard, card_json
from fakefacecli.models.checkpoint import Checkpoint
from fakefacecli.models.judge import JudgeCheckpoint
from fakefacecli.models.members import Candidate, as_member, find_candidates, shared_window
from fakefacecli.models.window import FLAT_WINDOW, LEVEL_WINDOW

NAME, SINGLE = "fakeface-judge-2026.11", "inception-resnet-v1"
CARD = find_model(SINGLE).card
assert isinstance(CARD, ModelCard)


def candidate(name: str, **card: Any) -> Candidate:
    changed = replace(CARD, **card)  # type: ignore[type-var]
    return Candidate(f"{name}.safetensors", name, Checkpoint("", name, changed))  # type: ignore[arg-type]


def test_members_are_bundled_names_files_and_members_of_judges() -> None:
    found = find_candidates([SINGLE, f"{NAME}:native"])
    assert [one.name for one in found] == ["inception_resnet_v1", "native"]
    judge = find_model(NAME)
    assert isinstance(judge, JudgeCheckpoint)
    assert found[1].checkpoint == judge.members[3].checkpoint
    assert found[1].judges == (judge.path,)
    by_path = find_candidates([SINGLE, f"{judge.path}:native"])
    assert by_path[1].checkpoint == found[1].checkpoint


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([SINGLE], "1 members found, wanted 2 to 16"),
        ([SINGLE, NAME], f"{NAME} is a judge; name single networks, such as {NAME}:clip"),
        ([SINGLE, f"{NAME}:nobody"], "no member nobody; .* has clip, lite320, irv1, native"),
        ([SINGLE, f"{SINGLE}:x"], "has none, as it is a single network"),
        ([f"{NAME}:native", f"{NAME}:native"], "is the same network as"),
        ([SINGLE] * 17, "17 members found"),
    ],
)
def test_what_is_no_member_is_refused(given: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_candidates(given)


def test_a_file_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    for name in ("gone.safetensors", "gone.json:clip"):
        with pytest.raises(ModelRefused, match="no such model file"):
            find_candidates([SINGLE, str(tmp_path / name)])


def test_a_network_is_known_by_its_weights_and_how_it_is_fed() -> None:
    weights = find_model(SINGLE).path
    folder = pathlib.Path(weights).parent
    # fed alike it would be heard twice
    for again in (weights, f"{NAME}:irv1"):
        with pytest.raises(UsageError, match="is the same network"):
            find_candidates([SINGLE, again])
    found = find_candidates([weights, f"{folder / NAME}.json:lite320"])
    assert [one.name for one in found] == ["inception_resnet_v1", "lite320"]


def test_names_fit_a_judges_card_and_files_of_one_name_get_numbers(tmp_path: pathlib.Path) -> None:
    paths = []
    for number, folder in enumerate(("1", "b")):
        path = tmp_path / folder / "2nd Best!.safetensors"
        path.parent.mkdir()
        save_file({"x": np.full(1, number)}, path, {"card": card_json(CARD)})  # type: ignore[arg-type]
        paths.append(str(path))
    assert [one.name for one in find_candidates(paths)] == ["m_2nd_best", "m_2nd_best_2"]


def test_windows_that_cards_name_must_be_the_same() -> None:
    level, flat = candidate("a", rule=LEVEL_WINDOW), candidate("b", rule=FLAT_WINDOW)
    plain = candidate("c")
    assert shared_window([plain, level, candidate("d", rule=LEVEL_WINDOW)]) == LEVEL_WINDOW
    assert shared_window([flat, plain]) == FLAT_WINDOW
    with pytest.raises(UsageError, match=r"a\.safetensors is fed from a window of 1\.8 .*level"):
        shared_window([level, plain, flat])
    wide = candidate("w", rule=replace(LEVEL_WINDOW, span=2.2))
    with pytest.raises(UsageError, match=r"members of a judge share one window"):
        shared_window([level, wide])
    with pytest.raises(UsageError, match=r"w\.safetensors sees 2\.5 x the box, more than"):
        shared_window([level, candidate("w", crop_scale=2.5)])


def test_networks_of_windows_of_their_own_share_the_largest_turned_level() -> None:
    rule = shared_window([candidate("a"), candidate("b", crop_scale=1.6)])
    assert rule == replace(LEVEL_WINDOW, span=1.6)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"channels": "ela"}, "is fed with ela"),
        ({"resize": "bilinear, antialiased"}, "is resized with bilinear"),
        ({"head": "1000-500"}, "has the head 1000-500"),
        ({"stretch": True}, "stretched"),
        ({"via_px": 256}, "by way of 256 px"),
    ],
)
def test_what_a_judges_card_cannot_say_is_refused(card: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=rf"a\.safetensors .*{words}.*leave it out"):
        as_member(candidate("a", **card), LEVEL_WINDOW)


def test_levels_from_0_to_1_become_grey_levels() -> None:
    unit = candidate("a", levels=1, mean=(0.5, 0.4, 0.3), std=(0.25, 0.5, 1.0))
    card = as_member(unit, LEVEL_WINDOW).card
    assert (card.levels, card.mean, card.std) == (255, (127.5, 102, 76.5), (63.75, 127.5, 255))
    assert card.rule == LEVEL_WINDOW
