"""What listings give and how they fail, on servers that speak the stores' own protocols."""

import contextlib
import http.server
import json
import pathlib
import signal
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from fakefacecli.base.options import SourceOptions
from fakefacecli.base.records import ImageRef, Unreadable
from fakefacecli.base.shard import Shard
from fakefacecli.scan.remote_source import RemoteSource
from tests.builders import PHOTO
from tests.command import fakeface, rows, start
from tests.remote.conftest import Bucket

KEYS = sorted(
    {f"in/{folder}/{n:02}.jpg" for folder in ("a", "a-b", "ü") for n in range(8)}
    | {
        "in/",
        "in/a/",
        "in/a/upload",
        "in/notes.txt",
        "in/a/../odd.jpg",
        "in/._x.jpg",
        "before.jpg",
    },
    key=str.encode,
)


class Google(http.server.BaseHTTPRequestHandler):
    """The part of Google's JSON API that a scan asks for; pages of 7."""

    protocol_version = "HTTP/1.1"
    broken = False

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if "/download/" in path or asked.get("alt") == ["media"]:
            self.answer(200, b"text" if path.endswith("txt") else PHOTO.read_bytes())
        elif path.rstrip("/").endswith("/o"):
            self.page(asked)
        else:
            key = unquote(path.split("/o/")[-1])
            known = json.dumps(self.said(key)).encode()
            self.answer(200, known) if key in KEYS else self.answer(404, b"{}")

    def page(self, asked: dict[str, list[str]]) -> None:
        prefix = asked.get("prefix", [""])[0]
        found = [key for key in KEYS if key.startswith(prefix)]
        start_at = int(asked.get("pageToken", ["0"])[0])
        if self.broken and start_at:
            self.answer(403, b"{}")
            return
        stop = start_at + 7
        body = {"kind": "storage#objects", "items": [self.said(k) for k in found[start_at:stop]]}
        more = {"nextPageToken": str(stop)} if stop < len(found) else {}
        self.answer(200, json.dumps(body | more).encode())

    def said(self, key: str) -> dict[str, str]:
        size = 0 if key.endswith("/") else PHOTO.stat().st_size
        now = "2026-01-01T00:00:00Z"
        said = {"name": key, "bucket": "b", "size": str(size), "etag": "x", "generation": "1"}
        return said | {"updated": now, "timeCreated": now}

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def google(monkeypatch: pytest.MonkeyPatch, *, broken: bool = False) -> Iterator[None]:
    import gcsfs

    handler = type("Handler", (Google,), {"broken": broken})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
        gcsfs.GCSFileSystem.clear_instance_cache()
        yield
        server.shutdown()


def test_google_is_listed_in_pages_in_the_order_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with google(monkeypatch):
        source = RemoteSource(SourceOptions(("gs://b/in",), exclude=("a-b",)))
        refs = [item for item in source if isinstance(item, ImageRef)]
        assert [ref.path for ref in refs] == [
            f"gs://b/{key}"
            for key in KEYS
            if key.startswith("in/")
            and not key.endswith(("/", ".txt"))
            and not key.startswith("in/a-b/")
        ]
        assert dict(source.skipped) == {"not an image": 1, "excluded": 1}
        names = {ref.name for ref in refs}
        assert "a/%2E%2E/odd.jpg" in names
        assert not any(".." in name.split("/") for name in names)
        first = refs[1]
        assert first.content is not None
        assert b"".join(first.content.pieces(1 << 20)) == PHOTO.read_bytes()


def test_a_listing_that_breaks_off_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    with google(monkeypatch, broken=True):
        items = list(RemoteSource(SourceOptions(("gs://b/in",))))
    *before, last = items
    assert len(before) >= 4
    assert isinstance(last, Unreadable)
    assert (last.ref.path, str(last.code)) == ("gs://b/in", "forbidden")


def test_folders_of_any_other_store_are_walked_like_those_here(tmp_path: pathlib.Path) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    files = ("b.jpg", "a/c.PNG", "a-b/d.jpg", "a/notes.txt", "z/deep/er/e.webp", "upload")
    for name in files:
        data = b"text" if name.endswith("txt") else PHOTO.read_bytes()
        system.pipe_file(f"/walked/{name}", data)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    from fakefacecli.scan.source import PathSource

    for how in ({}, {"recursive": False}, {"exclude": ("z", "*.png")}, {"include": ("*.txt",)},
                {"shard": Shard(1, 2)}, {"shard": Shard(2, 2)}):  # fmt: skip
        theirs = RemoteSource(SourceOptions(("memory://walked",), **how))  # type: ignore[arg-type]
        mine = PathSource(SourceOptions((str(tmp_path),), **how))  # type: ignore[arg-type]
        assert [item.name for item in theirs if isinstance(item, ImageRef)] == [
            item.name for item in mine if isinstance(item, ImageRef)
        ], how
        assert theirs.skipped == mine.skipped, how
    system.rm("/walked", recursive=True)


def test_several_inputs_have_names_below_their_common_folder() -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for name in ("x/a/1.jpg", "x/b/2.jpg", "x/b/3.jpg"):
        system.pipe_file(f"/several/{name}", PHOTO.read_bytes())
    options = SourceOptions(
        ("memory://several/x/b/3.jpg", "memory://several/x/a"), ("memory://several/x/b/",)
    )
    source = RemoteSource(options)
    assert [item.name for item in source if isinstance(item, ImageRef)] == [
        *("b/3.jpg", "a/1.jpg", "b/2.jpg")
    ]
    assert source.skipped == {"named twice": 1}
    system.rm("/several", recursive=True)


class Hanging(http.server.BaseHTTPRequestHandler):
    """Says how long its answer will be, and sends a part of it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"\xff\xd8\xff")
        self.wfile.flush()
        time.sleep(60)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_hangs_does_not_keep_a_signal_waiting(
    bucket: Bucket, tmp_path: pathlib.Path
) -> None:
    temporary = tmp_path / "temporary"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/a.jpg"
        with start("scan", url, "--report", tmp_path / "out.csv") as process:
            deadline = time.monotonic() + 60
            while not list(temporary.glob("fakeface-*/0")):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert time.monotonic() - began < 5.5
        server.shutdown()
    assert process.returncode == 130
    assert not list(temporary.glob("fakeface-*"))


def test_an_empty_bucket_is_nothing_to_do(bucket: Bucket, tmp_path: pathlib.Path) -> None:
    bucket.put("in/notes.txt", b"text")
    done = fakeface("scan", bucket.url("in"), "--report", tmp_path / "out.csv")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    bucket.put("in/a b+c%20.jpg", PHOTO.read_bytes())
    done = fakeface("scan", bucket.url("in"), "--report", tmp_path / "out.csv", "--redact-paths")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "out.csv")[0]["path"].startswith("image-")
    assert bucket.name not in (tmp_path / "out.csv").read_text()
