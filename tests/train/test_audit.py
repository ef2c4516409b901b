"""The shortcut audit: it sees each image once, and only images that training sees."""

import itertools
import pathlib

import numpy as np
import pytest
from PIL import Image

from fakefacecli.base.errors import UsageError
from fakefacecli.labelled.data import LabelledImage
from fakefacecli.train.audit import audit
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.run import Watch, run_training
from fakefacecli.train.traits import Traits
from tests.drawn import drawn


def photographs(count: int, faces_each: int, shortcut: bool = False) -> list[LabelledFace]:
    """Faces of photographs with random traits, all of one file alike; fakes are larger, or not."""
    chance = np.random.default_rng(0)
    faces = []
    for number in range(count):
        fake = number % 2 == 1
        width, height, size, metadata = map(int, chance.integers(1000, 4000, 4))
        image = LabelledImage(f"{number}.jpg", fake, "", "")
        traits = Traits(
            "JPEG",
            width + 4000 * (fake and shortcut),
            height,
            size,
            chance.uniform(50, 99),
            metadata,
            chance.uniform(1, 9),
        )
        faces += [LabelledFace(image.path, image, 64, 1.3, 0, traits)] * faces_each
    return faces


def test_random_traits_tell_nothing_however_many_faces_a_photograph_has() -> None:
    found = audit(photographs(60, 6))
    assert found.auc is not None
    assert abs(found.auc - 0.5) < 0.2
    assert found == audit(photographs(60, 1))
    found.check()


def test_a_shortcut_is_found_in_photographs_of_many_faces() -> None:
    found = audit(photographs(60, 6, shortcut=True))
    assert (found.auc, found.alone[0]) == (1, ("width", 1))
    with pytest.raises(UsageError, match="--allow-shortcuts"):
        found.check()


def test_too_few_images_give_no_figure_however_many_faces_they_have() -> None:
    assert audit(photographs(18, 6)).words() == [
        "shortcut audit: fewer than 10 images of a class, nothing to say"
    ]


@pytest.mark.parametrize("split", ["test", "held_out"])
def test_images_kept_for_testing_do_not_hide_a_shortcut(tmp_path: pathlib.Path, split: str) -> None:
    """What is learnt from: real JPEG and fake PNG; what is kept: the other way round."""
    numbers = itertools.count()
    for folder, count, real, fake in (
        ("train", 16, "jpg", "png"),
        ("val", 8, "jpg", "png"),
        (split, 24, "png", "jpg"),
    ):
        for kind, suffix in (("real", real), ("fake", fake)):
            place = tmp_path / "data" / folder / kind
            place.mkdir(parents=True)
            for number in itertools.islice(numbers, count):
                picture = Image.fromarray(drawn(number, kind == "fake", side=64))
                picture.save(place / f"{number}.{suffix}")
    how = TrainOptions(
        str(tmp_path / "data"), str(tmp_path / "m.safetensors"), str(tmp_path / "cache"), 1.15
    )
    with pytest.raises(UsageError, match=r"AUC of 1\.000.*--allow-shortcuts"):
        run_training(how, Watch())
