"""What an interrupted training leaves behind, so that another run can go on."""

import hashlib
import json
import os
import pickle
import zipfile
from collections.abc import Sequence
from typing import Any

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.files import atomic_write
from fakefacecli.scan.targets import check_new
from fakefacecli.train.faces import LabelledFace
from fakefacecli.train.options import TrainOptions
from fakefacecli.train.split import Division


def resume_path(out: str) -> str:
    """Where an interrupted run's state lies."""
    return f"{out}.resume"


def check_out(options: TrainOptions) -> None:
    """Refuse a checkpoint that would replace what somebody may still want, or cannot be written.

    Raises UsageError for the model of --init, for an interrupted training, and for --resume where
    there is none; CannotWrite for any other model, unless it is the one to go on with.
    """
    out, left = options.out, resume_path(options.out)
    if options.init and os.path.realpath(options.init) == os.path.realpath(options.out):
        raise UsageError(
            f"--out {out}: that is the model of --init, which would be overwritten; name another"
        )
    # its model may not be as good as it would have become: nobody should lose it by a slip
    if os.path.lexists(left) and not options.resume:
        raise UsageError(
            f"{left} found: an interrupted training left it and {out}; go on with "
            "--resume, name another --out, or remove both to train anew"
        )
    if not options.resume:
        check_new(options.out)
    elif not os.path.lexists(left):
        raise _nothing_left(left)


def fingerprint_of(options: TrainOptions, division: Division) -> str:
    """The same for a run and the one that may resume it."""

    # looks and labels, no paths: the data may lie in another folder by now
    def facts_of(faces: Sequence[LabelledFace]) -> list[Any]:
        return [(face.phash, face.side, face.image.fake, face.image.group) for face in faces]

    what = [options.identity, facts_of(division.train), facts_of(division.val)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def write_state(out: str, fingerprint: str, state: dict[str, Any]) -> None:
    """Leave `state` behind; CannotWrite when that cannot be."""
    import torch

    with atomic_write(resume_path(out)) as handle:
        torch.save({"fingerprint": fingerprint, **state}, handle)


def read_state(out: str, fingerprint: str) -> dict[str, Any]:
    """The state a run left behind, for `Training.restore`.

    Raises UsageError when there is none or it is another run's, ModelRefused when it is damaged.
    """
    import torch

    path = resume_path(out)
    try:
        # weights_only: whatever this file holds, no code of it is run
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["fingerprint"]
    except FileNotFoundError:
        raise _nothing_left(path) from None
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise ModelRefused(
            f"{path}: damaged ({type(error).__name__}); remove it and {out} to train anew"
        ) from None
    if found != fingerprint:
        raise UsageError(
            "--resume: the interrupted training had other settings or other data; use the same, "
            f"name another --out, or remove {path} and {out} to train anew"
        )
    return state


def _nothing_left(path: str) -> UsageError:
    return UsageError(f"--resume: no {path}; there is no interrupted training to go on with")
