"""What a training says at its end."""

import dataclasses
import types

import pytest

from fakefacecli.base.options import Progress
from fakefacecli.cli import train
from fakefacecli.cli.train_flags import TrainFlags
from fakefacecli.train import run as training
from fakefacecli.train.log import Epoch
from fakefacecli.train.options import TrainOptions

EPOCH = Epoch(1, 1e-3, 0.7, 0.69, 0.5, 0.5, 0, 1.0, True)


@pytest.mark.parametrize(
    ("auc", "said"), [(0.501, True), (0.549, True), (0.55, False), (0.9, False)]
)
@pytest.mark.parametrize("quiet", [False, True])
def test_a_training_that_learnt_nothing_says_so(
    auc: float,
    said: bool,
    quiet: bool,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    epoch = dataclasses.replace(EPOCH, auc=auc)
    done = types.SimpleNamespace(best_epoch=epoch, history=(epoch,))
    monkeypatch.setattr(training, "run_training", lambda *given: done)
    options = TrainOptions(data="data", out=f"{tmp_path}/m.safetensors", cache="faces")
    given = TrainFlags(options.data, options.out, quiet=quiet, progress=Progress.OFF)
    assert train._run(options, given, None) == 0
    assert ("no better than chance" in capsys.readouterr().err) is said
