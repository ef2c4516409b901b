"""The moving average of a network's weights: steadier than the weights, and what is kept."""

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import FakeFaceError
from fakefacecli.models.card import ModelCard
from fakefacecli.models.preprocess import normalised
from fakefacecli.train.batches import fed_face, stacked
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.freeze import blocks
from fakefacecli.train.options import TrainOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

_KEEP = 0.998


class Average:
    """Follows a network; `network` is the average itself, in eval mode."""

    def __init__(self, network: "nn.Module", card: ModelCard, options: TrainOptions):
        self.card, self.options = card, options
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def follow(self, network: "nn.Module", count: int) -> None:
        """Move the average; its memory grows, or it would long remember the random start."""
        import torch

        keep = min(_KEEP, (1 + count) / (10 + count))
        with torch.no_grad():
            mine = network.state_dict()
            for name, tensor in self.network.state_dict().items():
                if tensor.is_floating_point():
                    tensor.lerp_(mine[name], 1 - keep)
                else:
                    tensor.copy_(mine[name])

    def settle(self, recent: "Iterable[Tensor]", frozen: int) -> None:
        """Give the average's batch normalisations the statistics of its own activations.

        Those it took over belong to other weights, and are far off after a short training from
        random ones (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima", section 3.2).
        Weights that knew something already bring better ones than a few batches can give."""
        import torch

        learning = [m for part in blocks(self.network)[frozen:] for m in part.modules()]
        norms = [m for m in learning if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        before = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
            norm.train()
        with torch.no_grad(), precision(self.options):
            for inputs in recent:
                self.network(inputs)
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.eval()

    def validate(self, faces: Sequence[LabelledFace], stop: Callable[[], None]) -> dict[str, float]:
        """AUC, loss and accuracy on `faces`, under the names an `Epoch` has for them."""
        from sklearn.metrics import roc_auc_score

        labels = np.array([face.image.fake for face in faces])
        logits = self.logits(faces, stop)
        if not np.isfinite(logits).all():
            raise FakeFaceError("the network's answers are not finite any more; try a lower --lr")
        return {
            "auc": float(roc_auc_score(labels, logits)),
            "val_loss": float(np.logaddexp(0, np.where(labels, -logits, logits)).mean()),
            "accuracy": float(((logits > 0) == labels).mean()),
        }

    def logits(
        self, faces: Sequence[LabelledFace], stop: Callable[[], None] = lambda: None
    ) -> npt.NDArray[np.float64]:
        """The logits of `faces`, fed as a scan would feed it."""
        import torch

        found: list[float] = []
        size = self.options.batch_size
        feed = partial(fed_face, card=self.card)
        with ThreadPoolExecutor(self.options.workers) as pool:
            for start in range(0, len(faces), size):
                stop()
                part = list(pool.map(feed, faces[start : start + size]))
                batch = normalised(stacked(part).to(self.options.device), self.card)
                with torch.inference_mode(), precision(self.options):
                    found += self.network(batch).squeeze(1).float().tolist()
        return np.array(found)


def precision(options: TrainOptions) -> Any:
    """The context that --amp means."""
    import torch

    kind = torch.device(options.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=options.amp)
