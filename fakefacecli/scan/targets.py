"""Checks, before any image is read, that the run's output can be written where it should go."""

import os
import secrets
import stat
from collections.abc import Iterator

from fakefacecli.base.addresses import is_url, local_path, shown
from fakefacecli.base.errors import CannotWrite, UsageError
from fakefacecli.base.files import cannot_write, require_folder
from fakefacecli.base.options import REPORT_FORMATS, ReportTarget, ScanOptions
from fakefacecli.overlay.mark import is_marked
from fakefacecli.remote.upload import make_stage, require_writable, staged_path
from fakefacecli.reports.sqlite import require_closed
from fakefacecli.scan.source import looks_like_image


def report_target(
    path: str, format_name: str | None, csv_bom: bool = False, flag: str = "--report"
) -> ReportTarget:
    """The target of one --report, or other `flag`; UsageError when its suffix names no format."""
    suffix = os.path.splitext(path)[1].lower().removeprefix(".")
    if path == "-":
        format_name = format_name or "jsonl"
        return ReportTarget(path, format_name, csv_bom and format_name == "csv")
    if suffix not in REPORT_FORMATS:
        known = ", ".join(f".{name}" for name in REPORT_FORMATS)
        raise UsageError(
            f"{flag} {path}: its suffix is none of {known}; rename it, "
            f"or use {flag} - with --format"
        )
    staged = staged_path(path) if is_url(path) else ""
    return ReportTarget(local_path(path), suffix, csv_bom and suffix == "csv", staged)


def check_targets(options: ScanOptions) -> None:
    """Raise CannotWrite or UsageError, naming the path, for the first output that cannot work."""
    _refuse_urls(options)
    # realpath: two names, or a link, may lead to one file
    paths = [os.path.realpath(t.file) if not t.is_stdout else "-" for t in options.reports]
    others = {
        "--list-skipped": options.list_skipped,
        "--contact-sheet": options.contact_sheet,
        "--manifest": options.manifest,
    }
    taken = set(paths)
    for flag, path in others.items():
        if path and os.path.realpath(path) in taken:
            raise UsageError(f"{flag} names a file that has another use; name another one")
        taken.add(os.path.realpath(path) if path else "")
    if len(set(paths)) < len(paths):
        raise UsageError("two --report name the same file; name each once")
    _check_own_files(options)
    for target in options.reports:
        if target.staged:
            make_stage(target.staged)
            require_writable(target.path)
        if not target.is_stdout:
            _check_report(target.file, options)
        if target.format == "sqlite":
            require_closed(target.file)
    if options.list_skipped:
        _check_report(options.list_skipped, options)
    if options.state:
        require_folder(options.state)
    for flag, path in (
        ("--contact-sheet", options.contact_sheet),
        ("--manifest", options.manifest),
    ):
        if path:
            _check_report(path, options, replaces_pictures=flag == "--contact-sheet")
    folders = [folder for folder in (options.overlays, options.copy_flagged) if folder is not None]
    _check_apart(options, folders)
    for folder in folders:
        _check_folder(folder)


def _refuse_urls(options: ScanOptions) -> None:
    """Raise UsageError for a URL where only a report may go to one."""
    local = {
        "--overlays": options.overlays,
        "--copy-flagged": options.copy_flagged,
        "--list-skipped": options.list_skipped,
        "--contact-sheet": options.contact_sheet,
        "--manifest": options.manifest,
        "--state": options.state,
    }
    for flag, path in local.items():
        if path and is_url(path):
            raise UsageError(f"{flag} {shown(path)}: wanted a path here; only --report takes a URL")


