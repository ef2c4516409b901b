import pytest

from fakefacecli.base.errors import UsageError
from fakefacecli.base.options import EngineName, EngineOptions, JudgeOptions, ScanOptions
from fakefacecli.base.options import SourceOptions as Nothing
from fakefacecli.cluster.connection import Room, room_for
from fakefacecli.cluster.worker import check_versions


class Nodes:
    """What room_for asks of Ray."""

    def __init__(self, *resources: dict[str, float]):
        self.resources = resources

    def nodes(self) -> list[dict[str, object]]:
        return [{"Alive": True, "Resources": found} for found in self.resources]


def room(*nodes: dict[str, float], device: str = "auto", **engine: float) -> Room:
    options = ScanOptions(
        Nothing(),
        judge=JudgeOptions(device=device),
        engine=EngineOptions(EngineName.RAY, **engine),  # type: ignore[arg-type]
    )
    return room_for(Nodes(*nodes), options)


def test_actors_fill_what_there_is() -> None:
    assert room({"CPU": 8}, {"CPU": 5}) == Room(6, 2, 0.0, 3, 4)
    # a node of one core makes no difference where others have more; alone it gets an actor
    assert room({"CPU": 1}, {"CPU": 4}).actors == 2
    assert room({"CPU": 1}, {"CPU": 1}) == Room(2, 1, 0.0, 2, 1)
    assert room({"CPU": 64}, actors=3) == Room(3, 2, 0.0, 3, 3)
    # smaller ones, where so many would not fit otherwise
    assert room({"CPU": 2}, actors=2) == Room(2, 1, 0.0, 2, 2)


def test_gpus_are_divided_and_a_share_does_not_reach_across_two() -> None:
    assert room({"CPU": 16, "GPU": 2}).actors == 2
    assert room({"CPU": 16, "GPU": 2}, gpus_per_actor=0.5).actors == 4
    assert room({"CPU": 16, "GPU": 2}, gpus_per_actor=0.4).actors == 4
    assert room({"CPU": 16, "GPU": 2}, device="cpu") == Room(8, 2, 0.0, 3, 8)
    # a node without a GPU gets none of these
    assert room({"CPU": 16, "GPU": 1}, {"CPU": 16}).actors == 1


def test_no_room_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="wanted 1 CPU and 1 GPU on one node, found 4 CPU and 0"):
        room({"CPU": 4}, device="cuda")
    with pytest.raises(UsageError, match="found 0 CPU"):
        room({"memory": 1e9})


def test_another_version_on_a_worker_is_named() -> None:
    check_versions({"pillow": "13.0.0"}, {"pillow": "13.0.0"}, "here", "rows")
    with pytest.raises(UsageError, match=r"far has pillow 12\.3\.0, this machine 13\.0\.0"):
        check_versions({"pillow": "13.0.0"}, {"pillow": "12.3.0"}, "far", "rows")
    with pytest.raises(UsageError, match="far has pdqhash none"):
        check_versions({"pdqhash": "0.2.7"}, {}, "far", "rows")
