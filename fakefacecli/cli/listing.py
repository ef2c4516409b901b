"""`fakeface scan --dry-run`: what would be scanned."""

from fakefacecli.base.errors import ExitCode, NothingToDo
from fakefacecli.base.options import ScanOptions
from fakefacecli.base.text import printable
from fakefacecli.cli.console import complain, say


def list_inputs(options: ScanOptions, quiet: bool) -> ExitCode | None:
    """Say which files a scan would read, having checked the model and the outputs."""
    from fakefacecli.base.records import Unreadable
    from fakefacecli.models.bundled import find_model
    from fakefacecli.scan.source import PathSource
    from fakefacecli.scan.targets import check_targets

    find_model(options.judge.model)
    check_targets(options)
    images = refused = 0
    for item in PathSource(options.source):
        if isinstance(item, Unreadable):
            refused += 1
            complain(f"{printable(item.ref.path)}: {item.message}")
        else:
            images += 1
            say(printable(item.path) + "\n")
    if not images + refused:
        raise NothingToDo("no image found in the inputs")
    if not quiet:
        complain(f"dry run: {images} images to scan, {refused} unreadable; nothing was written")
    return ExitCode.SOME_UNREADABLE if refused else None