def check_picture(path: str, image: str, flag: str = "--out") -> None:
    """Check a picture of `fakeface explain` or `inspect`, which replace only one of ours."""
    if os.path.splitext(path)[1].lower() not in (".jpg", ".jpeg", ".png"):
        raise UsageError(f"{flag} {path}: wanted a name that ends in .jpg or .png")
    if os.path.realpath(path) == os.path.realpath(image):
        raise CannotWrite(f"cannot write {path}: it is the input; name another file")
    check_file(path)
    try:
        ours = not os.path.lexists(path) or is_marked(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    if not ours:
        raise CannotWrite(
            f"cannot write {path}: a file is there that is no overlay of fakeface; nothing was "
            f"written; move it, or name another {flag}"
        )


def _check_report(path: str, options: ScanOptions, *, replaces_pictures: bool = False) -> None:
    check_file(path)
    try:
        # a slip in the command line, such as --report *.jpg, must not cost a photograph
        is_image = os.path.lexists(path) and looks_like_image(path)
        if is_image and replaces_pictures:  # an earlier sheet of ours may be replaced
            is_image = not is_marked(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    if is_image:
        raise CannotWrite(f"cannot write {path}: it holds an image; name another file")
    inputs = (*options.source.paths, *options.source.listed)
    if os.path.realpath(path) in map(os.path.realpath, inputs):
        raise CannotWrite(f"cannot write {path}: it is one of the inputs; name another file")


def check_file(path: str) -> None:
    """Raise CannotWrite unless a file can be written to `path`, where nothing special lies."""
    require_folder(path)
    try:
        if os.path.lexists(path):
            kind = os.lstat(path).st_mode
            if stat.S_ISDIR(kind):
                raise CannotWrite(f"cannot write {path}: it is a folder; name a file")
            if not stat.S_ISREG(kind):
                raise CannotWrite(f"cannot write {path}: not a regular file; name another")
    except OSError as error:
        raise cannot_write(path, error) from error
    _try_writing(os.path.dirname(path) or ".", path)


def check_new(path: str) -> None:
    """`check_file` for a new model, which must replace no file: others took hours to make."""
    check_file(path)
    if os.path.lexists(path):
        raise CannotWrite(
            f"cannot write {path}: a model is there; name another file, or remove it first"
        )


def _check_own_files(options: ScanOptions) -> None:
    """Refuse a state, or a folder of pictures, in the place of one of the run's other files."""
    state = os.path.realpath(options.state) if options.state else ""
    for flag, path, ending in _own_files(options):
        file = os.path.realpath(path) + ending
        if flag != "--state" and file == state:
            what = "a file of the report" if flag == "--report" else "the list of --list-skipped"
            raise UsageError(f"--state names {what}; name another")
        for other, folder in (
            ("--overlays", options.overlays),
            ("--copy-flagged", options.copy_flagged),
        ):
            if folder is not None and _is_below(os.path.realpath(folder), file):
                raise UsageError(
                    f"{other} {folder}: {path + ending} is a file of {flag}; "
                    "name a folder of its own"
                )


def _own_files(options: ScanOptions) -> Iterator[tuple[str, str, str]]:
    """The flag, the path typed and the ending added to it, of every file that is no picture."""
    for target in options.reports:
        if not target.is_stdout:
            yield from (("--report", target.file, end) for end in ("", ".journal", ".lock"))
    if options.list_skipped:
        yield "--list-skipped", options.list_skipped, ""
    if options.contact_sheet:
        yield "--contact-sheet", options.contact_sheet, ""
    if options.manifest:
        yield "--manifest", options.manifest, ""
    if options.state:
        beside = (".lock", "-wal", "-shm", "-journal")  # the last three are SQLite's
        yield from (("--state", options.state, end) for end in ("", *beside))


def _check_apart(options: ScanOptions, folders: list[str]) -> None:
    """Refuse output folders where a picture could replace an input or a report.

    Pictures are named after inputs, which may come from strangers: any name must be expected.
    """
    reports = [target.file for target in options.reports if not target.is_stdout]
    places = _places(options)
    written = {os.path.dirname(os.path.realpath(path)) for path in reports}
    for folder in folders:
        where = os.path.realpath(folder)
        if any(_is_below(place, where) for place in places):
            raise UsageError(
                f"an input lies in the output folder {folder}; name a folder of its own"
            )
        if folder is options.copy_flagged and any(_is_below(p, where) for p in written):
            raise UsageError(
                f"a report would lie in --copy-flagged {folder}; name a folder of its own"
            )
    if len(folders) == 2:
        one, other = map(os.path.realpath, folders)
        if _is_below(one, other) or _is_below(other, one):
            raise UsageError("--overlays and --copy-flagged: one lies in the other; part them")


def _places(options: ScanOptions) -> set[str]:
    """The folders of the inputs: a picture in one could replace an input, or become one."""
    paths = (*options.source.paths, *options.source.listed)
    places = {path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths}
    return {os.path.realpath(place) for place in places}


def _is_below(path: str, folder: str) -> bool:
    # with a slash at the end of both: /a/bc does not lie in /a/b
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def _check_folder(folder: str) -> None:
    """Raise CannotWrite unless pictures can be written into `folder`, which may not exist yet."""
    # a missing one is made with the first picture: the nearest folder above it must take files
    above = folder
    while not os.path.lexists(above):
        above = os.path.dirname(above) or "."
    if not os.path.isdir(above):
        raise CannotWrite(f"cannot write {folder}: {above} is not a folder")
    _try_writing(above, folder)


def _try_writing(folder: str, target: str) -> None:
    # really written: permissions alone do not show a read-only file system or a full disk
    probe = os.path.join(folder, f".fakeface-{secrets.token_hex(8)}.part")
    try:
        with open(probe, "xb") as handle:
            handle.write(b"x")
        os.unlink(probe)
    except OSError as error:
        raise cannot_write(target, error) from error
