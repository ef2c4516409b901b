"""A training on a cluster gives the weights of one machine, and ends like one there."""

import csv
import os
import pathlib
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from fakefacecli.base.errors import FakeFaceError, Interrupted, UsageError
from fakefacecli.base.options import EngineName, EngineOptions
from fakefacecli.models.checkpoint import load, read_checkpoint
from fakefacecli.train.log import Epoch
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.run import Watch, run_training
from tests.command import fakeface, start
from tests.drawn import draw_set

pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's, about Ray
]

LONG = 12  # epochs: time for a signal
FLAGS = (
    *("--faces-only", "--backbone", "mobilenet_v1", "--input-px", 48, "--device", "cpu"),
    *("--epochs", LONG, "--patience", 0, "--batch-size", 16, "--lr", 3e-3, "--workers", 1),
)


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    """Ray on this machine, for all trainings in this process."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100e6)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker: sums over parts of a matrix depend on it
    try:
        yield ray
    finally:
        torch.set_num_threads(threads)
        ray.shutdown()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return draw_set(tmp_path_factory.mktemp("drawn"), 20)


def options(data: pathlib.Path, out: pathlib.Path, **changes: Any) -> TrainOptions:
    out.parent.mkdir(exist_ok=True)
    plain: dict[str, Any] = {
        "ready_scale": 1.15,
        "backbone": "mobilenet_v1",
        "input_px": 48,
        "epochs": 3,
        "batch_size": 16,
        "lr": 3e-3,
        "workers": 1,
    }
    return TrainOptions(str(data), str(out), str(out.parent / "cache"), **{**plain, **changes})


def on_ray(wanted: TrainOptions, workers: int, watch: Watch | None = None) -> list[Epoch]:
    from fakefacecli.cluster.training import train_on_ray

    engine = EngineOptions(EngineName.RAY, actors=workers)
    return train_on_ray(wanted, engine, None, watch or Watch()).history


@pytest.fixture(scope="module")
def whole(data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What one machine makes of it."""
    out = tmp_path_factory.mktemp("whole") / "m.safetensors"
    run_training(options(data, out), Watch())
    return out


def test_one_worker_gives_the_file_of_one_machine(
    data: pathlib.Path, whole: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    epochs: list[Epoch] = []
    out = tmp_path / "m.safetensors"

    def step(done: int, of: int, loss: float) -> None:
        steps.append((done, of))

    watch = Watch(said.append, step=step, epoch=epochs.append)
    history = on_ray(options(data, out), 1, watch)
    assert out.read_bytes() == whole.read_bytes()
    assert epochs == history
    assert steps == [(1, 2), (2, 2)] * 3
    assert said[0] == "16 real and 16 fake faces to learn; 4 real and 4 fake faces to validate"
    assert sorted(os.listdir(tmp_path)) == sorted(os.listdir(whole.parent))


def test_two_workers_learn_what_one_machine_does(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # no batch normalisation and no dropout: nothing but rounding may differ
    how = {"backbone": "timm/test_convnext", "input_px": 64, "dropout": 0.0, "optimizer": "sgd"}
    out = {name: tmp_path / name / "m.safetensors" for name in ("alone", "two")}
    alone = run_training(options(data, out["alone"], lr=1e-2, **how), Watch()).history
    two = on_ray(options(data, out["two"], lr=1e-2, **how), 2)
    assert alone[0].train_loss != alone[-1].train_loss
    for one, other in zip(alone, two, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
        assert other.val_loss == pytest.approx(one.val_loss, rel=1e-4)
        assert (other.auc, other.best) == (one.auc, one.best)
    weights, others = (load_file(path) for path in out.values())
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-3, atol=1e-5)


def test_an_error_of_a_worker_is_the_commands(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    wanted = options(data, tmp_path / "m.safetensors", resume=True)
    with pytest.raises(UsageError, match="no interrupted training to go on with"):
        on_ray(wanted, 1)
    with pytest.raises(UsageError, match="room for 2 workers with 1 CPU each, 3 wanted"):
        on_ray(options(data, tmp_path / "m.safetensors"), 3)
    with pytest.raises(UsageError, match="work for 1 at most"):
        on_ray(options(data, tmp_path / "m.safetensors", batch_size=3), 2)


def test_an_interruption_of_two_workers_ends_both(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    seen: list[Epoch] = []

    def stop() -> None:
        if seen:
            raise Interrupted(signal.SIGINT)

    wanted = options(data, tmp_path / "m.safetensors", epochs=200, patience=0)
    with pytest.raises(Interrupted, match=r"holds epoch .*; --resume goes on") as caught:
        on_ray(wanted, 2, Watch(epoch=seen.append, stop=stop))
    assert caught.value.number == signal.SIGINT
    assert (tmp_path / "m.safetensors.resume").exists()
    # batch normalisation goes by each worker's own rows, and the network works all the same
    load(read_checkpoint(wanted.out))
    with open(tmp_path / "m.log.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [float(row["train_loss"]) for row in rows][: len(seen)] == [e.train_loss for e in seen]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_worker_that_is_killed_ends_the_run_and_costs_no_epoch(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    def kill(epoch: Epoch) -> None:
        if epoch.number == 1:
            everyone = psutil.Process().children(recursive=True)
            mine = [p for p in everyone if "RayTrainWorker" in " ".join(p.cmdline())]
            assert len(mine) == 2
            mine[0].kill()

    wanted = options(data, tmp_path / "m.safetensors", epochs=200, patience=0)
    with pytest.raises(FakeFaceError, match=r"^worker [01](, [01])? was lost \(.*--resume goes on"):
        on_ray(wanted, 2, Watch(epoch=kill))
    assert (tmp_path / "m.safetensors.resume").exists()
    load(read_checkpoint(wanted.out))


def test_ctrl_c_keeps_the_best_epoch_and_resume_ends_alike(
    data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out, whole = tmp_path / "m.safetensors", tmp_path / "whole" / "m.safetensors"
    run = start(
        *("train", data, "--out", out, *FLAGS, "--engine", "ray", "--train-workers", 1), cold=True
    )
    end = time.monotonic() + 200
    while not (tmp_path / "m.safetensors.resume").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert time.monotonic() - began < 20
    assert err.decode().splitlines()[-1].endswith("--resume goes on")
    psutil.wait_procs(family, timeout=20)
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    load(read_checkpoint(str(out)))
    # where it goes on makes no difference
    how = {"epochs": LONG, "patience": 0}
    run_training(options(data, out, resume=True, **how), Watch())
    run_training(options(data, whole, **how), Watch())
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("flag", [("--train-workers", 2), ("--ray-address", "auto")])
def test_flags_of_ray_want_ray(tmp_path: pathlib.Path, flag: tuple[object, ...]) -> None:
    done = fakeface("train", tmp_path, "--out", tmp_path / "m.safetensors", *flag)
    assert done.returncode == 2
    assert "--ray-address and --train-workers go with --engine ray" in done.stderr
