"""Serving the page: in a folder of its own, without telemetry, until somebody ends it."""

import hmac
import ipaddress
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from fakefacecli.base.errors import FakeFaceError, UsageError
from fakefacecli.base.extras import how_to_install
from fakefacecli.web.guard import Guard
from fakefacecli.web.judges import Judges
from fakefacecli.web.options import Login, PageOptions
from fakefacecli.web.page import build_page, style
from fakefacecli.web.places import Places

_STEP_S = 0.1
_WORK_ENDS_S = 3.0  # how long the end waits for work in hand: it ends at its next step
_WAITING = 32  # calls in the queue
_SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_SYSTEM_FONTS = ["system-ui", "sans-serif"]  # Gradio's own come from its files; these from nowhere


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(
    options: PageOptions, on_start: Callable[[str, str | None], None], stop: Callable[[], None]
) -> None:
    """Serve the page until `stop` raises; `on_start` gets its address, and that of --share.

    Files lie in a folder of their own, which is gone at the end. This process moves into it, so
    paths in `options` must be whole. Raises UsageError where Gradio is missing or the port is
    taken, ModelRefused for a model.
    """
    places = Places()
    os.environ.update(_SETTINGS, GRADIO_TEMP_DIR=places.cache)
    before, ending, page, judges = os.getcwd(), threading.Event(), None, None

    def go_on() -> None:
        stop()
        if ending.is_set():
            raise FakeFaceError("the page is being closed")

    try:
        gradio = _gradio()
        judges = Judges(options.models, options.judge, go_on)
        os.chdir(places.work)
        judges.warm_up()
        page = build_page(options, judges, places, go_on)
        places.keep()
        local, shared = _launch(gradio, page, options, places)
        on_start(local, shared)
        while True:
            stop()
            time.sleep(_STEP_S)
    finally:
        ending.set()
        if page is not None:
            page.close(verbose=False)
        if judges is not None:
            judges.close()
        os.chdir(before)
        places.remove()


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise UsageError(f"the page needs Gradio; {how_to_install('ui')}") from error
    return gradio


def _launch(gradio: Any, page: Any, options: PageOptions, places: Places) -> tuple[str, str | None]:
    """Start the server in threads of its own; its address, and the shared one."""
    own = frozenset({"127.0.0.1", "localhost", "::1", options.host})
    hosts = own if is_loopback(options.host) and not options.share else None
    guard: tuple[Any, ...] = (Guard, (places, options.most_upload, options.most_stored, hosts), {})
    theme = gradio.themes.Default(font=_SYSTEM_FONTS, font_mono=["ui-monospace", "monospace"])
    page.queue(max_size=_WAITING, default_concurrency_limit=1)
    try:
        _, local, shared = page.launch(
            server_name=options.host,
            server_port=options.port,
            share=options.share,
            auth=_check(options.login) if options.login else None,
            max_file_size=options.most_upload,
            app_kwargs={"middleware": [guard]},
            allowed_paths=[],
            footer_links=["api"],
            theme=theme,
            css=style(),
            favicon_path=None,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            ssr_mode=False,
            pwa=False,
            enable_monitoring=False,
            mcp_server=False,
            run_history=False,
            inbrowser=False,
        )
    except OSError as error:
        raise UsageError(
            f"--host {options.host} --port {options.port}: nothing can listen there, perhaps as "
            "another program does; name another port"
        ) from error
    return local, shared


def _check(login: Login) -> Callable[[str, str], bool]:
    def is_right(user: str, password: str) -> bool:
        # both are compared, whatever the first gives: the time must not tell which was wrong
        right = hmac.compare_digest(user.encode(), login.user.encode())
        return hmac.compare_digest(password.encode(), login.password.encode()) and right

    return is_right
