import pathlib

import pytest

from fakefacecli.scan import machine


def test_a_gpu_is_fed_by_decoders_on_all_cores(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = 16
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    monkeypatch.setattr(machine, "_NVIDIA", str(tmp_path / "nvidiactl"))
    assert [machine.default_workers(name) for name in ("auto", "cpu", "cuda:1")] == [8, 8, 16]
    (tmp_path / "nvidiactl").touch()
    assert [machine.default_workers(name) for name in ("auto", "cpu", "cuda:1")] == [16, 8, 16]
    cores = 200  # more than --workers takes
    assert machine.default_workers() == 64
    cores = 2
    assert machine.default_workers() == 2
