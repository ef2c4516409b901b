"""The models that come with fakeface, each with the sha256 its file must have."""

from dataclasses import dataclass
from importlib.resources import files

from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.models.checkpoint import Checkpoint, read_checkpoint
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
            "39d444387743dece4746000fb7788c9c54eef25e1032b47f2af416fb0bae5519",
        ),
    )
}


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
    if checkpoint.sha256 != model.sha256:
        raise ModelRefused(
            f"{model.name}: sha256 {checkpoint.sha256[:12]}... found, "
            f"wanted {model.sha256[:12]}...; reinstall fakefacecli"
        )
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


def _read(path: str) -> AnyCheckpoint:
    return read_judge(path) if path.lower().endswith(SUFFIX) else read_checkpoint(path)
