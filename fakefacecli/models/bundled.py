"""The models that come with fakeface, each with the sha256 its file must have."""

from dataclasses import dataclass
from importlib.resources import files

from fakefacecli.base.errors import ModelRefused
from fakefacecli.models.checkpoint import Checkpoint, read_checkpoint


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
    )
}


def find_model(name_or_file: str) -> Checkpoint:
    """The checkpoint that `--model` names: a bundled model by its name, otherwise a file.

    Raises ModelRefused; a bundled file whose sha256 differs from ours is refused too.
    """
    # the name comes first: a file that is called so here must not take the model's place
    model = BUNDLED.get(name_or_file)
    if model is None:
        return read_checkpoint(name_or_file)
    checkpoint = read_checkpoint(model.path)
    if checkpoint.sha256 != model.sha256:
        raise ModelRefused(
            f"{model.name}: sha256 {checkpoint.sha256[:12]}... found, "
            f"wanted {model.sha256[:12]}...; reinstall fakefacecli"
        )
    return checkpoint
