"""Workers of a team get the gradients of the whole batch, and stay alike."""

import multiprocessing
import pathlib

import pytest
import torch
from torch import nn

from fakefacecli.train.team import ALONE, Team

ROWS = (7, 3)  # over three workers: 3, 2 and 2 rows, and all for the first


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1), nn.BatchNorm1d(1))


def batch(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(rows)
    pictures = torch.randn(rows, 5, generator=chance)
    return pictures, torch.rand(rows, generator=chance)


def loss_of(net: nn.Module, team: Team, rows: int) -> torch.Tensor:
    """A step's summed loss; the last layer, which no row passes, gets no gradient."""
    pictures, targets = (team.share(tensor) for tensor in batch(rows))
    if not len(pictures):
        return team.join(net, targets.sum())
    out = net[:3](pictures).squeeze(1)  # type: ignore[index]
    loss = nn.functional.binary_cross_entropy_with_logits(out, targets) * (len(targets) / rows)
    loss.backward()  # type: ignore[no-untyped-call]
    return team.join(net, loss.detach())


def work(rank: int, size: int, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size
    )
    team, net = Team(rank, size), network(rank)
    team.align(net)
    found = [team.told(f"from {rank}", "cpu")]
    steps = []
    for rows in ROWS:
        net.zero_grad()
        net[3].running_mean.fill_(rank + rows)  # type: ignore[index, union-attr, operator]
        loss = loss_of(net, team, rows)
        grads = [None if w.grad is None else w.grad.clone() for w in net.parameters()]
        steps.append((loss, grads, net[3].running_mean.clone()))  # type: ignore[index, union-attr, operator]
    torch.save({"told": found, "steps": steps}, f"{folder}/{rank}.pt")


@pytest.mark.timeout(180)
def test_the_sum_over_workers_is_the_gradient_of_the_whole_batch(tmp_path: pathlib.Path) -> None:
    size = 3
    spawn = multiprocessing.get_context("spawn")
    team = [spawn.Process(target=work, args=(rank, size, str(tmp_path))) for rank in range(size)]
    for process in team:
        process.start()
    for process in team:
        process.join(150)
        assert process.exitcode == 0
    for rank in range(size):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["told"] == ["from 0"]
        for rows, (loss, grads, mean) in zip(ROWS, found["steps"], strict=True):
            whole = network(0)
            torch.testing.assert_close(loss, loss_of(whole, ALONE, rows))
            for weight, grad in zip(whole.parameters(), grads, strict=True):
                torch.testing.assert_close(grad, weight.grad)
            assert mean.item() == rows  # the first worker's


@pytest.mark.parametrize(
    ("rows", "wanted"), [(7, [3, 2, 2]), (6, [2, 2, 2]), (5, [3, 2, 0]), (3, [3, 0, 0])]
)
def test_every_row_has_one_worker_and_none_has_a_single_row(rows: int, wanted: list[int]) -> None:
    shares = [Team(rank, 3).share(torch.arange(rows)) for rank in range(3)]
    assert [len(share) for share in shares] == wanted
    assert sorted(torch.cat(shares).tolist()) == list(range(rows))
