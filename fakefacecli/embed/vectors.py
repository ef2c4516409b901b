"""Where a model puts faces: the vector before its last layer, and maps of many such vectors."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.extras import how_to_install
from fakefacecli.base.options import Projection
from fakefacecli.base.records import FaceCrop
from fakefacecli.evaluate.pictures import thumbnail
from fakefacecli.figures.metrics import Numbers
from fakefacecli.labelled.faces import FoundFace
from fakefacecli.models.preprocess import prepare
from fakefacecli.scan.classify import Network, TorchClassifier, unfit, verdict_of

if TYPE_CHECKING:
    import torch

FEWEST = 5  # with fewer faces there are no neighbourhoods: PCA
THUMB_PX = 80
_AT_ONCE = 32  # faces
_ALIKE = 1e-5  # of the largest number: copies of a face differ by rounding alone

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A face on the map: `label` is real, fake or "" where it is not known; `vector` (d,)."""

    path: str
    number: int
    label: str
    group: str
    generator: str
    verdict: str
    p_fake: float
    vector: Vectors
    thumb: bytes


class Embedder:
    """Runs faces through a single network and keeps what enters its last linear layer."""

    def __init__(self, classifier: TorchClassifier):
        self.classifier = classifier
        [self.member] = classifier.members
        self.layer = _last_linear(self.member)

    def points(self, faces: Sequence[FoundFace], labels: Sequence[str]) -> list[Point]:
        """The faces as points, in order; verdicts are those of the classifier's thresholds."""
        points: list[Point] = []
        card = self.classifier.card
        for start in range(0, len(faces), _AT_ONCE):
            part = faces[start : start + _AT_ONCE]
            vectors, logits = self._run([face.crop for face in part])
            rows = zip(part, labels[start : start + _AT_ONCE], vectors, logits, strict=True)
            for face, label, vector, logit in rows:
                p = card.calibration.probability(logit)
                verdict = verdict_of(
                    p,
                    self.classifier.thresholds,
                    face.face_px,
                    card.min_face_px,
                    unfit(face.crop, card.window),
                )
                image = face.image
                points.append(
                    Point(
                        path=image.path,
                        number=face.crop.number,
                        label=label,
                        group=image.group,
                        generator=image.generator,
                        verdict=str(verdict.label),
                        p_fake=p,
                        vector=vector,
                        thumb=_jpeg(face),
                    )
                )
        return points

    def _run(self, crops: Sequence[FaceCrop]) -> tuple[Vectors, list[float]]:
        """Vectors (n, d) and logits of n crops."""
        import torch

        held: list[torch.Tensor] = []
        # what enters the last layer, from a hook: so no backbone needs code of its own
        hook = self.layer.register_forward_pre_hook(lambda module, inputs: held.append(inputs[0]))
        try:
            with torch.inference_mode():
                batch = prepare(crops, self.member.card, self.member.device)
                logits: list[float] = self.member.network(batch).squeeze(1).float().tolist()
        finally:
            hook.remove()
        return held[0].flatten(1).float().cpu().numpy(), logits


def check_projection(how: Projection) -> None:
    """UsageError for UMAP that is not installed."""
    if how == Projection.UMAP and not _has_umap():
        raise UsageError(
            f"umap-learn is not installed; run {how_to_install('umap')}, or take --projection tsne"
        )


def project(vectors: Vectors, how: Projection, seed: int = 0) -> tuple[Numbers, Projection]:
    """Vectors (n, d) laid out in the plane, (n, 2) in 0..1, and what laid them out.

    AUTO is UMAP (McInnes et al. 2018) where it is installed, otherwise t-SNE (van der Maaten and
    Hinton 2008); fewer than FEWEST faces, and copies of one face, get PCA. Distances on such a map
    mean little, and the size of a cluster nothing: it shows what lies beside what. Raises
    UsageError for UMAP that is not installed.
    """
    check_projection(how)
    if how == Projection.AUTO:
        how = Projection.UMAP if _has_umap() else Projection.TSNE
    if len(vectors) < FEWEST:
        how = Projection.PCA
    if np.ptp(vectors, axis=0).max() <= _ALIKE * np.abs(vectors).max():
        # t-SNE scales its start by the spread of the first axis: NaN, and a segfault in its tree
        return np.full((len(vectors), 2), 0.5), Projection.PCA
    layouts = {Projection.UMAP: _umap, Projection.TSNE: _tsne, Projection.PCA: _pca}
    laid = layouts[how](vectors, seed)
    span = np.ptp(laid, axis=0)
    # faces on one line have no height: they stay at 0
    return (laid - laid.min(0)) / np.where(span > 0, span, 1.0), how


def _umap(vectors: Vectors, seed: int) -> Numbers:
    import umap

    # 15 is UMAP's default. Its spectral start needs many more faces than neighbours; with a seed it
    # uses one thread anyway, and warns where n_jobs is not 1
    neighbours = min(15, len(vectors) - 1)
    start = "spectral" if len(vectors) > 4 * neighbours else "random"
    laid = umap.UMAP(n_neighbors=neighbours, init=start, random_state=seed, n_jobs=1)
    return np.asarray(laid.fit_transform(vectors), np.float64)


def _tsne(vectors: Vectors, seed: int) -> Numbers:
    from sklearn.manifold import TSNE

    # 30 is the default; the perplexity must be well below the number of faces. At most 50 axes, as
    # scikit-learn advises: less noise, and much faster
    some = min(30.0, (len(vectors) - 1) / 3)
    short = _pca(vectors, seed, min(50, *vectors.shape))
    laid = TSNE(perplexity=some, random_state=seed, init="pca" if short.shape[1] > 1 else "random")
    return np.asarray(laid.fit_transform(short), np.float64)


def _pca(vectors: Vectors, seed: int, most: int = 2) -> Numbers:
    """The main axes (n, most); zeros where the vectors span fewer."""
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    left, strength, _ = np.linalg.svd(centred, full_matrices=False)
    laid = (left * strength)[:, :most]
    return np.asarray(np.pad(laid, ((0, 0), (0, most - laid.shape[1]))))


def _has_umap() -> bool:
    from importlib.util import find_spec

    return find_spec("umap") is not None


def _last_linear(member: Network) -> "torch.nn.Module":
    from torch import nn

    linear = [m for m in member.network.modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise ModelRefused(f"{member.name}: no linear layer to take vectors from")
    return linear[-1]


def _jpeg(face: FoundFace) -> bytes:
    held = io.BytesIO()
    thumbnail(face, THUMB_PX).save(held, "JPEG", quality=75)
    return held.getvalue()
