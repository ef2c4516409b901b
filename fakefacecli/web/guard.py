"""What stands between a browser and Gradio: limits on what is sent, and rules for the browser.

ASGI 3 middleware (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from fakefacecli.web.places import Places

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MOST_CALL = 1 << 20  # bytes of a call: files are uploaded before, and named in it
_OF_FORMS = 64 << 10  # of an upload around its file
# Content Security Policy Level 3: the page is Gradio's, with scripts and styles in it, so these
# cannot be forbidden; but nothing is fetched from elsewhere, and nobody may put it into a frame
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """Refuses what the page never asks for, and adds headers to every answer.

    `hosts` are the names under which a browser may know this server, None for any: a page of
    somebody else, whose name is made to lead here, must not read what loopback serves. A
    request that would have the server fetch an address is refused, as are uploads of more than
    `most_upload` bytes, and all of them once `places` hold `most_stored`.
    """

    def __init__(
        self,
        app: App,
        places: Places,
        most_upload: int,
        most_stored: int,
        hosts: frozenset[str] | None,
    ):
        self.app = app
        self.places = places
        self.most_upload = most_upload
        self.most_stored = most_stored
        self.hosts = hosts

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with why not."""
        if scope["type"] == "websocket":
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        if refusal is None and scope["method"] == "POST" and not _is_upload(scope):
            body, refusal = await _checked_body(receive)
            receive = _replayed(body, receive)
        if refusal is not None:
            await _answer(send, *refusal)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _refusal(
        self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]
    ) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.hosts is not None and _without_port(host) not in self.hosts:
            return 403, "this page answers only under its own address"
        path = scope["path"].lower()
        if "/proxy=" in path or "/file=http:" in path or "/file=https:" in path:
            return 403, "this page fetches nothing from elsewhere"
        if scope["method"] == "POST" and _is_upload(scope):
            length = headers.get(b"content-length", b"")
            if not length.isdigit():
                return 411, "an upload must say how long it is"
            if int(length) > self.most_upload + _OF_FORMS:
                return 413, f"too large: at most {self.most_upload >> 20} MB at a time"
            if self.places.stored() + int(length) > self.most_stored:
                return 507, "there is no room for more files now; try again later"
        return None


def _is_upload(scope: MutableMapping[str, Any]) -> bool:
    return bool(scope["path"].rstrip("/").endswith("/upload"))


def _without_port(host: str) -> str:
    return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


async def _checked_body(receive: Receive) -> tuple[bytes, tuple[int, str] | None]:
    """The body of a call, and why it is refused, if it is."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body), (400, "the request broke off")
        body += message.get("body", b"")
        if len(body) > MOST_CALL:
            return b"", (413, "the call is too long; upload files first, and name them in it")
        if not message.get("more_body"):
            break
    if _names_an_address(bytes(body)):
        return b"", (400, "a file must be uploaded; this page fetches nothing from an address")
    return bytes(body), None


def _names_an_address(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False  # a form, such as that of the login: Gradio reads files only from JSON
    return any("://" in path for path in _paths(said))


def _paths(said: Any) -> Iterator[str]:
    """Every "path" in what was said, however deep."""
    left = [said]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if isinstance(one.get("path"), str):
                yield one["path"]
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, text: str) -> None:
    body = json.dumps({"detail": text}).encode()
    headers = [(b"content-type", b"application/json"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
