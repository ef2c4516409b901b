"""What a worker on another machine needs to judge as this one would."""

import os
from dataclasses import dataclass, replace

from fakefacecli.base.addresses import is_chained, is_url
from fakefacecli.base.errors import ModelRefused, UsageError
from fakefacecli.base.memory import default_limit
from fakefacecli.base.options import ScanOptions, SourceOptions
from fakefacecli.models.bundled import BUNDLED, find_model
from fakefacecli.models.judge import AnyCheckpoint, JudgeCheckpoint
from fakefacecli.scan.machine import versions

_LIST = "list-"


@dataclass(frozen=True, slots=True)
class Orders:
    """The options of a run, and the files that they name, by their bytes.

    `model` names the file to load among `files`; where it is "", the options name a bundled model.
    `slots` chunks of images are judged at a time, a picture at a time may take `memory` bytes in
    each. `folder` is the current folder, which names of images are relative to; `probe` a file that
    every worker must see, where pictures are written. Versions and hash must be the same there.
    """

    options: ScanOptions
    slots: int
    model: str
    files: dict[str, bytes]
    folder: str
    probe: str
    sha256: str
    versions: dict[str, str]


def orders_of(
    options: ScanOptions, checkpoint: AnyCheckpoint, slots: int, beside: int, probe: str
) -> Orders:
    """The orders for workers of which `beside` share a machine.

    Raises ModelRefused or UsageError where a file has gone.
    """
    own = options.judge.model not in BUNDLED
    files = _model_files(checkpoint) if own else {}
    evidence = options.evidence
    for path in (evidence.trust_list, evidence.generators):
        if path:
            files[_list_name(path)] = _read_list(path)
    shipped = replace(
        options,
        # what is found, known, kept and written is the business of the run, not of its workers
        source=_kind_of(options.source),
        reports=(),
        overlays=options.pictures,
        state=None,
        since_last=False,
        copy_flagged=None,
        evidence=replace(evidence, known=()),
        decode=replace(options.decode, workers=1),
        max_memory=max(1, (options.max_memory or default_limit()) // (slots * beside)),
    )
    return Orders(
        options=shipped,
        slots=slots,
        model=os.path.basename(checkpoint.path) if own else "",
        files=files,
        folder=os.getcwd(),
        probe=probe,
        sha256=checkpoint.sha256,
        versions=versions(checkpoint),
    )


def unpacked(orders: Orders, folder: str) -> tuple[ScanOptions, AnyCheckpoint]:
    """Write the files of `orders` into `folder`; the options that name them there, and the model.

    Raises ModelRefused where the model is not the run's.
    """
    for name, data in orders.files.items():
        with open(os.path.join(folder, name), "wb") as handle:
            handle.write(data)
    options, evidence = orders.options, orders.options.evidence
    trusted, generators = (
        path and os.path.join(folder, _list_name(path))
        for path in (evidence.trust_list, evidence.generators)
    )
    evidence = replace(evidence, trust_list=trusted, generators=generators)
    options = replace(options, evidence=evidence)
    model = os.path.join(folder, orders.model) if orders.model else options.judge.model
    checkpoint = find_model(model)
    if checkpoint.sha256 != orders.sha256:
        raise ModelRefused(f"{options.judge.model}: another file than where the scan was started")
    return options, checkpoint


def _kind_of(source: SourceOptions) -> SourceOptions:
    """Options that tell a decoder as much as `source`, which may list a million inputs.

    Raises UsageError for archives: their members share one open file.
    """
    url = next(filter(is_url, (*source.paths, *source.listed)), None)
    if archive := next(filter(is_chained, filter(is_url, source.paths)), None):
        raise UsageError(f"{archive}: --engine ray reads no archives; unpack it, or leave out ray")
    return SourceOptions((url,) if url else (), follow_symlinks=source.follow_symlinks)


def model_files(orders: Orders) -> list[str]:
    """The names of the files that hold the model."""
    return [name for name in orders.files if not name.startswith(_LIST)]


def _model_files(checkpoint: AnyCheckpoint) -> dict[str, bytes]:
    paths = [checkpoint.path]
    if isinstance(checkpoint, JudgeCheckpoint):
        paths += [member.checkpoint.path for member in checkpoint.members]
    files = {}
    for path in paths:
        try:
            with open(path, "rb") as handle:
                files[os.path.basename(path)] = handle.read()
        except OSError as error:
            raise ModelRefused(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    return files


def _list_name(path: str) -> str:
    return f"{_LIST}{os.path.basename(path)}"


def _read_list(path: str) -> bytes:
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
