"""`fakeface inspect IMAGE`: what a file is, says and was, without judging a face."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakefacecli.base.errors import ExitCode, NothingToDo, UsageError
from fakefacecli.base.files import atomic_write
from fakefacecli.base.options import DecodeOptions, EvidenceOptions, Frames
from fakefacecli.base.text import in_json
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary, say, stoppable
from fakefacecli.cli.flags import takes
from fakefacecli.cli.inspect_words import HOW_TO_READ, wrong_suffix
from fakefacecli.cli.parse import refuse_empty

if TYPE_CHECKING:
    from fakefacecli.base.records import DecodedImage, Pixels, Unreadable

_VERSION = 1  # of --json; raised when a member changes its meaning


@dataclass(frozen=True, slots=True)
class InspectFlags:
    """What was typed after `fakeface inspect`."""

    image: Annotated[str, typer.Argument(metavar="IMAGE", help="One image.", show_default=False)]
    json_: Annotated[
        bool, typer.Option("--json", help="Print JSON, with everything at full length.")
    ] = False
    ela: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Save an Error Level Analysis as .png or .jpg."),
    ] = None
    ela_quality: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=100, help="JPEG quality of the analysis."),
    ] = 90
    noise: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Save the noise residual as .png or .jpg."),
    ] = None

    trust_list: flags.TrustList = None
    generators: flags.Generators = None

    @property
    def targets(self) -> dict[str, str]:
        """The pictures that are wanted, by their flags."""
        both = {"--ela": self.ela, "--noise": self.noise}
        return {flag: path for flag, path in both.items() if path is not None}


@error_boundary
@takes(InspectFlags)
def inspect(given: InspectFlags) -> ExitCode:
    """Show what one image file is made of and says of itself."""
    _check(given)
    with stoppable(last_words="nothing was written") as stop:
        answer, sections = _read(given, stop)
        found = _report(given.image, answer, sections)
        found["pictures"] = _save_pictures(given, answer)
    if given.json_:
        say(json.dumps(found, indent=2) + "\n")
    else:
        from fakefacecli.cli.inspect_tree import show

        show(found)
    error = found["picture"]["error"]
    if error is None:
        return ExitCode.COMPLETE
    complain(f"{given.image}: {found['picture']['error_code']}: {error}")
    return ExitCode.SOME_UNREADABLE


def _check(given: InspectFlags) -> None:
    from fakefacecli.scan.targets import check_picture

    refuse_empty({"IMAGE": given.image, "--ela": given.ela, "--noise": given.noise})
    refuse_empty({"--trust-list": given.trust_list, "--generators": given.generators})
    if os.path.isdir(given.image):
        raise NothingToDo(f"{given.image} is a folder; inspect takes one image")
    for flag, path in given.targets.items():
        check_picture(path, given.image, flag)
    if len(set(map(os.path.realpath, given.targets.values()))) < len(given.targets):
        raise UsageError("--ela and --noise name the same file; name two")


def _read(
    given: InspectFlags, stop: Callable[[], None]
) -> "tuple[DecodedImage | Unreadable, dict[str, dict[str, Any]]]":
    """The file's picture, and the other sections; each read in a process of its own."""
    from fakefacecli.base.options import SourceOptions
    from fakefacecli.base.records import ImageRef, Unreadable
    from fakefacecli.base.verdicts import ErrorCode
    from fakefacecli.decode.enquiry import enquire
    from fakefacecli.decode.image import DecodeLimits
    from fakefacecli.scan.build import build_decoder
    from fakefacecli.scan.source import PathSource

    [item] = PathSource(SourceOptions((given.image,), follow_symlinks=True))
    if not isinstance(item, ImageRef):
        return item, {}
    options = DecodeOptions(workers=1, frames=Frames.FIRST)
    looks = EvidenceOptions(trust_list=given.trust_list, generators=given.generators)
    decoder = build_decoder(options, stop=stop, follow_symlinks=True, evidence=looks)
    with contextlib.closing(decoder):
        [answer] = decoder.decode([item])
    sections = enquire(item.path, DecodeLimits(timeout_s=options.timeout_s), stop)
    hashes = {answer.facts.sha256, (sections["file"]["value"] or {}).get("sha256")} - {None}
    if len(hashes) > 1:
        answer = Unreadable(item, ErrorCode.IO_ERROR, "the file changed while it was read")
    return answer, sections


def _report(
    image: str, answer: "DecodedImage | Unreadable", sections: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Everything that was found, as --json prints it."""
    from fakefacecli.base.records import DecodedImage

    name, name_bytes = in_json(image)
    file = sections.get("file", {}).get("value") or {}
    picture: dict[str, Any] = {"error_code": None, "error": None}
    claim = None
    if isinstance(answer, DecodedImage):
        picture |= {
            "width": answer.width,
            "height": answer.height,
            "orientation": answer.orientation,
            "frames": answer.frames,
            "caveats": list(map(str, answer.caveats)),
        }
        claim = asdict(answer.provenance)
    else:
        picture |= {"error_code": str(answer.code), "error": answer.message}
    return {
        "inspect_version": _VERSION,
        "path": name,
        "path_base64": name_bytes,
        "wrong_suffix": wrong_suffix(name, file.get("container")),
        "picture": picture,
        "provenance": claim,
        # a section of the file is an object with a value, or with the reason why there is none
        "sections": sections,
        "how_to_read": {part: list(words) for part, words in HOW_TO_READ.items()},
    }


def _save_pictures(given: InspectFlags, answer: "DecodedImage | Unreadable") -> dict[str, Any]:
    """Save what is wanted; what was saved, and how each is to be read and how not."""
    from fakefacecli.base.records import DecodedImage
    from fakefacecli.overlay import residuals

    if not isinstance(answer, DecodedImage):
        return {}
    saved: dict[str, Any] = {}
    looks: dict[str, tuple[Callable[[Pixels], Pixels], tuple[str, str]]] = {
        "--ela": (
            lambda pixels: residuals.error_level_picture(pixels, given.ela_quality),
            residuals.HOW_TO_READ_ELA,
        ),
        "--noise": (residuals.noise_picture, residuals.HOW_TO_READ_NOISE),
    }
    for flag, path in given.targets.items():
        draw, (read, beware) = looks[flag]
        _save(path, draw(answer.pixels))
        name, name_bytes = in_json(path)
        saved[flag.strip("-")] = {
            "path": name,
            "path_base64": name_bytes,
            "how_to_read": read,
            "how_not": beware,
        }
    return saved


def _save(path: str, pixels: "Pixels") -> None:
    from PIL import Image

    from fakefacecli.overlay.mark import save_marked

    with atomic_write(path) as handle:
        is_png = path.lower().endswith(".png")
        save_marked(Image.fromarray(pixels), handle, "PNG" if is_png else "JPEG")
