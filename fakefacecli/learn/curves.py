"""The log of a training: a CSV and a picture beside the checkpoint, whole after every epoch."""

import csv
import os
from collections.abc import Sequence
from dataclasses import asdict, fields

from fakefacecli.files import whole
from fakefacecli.learn.epochs import Epoch


def log_path(out: str, suffix: str) -> str:
    """model.safetensors has model.log.csv and model.curves.png beside it."""
    return os.path.splitext(out)[0] + suffix


def write_log(out: str, history: Sequence[Epoch]) -> None:
    """A row an epoch; CannotWrite when it cannot be written."""
    with whole(log_path(out, ".log.csv"), "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, [column.name for column in fields(Epoch)])
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in history)


def write_curves(out: str, history: Sequence[Epoch]) -> None:
    """Losses and validation AUC over the epochs; CannotWrite when it cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [epoch.number for epoch in history]
    left.plot(numbers, [epoch.train_loss for epoch in history], "o-", label="training")
    left.plot(numbers, [epoch.val_loss for epoch in history], "o-", label="validation")
    left.set(xlabel="epoch", ylabel="cross entropy")
    left.legend()
    right.plot(numbers, [epoch.auc for epoch in history], "o-", label="validation AUC")
    right.plot(numbers, [epoch.accuracy for epoch in history], "o-", label="validation accuracy")
    best = max(epoch.number for epoch in history if epoch.best)
    right.axvline(best, color="grey", linestyle=":", label="best epoch")
    right.set(xlabel="epoch", ylim=(0, 1.02))
    right.legend()
    with whole(log_path(out, ".curves.png")) as handle:
        figure.savefig(handle, format="png", dpi=100)
