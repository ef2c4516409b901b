"""What an interrupted training leaves behind, so that another run can go on."""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Sequence
from typing import Any

from fakefacecli.errors import ModelRefused, UsageError
from fakefacecli.files import whole
from fakefacecli.learn.faces import LabelledFace
from fakefacecli.learn.settings import TrainOptions
from fakefacecli.learn.split import Division
from fakefacecli.text import printable


def resume_path(out: str) -> str:
    """Where an interrupted run's state lies."""
    return f"{out}.resume"


def fingerprint_of(options: TrainOptions, division: Division) -> str:
    """The same for a run and the one that may resume it."""

    def told(faces: Sequence[LabelledFace]) -> list[Any]:
        return [(face.phash, face.side, face.image.fake, face.image.group) for face in faces]

    what = [options.deciding, told(division.train), told(division.val)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def write_state(out: str, fingerprint: str, state: dict[str, Any]) -> None:
    """Leave `state` behind; CannotWrite when that cannot be."""
    import torch

    with whole(resume_path(out)) as handle:
        torch.save({"fingerprint": fingerprint, **state}, handle)


def read_state(out: str, fingerprint: str) -> dict[str, Any]:
    """The state a run left behind, for `Training.restore`.

    Raises UsageError when there is none or it is another run's, ModelRefused when it is damaged.
    """
    import torch

    path = resume_path(out)
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["fingerprint"]
    except FileNotFoundError:
        raise UsageError(
            f"--resume: no {printable(path)}; there is no interrupted training to go on with"
        ) from None
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise ModelRefused(
            f"{printable(path)}: damaged ({type(error).__name__}); train anew without --resume"
        ) from None
    if found != fingerprint:
        raise UsageError(
            "--resume: the interrupted training had other settings or other data; use the same, "
            "or train anew without --resume"
        )
    return state
