"""The shortcut audit: can the classes be told apart without looking at a face?

A small model sees only what `Traits` hold. Where it can tell the classes apart a network can too,
and then learns nothing about faces.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakefacecli.base.errors import UsageError
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.traits import NAMES

REFUSED_OVER = 0.95
_SUSPICIOUS = 0.7
_FEWEST = 10  # of a class: with fewer an AUC says nothing


@dataclass(frozen=True, slots=True)
class Audit:
    """`auc` of the small model on images it did not learn from; None where there are too few.

    `alone` is what each trait does by itself, best first: name and AUC, 0.5..1.
    """

    auc: float | None
    alone: tuple[tuple[str, float], ...] = ()

    def words(self) -> list[str]:
        """The finding, in sentences."""
        if self.auc is None:
            return [f"shortcut audit: fewer than {_FEWEST} images of a class, nothing to say"]
        strong = [f"{name} {auc:.2f}" for name, auc in self.alone if auc >= _SUSPICIOUS]
        said = f"shortcut audit: AUC {self.auc:.3f} without looking at a face"
        if self.auc <= _SUSPICIOUS:
            return [f"{said}: file traits hardly tell the classes apart"]
        alone = f"; alone: {', '.join(strong)}" if strong else "; no trait does it alone"
        return [
            f"{said}: file traits tell the classes apart{alone}",
            "a network may learn these instead of faces; take both classes from the same kind "
            "of files",
        ]

    def check(self) -> None:
        """Raise UsageError when the classes differ by traits almost entirely."""
        if self.auc is not None and self.auc > REFUSED_OVER:
            raise UsageError(
                f"the shortcut audit found an AUC of {self.auc:.3f}, wanted {REFUSED_OVER} at "
                "most: real and fake are different kinds of files; change the data, or train "
                "nevertheless with --allow-shortcuts"
            )


def audit(faces: Sequence[LabelledFace]) -> Audit:
    """Audit the images of `faces`, each once; the same faces give the same answer."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    table, labels = _images(faces)
    if min(Counter({True: 0, False: 0} | Counter(labels.tolist())).values()) < _FEWEST:
        return Audit(None)
    # shallow trees with several images in each leaf learn rules, not single files
    forest = RandomForestClassifier(
        100, max_depth=6, min_samples_leaf=3, class_weight="balanced", random_state=0
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    guesses = cross_val_predict(forest, table, labels, cv=folds, method="predict_proba")[:, 1]
    # an AUC of 0.1 tells the classes apart as well as one of 0.9
    alone = {
        name: abs(float(roc_auc_score(labels, column)) - 0.5) + 0.5
        for name, column in zip(NAMES, table.T, strict=True)
    }
    ranked = sorted(alone.items(), key=lambda item: -item[1])
    return Audit(float(roc_auc_score(labels, guesses)), tuple(ranked))


def _images(
    faces: Sequence[LabelledFace],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """A row of traits and a label for each image, the mean over its faces.

    Faces of one image share its file's traits: one in each fold would tell the model the answer.
    """
    import pandas as pd

    table = pd.DataFrame([face.traits.numbers() for face in faces], columns=NAMES)
    table["fake"] = [float(face.image.fake) for face in faces]
    # object: a path need not be UTF-8
    paths = pd.Series([face.image.path for face in faces], dtype=object)
    images = table.groupby(paths, sort=False).mean()
    return images[[*NAMES]].to_numpy(), images["fake"].to_numpy() > 0.5
