"""The page over HTTP: what may be read and sent, and how it ends."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from fakefacecli.base.errors import ExitCode
from tests.builders import PHOTO, PHOTOS
from tests.command import assert_same, fakeface, rows
from tests.web.conftest import Served, served

GRADIO = "Gradio is not installed (pip install '.[ui]')"
MODEL = "inception-resnet-v1-2026.11"


def fetch(url: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@contextlib.contextmanager
def client(page: Served) -> Iterator[Any]:
    gradio_client = pytest.importorskip("gradio_client", reason=GRADIO)
    found = gradio_client.Client(page.url, verbose=False, analytics_enabled=False)
    try:
        yield found
    finally:
        found.close()


def root_of(page: Served) -> pathlib.Path:
    [root] = page.temp.glob("fakeface-ui-*")
    return root


def test_no_file_is_readable_that_the_page_did_not_make(page: Served) -> None:
    root = root_of(page)
    link = root / "cache" / "link"
    link.symlink_to("/etc/passwd")
    (root / "work" / "secret.txt").write_text("hidden words")
    photo = page.allowed / "photo_00.jpg"
    paths = [
        *("/etc/passwd", "../../../../etc/passwd", "..%2f..%2f..%2fetc/passwd", "secret.txt"),
        *(
            str(photo),
            str(root / "work" / "secret.txt"),
            str(root),
            f"{root}/cache/../work/secret.txt",
        ),
        *(str(link), str(root / "cache" / ".." / ".." / "allowed" / photo.name)),
        *("http://127.0.0.1:1/", "https://example.org/", "%2e%2e/%2e%2e/etc/passwd"),
    ]
    for prefix in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/proxy="):
        for path in paths:
            status, body = fetch(page.url + prefix + path)
            assert status >= 400 or b"<html" in body[:200].lower(), (prefix, path)
            assert b"root:" not in body
            assert b"hidden words" not in body
            assert not body.startswith(b"\xff\xd8")
    link.unlink()


def test_a_call_that_names_a_file_of_the_server_is_refused(page: Served) -> None:
    for path in (str(page.allowed / "photo_00.jpg"), "/etc/passwd", "http://192.0.2.1/a.jpg"):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [[file], None, MODEL, None, None]}).encode()
        call = f"{page.url}/gradio_api/call/judge"
        status, answer = fetch(call, body, **{"Content-Type": "application/json"})
        if path.startswith("http"):
            assert (status, b"fetches nothing" in answer) == (400, True)
            continue
        event = json.loads(answer)["event_id"]
        _, said = fetch(f"{call}/{event}")
        assert b"event: error" in said
        assert b"article" not in said


def test_a_folder_outside_the_allowed_ones_is_refused_with_the_same_words(page: Served) -> None:
    outside = page.allowed.parent / "allowed2"
    outside.mkdir()
    shutil.copy(PHOTO, outside)
    (page.allowed / "way_out").symlink_to(outside)
    said = set()
    with client(page) as page_client:
        for folder in (
            *("/etc", str(outside), str(page.allowed / ".."), "allowed", "/no/such/folder"),
            *(str(page.allowed / "way_out"), f"{page.allowed}/../allowed2"),
        ):
            summary, csv, html = page_client.predict(
                None, folder, MODEL, None, None, api_name="/batch"
            )
            assert "no folder of this name that may be scanned" in summary, folder
            said.add(summary)
            assert not csv
            assert not html
    assert len(said) == 1
    (page.allowed / "way_out").unlink()


def test_an_allowed_folder_gives_the_report_of_a_scan(page: Served, tmp_path: pathlib.Path) -> None:
    with client(page) as page_client:
        summary, csv, html = page_client.predict(
            None, str(page.allowed), MODEL, None, None, api_name="/batch"
        )
    assert "images" in summary
    shutil.copy(_path(csv), tmp_path / "page.csv")
    fakeface("scan", page.allowed, "--report", tmp_path / "scan.csv")
    assert len(rows(tmp_path / "scan.csv")) == 20
    assert_same(tmp_path / "page.csv", tmp_path / "scan.csv")
    assert "photo_19.jpg" in pathlib.Path(_path(html)).read_text("utf-8")


def _path(given: Any) -> str:
    return given["value"] if isinstance(given, dict) else given


def test_the_example_of_the_documentation_works(
    page: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import fakefacecli

    text = (pathlib.Path(fakefacecli.__file__).parent / "docs" / "ui.md").read_text("utf-8")
    [code] = re.findall(
        r"((?:^    .*\n|^\n)*^    from gradio_client.*\n(?:^    .*\n|^\n)*)", text, re.M
    )
    code = "\n".join(line[4:] for line in code.splitlines())
    monkeypatch.chdir(PHOTOS)
    code = code.replace("http://127.0.0.1:7860", page.url).replace("photo.jpg", PHOTO.name)
    exec(compile(code, "ui.md", "exec"), {})
    assert capsys.readouterr().out.startswith("not_flagged 0.")


def test_what_a_session_brought_is_gone_with_it(page: Served) -> None:
    from gradio_client import handle_file

    cache = root_of(page) / "cache"

    def held() -> set[str]:
        return {str(path) for path in cache.rglob("photo_19.jpg")}

    with client(page) as page_client:
        page_client.predict(
            [handle_file(str(page.allowed / "photo_19.jpg"))],
            None,
            MODEL,
            None,
            None,
            api_name="/judge",
        )
        assert held()
    for _ in range(200):
        if not held():
            break
        time.sleep(0.1)
    assert not held()


def test_a_model_is_one_of_those_offered_and_never_a_path(page: Served) -> None:
    body = json.dumps({"data": [None, str(page.allowed), "/etc/passwd", None, None]}).encode()
    call = f"{page.url}/gradio_api/call/batch"
    _, answer = fetch(call, body, **{"Content-Type": "application/json"})
    _, said = fetch(f"{call}/{json.loads(answer)['event_id']}")
    assert b"event: error" in said or b"no such model here" in said


def test_another_name_for_the_server_gets_no_page(page: Served) -> None:
    status, body = fetch(page.url, Host="evil.example")
    assert (status, b"own address" in body) == (403, True)
    status, _ = fetch(page.url, Host="localhost:80")
    assert status == 200


def test_an_upload_over_the_limit_is_refused_before_it_is_read(page: Served) -> None:
    url = f"{page.url}/gradio_api/upload"
    status, body = fetch(url, b"", **{"Content-Length": str(300 << 20)})
    assert (status, b"too large" in body) == (413, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_asks_for_the_password_and_ends_without_a_trace(
    tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    password = tmp_path / "password"
    password.write_text("right\n")
    password.chmod(0o600)
    with served(tmp_path / "served", "--auth", f"desk:{password}") as page:
        assert fetch(f"{page.url}/config")[0] == 401
        assert fetch(f"{page.url}/gradio_api/upload", b"x")[0] in (401, 403)
        for word, wanted in (("wrong", 400), ("right", 200)):
            form = urllib.parse.urlencode({"username": "desk", "password": word}).encode()
            assert fetch(f"{page.url}/login", form)[0] == wanted
        root = root_of(page)
        children = pathlib.Path(f"/proc/{page.process.pid}/task/{page.process.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        page.process.send_signal(number)
        assert page.process.wait(5) == 128 + number
        assert not root.exists()
        time.sleep(0.5)
        assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_who_lets_others_in_must_ask_for_a_password(tmp_path: pathlib.Path) -> None:
    for words in (["--host", "0.0.0.0"], ["--share"]):
        done = fakeface("ui", *words)
        assert done.returncode == ExitCode.USAGE
        assert "add --auth USER:FILE" in done.stderr
    password = tmp_path / "password"
    password.write_text("word")
    password.chmod(0o644)
    done = fakeface("ui", "--auth", f"desk:{password}")
    assert (done.returncode, "others may read it" in done.stderr) == (ExitCode.USAGE, True)
    for flag, value in (("--auth", "desk"), ("--auth", "desk:/no/such/file")):
        assert fakeface("ui", flag, value).returncode == ExitCode.USAGE
    done = fakeface("ui", "--allow-folder", tmp_path / "none")
    assert done.returncode == ExitCode.NOTHING_TO_DO


def test_a_port_that_is_taken_is_named(page: Served) -> None:
    port = page.url.rpartition(":")[2]
    done = fakeface("ui", "--port", port, "--model", "inception-resnet-v1")
    assert done.returncode == ExitCode.USAGE
    # the lines before are Gradio's, which tests.command makes visible
    assert f"--port {port}: nothing can listen there" in done.stderr
    assert "internal error" not in done.stderr


def test_without_gradio_one_line_says_how_to_get_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ImportError('not here')")
    done = fakeface(
        "ui", "--model", "inception-resnet-v1", env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert (done.returncode, done.stderr.count("\n")) == (ExitCode.USAGE, 1)
    assert done.stderr.startswith("fakeface: the page needs Gradio; pip install ")
