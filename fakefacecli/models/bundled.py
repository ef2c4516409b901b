"""The models that come with fakeface, each with the sha256 its file must have."""

import contextlib
import glob
import os
from dataclasses import dataclass
from importlib.resources import files

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.models.checkpoint import (
    Checkpoint,
    is_ours,
    read_checkpoint,
    require_file,
    sha256_of,
)
from fakefacecli.models.judge import SUFFIX, AnyCheckpoint, JudgeCheckpoint, read_judge


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A file under models/weights/."""

    name: str
    file: str
    sha256: str

    @property
    def path(self) -> str:
        """Where the installed file lies."""
        return str(files("fakefacecli.models") / "weights" / self.file)


BUNDLED: dict[str, BundledModel] = {
    model.name: model
    for model in (
        BundledModel(
            "inception-resnet-v1",
            "inception-resnet-v1.safetensors",
            "7fcb7263f6dabe1e085d1c4448fa1aea22d35b70ebee403aad8e01ab884a7322",
        ),
        BundledModel(
            "fakeface-judge-2026.11",
            "fakeface-judge-2026.11.json",
            "0c67450f943db8bc54e1b430cbf821ce5a0e777f564d4e2b3d075a98bd87c79b",
        ),
    )
}


# not among BUNDLED: it judges nothing, so --model cannot name it
SECOND_DETECTOR = BundledModel(
    "centerface",
    "centerface.onnx",
    "1a9dbc792d9601948d5f732ec973d698c9128ed72b08065cadcb49d9501eeb29",
)


def second_detector_file() -> str:
    """Where CenterFace's weights lie; ModelRefused where they are not those that were shipped."""
    path = SECOND_DETECTOR.path
    require_file(path, "the second detector's weights are missing; reinstall fakefacecli")
    _check_shipped(SECOND_DETECTOR, sha256_of(path), path)
    return path


def find_model(name_or_file: str) -> AnyCheckpoint:
    """The checkpoint that `--model` names: a bundled model by its name, otherwise a file.

    A file that ends in .json is the card of a judge of several networks. Raises ModelRefused; a
    bundled file whose sha256 differs from ours is refused too.
    """
    # the name comes first: a file that is called so here must not take the model's place
    model = BUNDLED.get(name_or_file)
    if model is None:
        return _read(name_or_file)
    checkpoint = _read(model.path)
    _check_shipped(model, checkpoint.sha256, model.name)
    return checkpoint


def find_network(name_or_file: str, doing: str) -> Checkpoint:
    """As `find_model`, for what takes a single network; `doing` names that in the refusal.

    Raises UsageError for a judge of several networks.
    """
    checkpoint = find_model(name_or_file)
    if isinstance(checkpoint, JudgeCheckpoint):
        raise UsageError(
            f"{name_or_file} is a judge of {len(checkpoint.members)} networks; {doing} takes a "
            "single one, such as inception-resnet-v1"
        )
    return checkpoint


def find_start(name_or_file: str) -> Checkpoint:
    """The model that `fakeface train --init` names: a single network, or one member of a judge.

    A member's file need not carry a card: that of a judge in the same folder says how it is fed.
    Raises ModelRefused, and UsageError for a judge of several networks.
    """
    try:
        return find_network(name_or_file, "--init")
    except ModelRefused:
        if member := _member_beside(name_or_file):
            return member
        raise


def _member_beside(path: str) -> Checkpoint | None:
    """The member whose file `path` is, as a judge's card in its folder has it; None without one."""
    if not os.path.isfile(path) or is_ours(path):
        return None
    for card in sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(path)), f"*{SUFFIX}"))):
        # other JSON files, and judges that lack a member, say nothing of this one
        with contextlib.suppress(ModelRefused):
            for member in read_judge(card).members:
                if os.path.samefile(member.checkpoint.path, path):
                    return member.checkpoint
    return None


def _check_shipped(model: BundledModel, found: str, where: str) -> None:
    if found != model.sha256:
        raise ModelRefused(
            f"{where}: sha256 {found[:12]}... found, wanted {model.sha256[:12]}...; "
            "reinstall fakefacecli"
        )


def _read(path: str) -> AnyCheckpoint:
    return read_judge(path) if path.lower().endswith(SUFFIX) else read_checkpoint(path)
