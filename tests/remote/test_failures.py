"""What the errors of real libraries become, and which of them are tried again."""

import errno
import threading
import time
import zipfile

import aiohttp
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from s3fs.errors import translate_boto_error

from fakefacecli.base.errors import Interrupted
from fakefacecli.base.verdicts import ErrorCode
from fakefacecli.remote import failures
from fakefacecli.remote.failures import Cut, Slow, is_transient, problem_of, tried
from fakefacecli.remote.readers import Readers, awaited


def of_s3(code: str, status: int) -> Exception:
    said = {
        "Error": {"Code": code, "Message": "https://signed?sig=secret"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    found = translate_boto_error(ClientError(said, "GetObject"))  # type: ignore[arg-type]
    assert isinstance(found, Exception)
    return found


def of_web(status: int) -> Exception:
    return aiohttp.ClientResponseError(None, (), status=status)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (of_s3("NoSuchKey", 404), ErrorCode.VANISHED, False),
        (of_s3("NoSuchBucket", 404), ErrorCode.VANISHED, False),
        (of_s3("AccessDenied", 403), ErrorCode.FORBIDDEN, False),
        (of_s3("ExpiredToken", 400), ErrorCode.FORBIDDEN, False),
        (of_s3("SlowDown", 503), ErrorCode.IO_ERROR, True),
        (of_s3("InternalError", 500), ErrorCode.IO_ERROR, True),
        (of_s3("RequestTimeout", 400), ErrorCode.IO_ERROR, True),
        (of_s3("InvalidRange", 416), ErrorCode.IO_ERROR, False),
        (of_s3("SomethingNew", 418), ErrorCode.IO_ERROR, False),
        (NoCredentialsError(), ErrorCode.FORBIDDEN, False),
        # botocore has tried again by itself
        (ConnectTimeoutError(endpoint_url="https://x"), ErrorCode.IO_ERROR, False),
        (of_web(401), ErrorCode.FORBIDDEN, False),
        (of_web(410), ErrorCode.VANISHED, False),
        (of_web(429), ErrorCode.IO_ERROR, True),
        (aiohttp.ServerDisconnectedError(), ErrorCode.IO_ERROR, True),
        (aiohttp.ClientPayloadError(), ErrorCode.IO_ERROR, True),
        (OSError("Forbidden: https://x/b/o"), ErrorCode.FORBIDDEN, False),
        (ConnectionResetError(errno.ECONNRESET, "reset"), ErrorCode.IO_ERROR, True),
        (KeyError("no such member"), ErrorCode.VANISHED, False),
        (zipfile.BadZipFile(), ErrorCode.CORRUPT, False),
        (Cut(), ErrorCode.IO_ERROR, True),
        (Slow(), ErrorCode.TIMEOUT, False),
        (ValueError("https://signed?sig=secret"), ErrorCode.IO_ERROR, False),
    ],
)
def test_an_error_is_a_row_in_words_of_ours(
    error: Exception, code: ErrorCode, transient: bool
) -> None:
    found, words = problem_of(error, "object")
    assert (found, is_transient(error)) == (code, transient)
    assert "secret" not in words
    assert "http" not in words


def test_waits_grow_and_the_last_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_FIRST_WAIT_S", 0.001)
    asked = []

    def busy() -> None:
        asked.append(1)
        raise of_web(503)

    with pytest.raises(aiohttp.ClientResponseError):
        tried(busy)
    assert len(asked) == failures.TRIES
    answers = [TimeoutError(), 7]

    def once() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    assert tried(once) == 7


def test_a_signal_ends_a_wait_between_two_tries() -> None:
    def stop() -> None:
        raise Interrupted(2)

    def busy() -> None:
        raise TimeoutError

    with pytest.raises(Interrupted):
        tried(busy, stop)


def test_a_reader_that_hangs_keeps_nobody() -> None:
    never = threading.Event()
    readers = Readers(lambda number: never.wait(60) if number else number, 2)
    assert awaited(readers.begin(0), lambda: None) == 0
    hangs = readers.begin(1)
    stopped = iter([None, None])
    with pytest.raises(StopIteration):
        awaited(hangs, lambda: next(stopped))
    began = time.monotonic()
    readers.close()
    assert time.monotonic() - began < 3
    never.set()


def test_a_time_out_of_the_work_itself_is_raised() -> None:
    def late(_: int) -> int:
        raise TimeoutError("of the store")

    readers = Readers(late, 1)
    with pytest.raises(TimeoutError, match="of the store"):
        awaited(readers.begin(1), lambda: None)
    readers.close()
