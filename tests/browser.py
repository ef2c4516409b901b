"""A real Chromium without a window, and a page in it that remembers what went wrong."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@dataclass
class Opened:
    """A page of the browser; `problems` are errors of its scripts and console, `sent` the URLs."""

    page: Any
    problems: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self.sent.append(request.url[:200]))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def check(self) -> None:
        """Nothing failed, and nothing left the page."""
        assert self.problems == []
        assert {url.split(":")[0] for url in self.sent} <= {"file", "data", "blob"}
        assert sum(url.startswith("file:") for url in self.sent) >= 1


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser; the test is skipped where there is no Chromium."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)} is on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Any, path: str | os.PathLike[str], **how: Any) -> Iterator[Opened]:
    """The file `path` in a fresh window; at the end nothing may have failed or left the page."""
    context = browser.new_context(**{"reduced_motion": "reduce", **how})
    try:
        found = Opened(context.new_page())
        found.watch()
        found.page.goto(pathlib.Path(path).as_uri())
        yield found
        found.check()
    finally:
        context.close()
