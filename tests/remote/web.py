"""A web server on loopback that fails in the ways servers do."""

import contextlib
import http.client
import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator


class Failing(http.server.BaseHTTPRequestHandler):
    """Answers by the first part of the path: /403/a.jpg is forbidden, /busy/a.jpg at first busy."""

    protocol_version = "HTTP/1.1"
    body = b""
    asked: Counter[str]

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        kind = self.path.split("/")[1].partition("?")[0]
        if kind.isdigit():
            self.answer(int(kind), b"")
        elif kind == "busy" and self.asked[self.path] < 3:
            self.answer(503, b"")
        elif kind == "cut" and self.asked[self.path] < 3:
            self.answer(200, self.body, stated=len(self.body) + 100)
            self.close_connection = True
        elif kind == "endless":
            self.endless()
        else:
            self.answer(200, self.body)

    def answer(self, status: int, body: bytes, stated: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if stated is None else stated))
        self.end_headers()
        self.wfile.write(body)

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(1 << 20))
                time.sleep(0)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def failing_server(body: bytes) -> Iterator[tuple[str, Counter[str]]]:
    """The server's address, and how often each of its paths was asked for."""
    asked: Counter[str] = Counter()
    handler = type("Handler", (Failing,), {"body": body, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def refusing_proxy(target: str, refused: str, status: int) -> Iterator[str]:
    """The address of a server that hands all requests to `target`, but answers PUT of `refused`."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "PUT" and self.path.endswith(refused):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            there = http.client.HTTPConnection(target.removeprefix("http://"))
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
            there.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
