"""`fakeface ui`: the page in a browser."""

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fakefacecli.base.errors import ExitCode, NothingToDo, UsageError
from fakefacecli.base.options import DEFAULT_MODEL, DEFAULT_NETWORK, JudgeOptions
from fakefacecli.cli import flags
from fakefacecli.cli.console import complain, error_boundary, stoppable
from fakefacecli.cli.parse import refuse_empty, refuse_if

if TYPE_CHECKING:
    from fakefacecli.web.options import Login

_LONGEST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class UiFlags:
    """What was typed after `fakeface ui`."""

    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Where it listens; others than loopback need --auth."),
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Its port.")] = 7860
    share: Annotated[
        bool,
        typer.Option(
            "--share/--no-share",
            help="Publish the page on the internet through Gradio's servers; needs --auth.",
        ),
    ] = False
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER:FILE",
            help="Ask for this user and the password in FILE, which others must not be able to "
            "read.",
        ),
    ] = None
    allow_folder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of this machine that the batch tab may scan. Repeatable.",
        ),
    ] = None
    model: flags.Model = DEFAULT_MODEL
    device: flags.Device = "auto"
    max_upload: Annotated[
        int, typer.Option(metavar="MB", min=1, max=4096, help="Largest file that is taken, in MB.")
    ] = 200


@error_boundary
@flags.takes(UiFlags)
def ui(given: UiFlags) -> ExitCode:
    """Serve a page that judges pictures in a browser."""
    from fakefacecli.models.bundled import BUNDLED
    from fakefacecli.web.options import PageOptions
    from fakefacecli.web.server import is_loopback, serve

    refuse_empty({"--host": given.host, "--auth": given.auth, "--model": given.model})
    refuse_empty({"--allow-folder": given.allow_folder})
    public = not is_loopback(given.host) and given.auth is None
    refuse_if(
        {
            f"--host {given.host} lets others reach the page; add --auth USER:FILE": public,
            "--share puts the page on the internet; add --auth USER:FILE": given.share
            and given.auth is None,
        }
    )
    # the server moves into a folder of its own, so a path must be whole
    first = given.model if given.model in BUNDLED else os.path.abspath(given.model)
    options = PageOptions(
        host=given.host,
        port=given.port,
        share=given.share,
        login=_login(given.auth) if given.auth is not None else None,
        folders=tuple(map(_folder, given.allow_folder or ())),
        models=tuple(dict.fromkeys((first, DEFAULT_MODEL, DEFAULT_NETWORK))),
        judge=JudgeOptions(model=first, device=given.device),
        most_upload=given.max_upload << 20,
    )
    if given.share:
        complain("--share publishes the page through Gradio's servers: they see all that is sent")
    with stoppable(last_words="the page is closed") as stop:
        serve(options, _say_where, stop)
    return ExitCode.COMPLETE


def _say_where(local: str, shared: str | None) -> None:
    complain(f"the page is at {local} (Ctrl-C ends it)")
    if shared:
        complain(f"and for everybody at {shared}")


def _folder(path: str) -> str:
    if not os.path.isdir(path):
        raise NothingToDo(f"--allow-folder {path}: there is no such folder")
    real = os.path.realpath(path)
    if real == os.path.sep:
        raise UsageError(f"--allow-folder {path} is the whole machine; name a folder in it")
    return real


def _login(text: str) -> "Login":
    """The user and the password that --auth names; UsageError for a file that others can read."""
    from fakefacecli.web.options import Login

    user, _, path = text.partition(":")
    if not user or not path:
        raise UsageError(f"--auth {text}: wanted USER:FILE, with the password in FILE")
    try:
        with open(path, "rb") as handle:
            mode = os.fstat(handle.fileno()).st_mode
            data = handle.read(_LONGEST_PASSWORD + 1)
    except OSError as error:
        raise UsageError(f"--auth {path}: {(error.strerror or 'failed').lower()}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"--auth {path}: others may read it; run chmod 600 on it")
    try:
        password = data.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        password = ""
    if not password or len(data) > _LONGEST_PASSWORD or "\n" in password:
        raise UsageError(f"--auth {path}: wanted one line of text, the password")
    return Login(user, password)
