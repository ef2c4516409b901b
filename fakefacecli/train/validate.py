"""Measuring a network on faces that it does not learn from."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import FakeFaceError
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import normalised
from fakefacecli.train.batches import stacked
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.feed import fed_face
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    import torch
    from torch import nn


class Validation:
    """The faces that the best epoch is chosen by, and how a network is fed with them."""

    def __init__(self, faces: Sequence[LabelledFace], card: ModelCard, options: TrainOptions):
        self.faces, self.card, self.options = faces, card, options

    def measure(self, network: "nn.Module", stop: Callable[[], None]) -> dict[str, float]:
        """AUC, loss and accuracy of `network`, under the names an `Epoch` has for them.

        Raises FakeFaceError when its answers are not finite numbers.
        """
        from sklearn.metrics import roc_auc_score

        labels = np.array([face.image.fake for face in self.faces])
        logits = self._logits(network, stop)
        if not np.isfinite(logits).all():
            raise FakeFaceError("the network's answers are not finite any more; try a lower --lr")
        return {
            "auc": float(roc_auc_score(labels, logits)),
            "val_loss": float(np.logaddexp(0, np.where(labels, -logits, logits)).mean()),
            "accuracy": float(((logits > 0) == labels).mean()),
        }

    def _logits(self, network: "nn.Module", stop: Callable[[], None]) -> npt.NDArray[np.float64]:
        """The logits of the faces, fed as a scan would feed them."""
        import torch

        found: list[float] = []
        size = self.options.batch_size
        feed = partial(fed_face, card=self.card)
        with ThreadPoolExecutor(self.options.workers) as pool:
            for start in range(0, len(self.faces), size):
                stop()
                part = list(pool.map(feed, self.faces[start : start + size]))
                batch = normalised(stacked(part).to(self.options.device), self.card)
                with torch.inference_mode(), autocast(self.options):
                    found += network(batch).squeeze(1).float().tolist()
        return np.array(found)


def autocast(options: TrainOptions) -> "torch.autocast":
    """The context that --amp means."""
    import torch

    kind = torch.device(options.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=options.amp)
