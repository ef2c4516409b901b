"""What went wrong at a store, in our words; which of it may go better at another try."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from fakefacecli.base.verdicts import ErrorCode

TRIES = 5
_FIRST_WAIT_S = 0.3
_LONGEST_WAIT_S = 8.0
_STEP_S = 0.1

_TRANSIENT = frozenset(
    {
        *(errno.EBUSY, errno.EREMOTEIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNABORTED),
        *(errno.ECONNREFUSED, errno.EPIPE, errno.EAGAIN, errno.ENETUNREACH, errno.EHOSTUNREACH),
        *(errno.ENETDOWN, errno.ENETRESET),
    }
)
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_STATUS = {
    **dict.fromkeys((401, 403, 407), PermissionError),
    **dict.fromkeys((404, 410), FileNotFoundError),
}
# by name, over all bases: none of these libraries is imported before a store of its kind is asked
_TRANSIENT_NAMES = frozenset(
    {
        *("ClientConnectionError", "ClientPayloadError", "ServerTimeoutError"),  # aiohttp
        *("HTTPClientError", "ResponseParserError"),  # botocore
        *("IncompleteRead", "ChecksumError", "TransportError"),
    }
)
_BROKEN_ARCHIVE = frozenset({"BadZipFile", "TarError", "LibarchiveError"})
_NO_CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("ProfileNotFound", "TokenRetrievalError", "SSOError", "UnauthorizedSSOTokenError"),
        *("DefaultCredentialsError", "GoogleAuthError"),
    }
)

R = TypeVar("R")


class Cut(Exception):
    """The object ended before its stated size."""


class Slow(Exception):
    """The object took longer than one may take."""


def problem_of(error: Exception, what: str) -> tuple[ErrorCode, str]:
    """The row that an error at a store becomes; `what` is the noun, "object" or "folder"."""
    kind, names = _kind(error), _names(error)
    said: tuple[ErrorCode, str]
    if issubclass(kind, FileNotFoundError):
        said = ErrorCode.VANISHED, f"no such {what} in the store, or it is gone"
    elif names & _NO_CREDENTIALS:
        said = ErrorCode.FORBIDDEN, f"there are no credentials to read this {what} with"
    elif issubclass(kind, PermissionError):
        said = ErrorCode.FORBIDDEN, f"the store gives no permission to read this {what}"
    elif names & _BROKEN_ARCHIVE:
        said = ErrorCode.CORRUPT, f"the archive of this {what} is damaged, or is none"
    elif isinstance(error, Slow):
        said = ErrorCode.TIMEOUT, f"the {what} took too long to arrive"
    elif isinstance(error, Cut):
        said = ErrorCode.IO_ERROR, f"the {what} ended before its stated size"
    else:
        status = None if _is_broken_off(error) else _status(error)
        why = f"the store answered {status}" if status else f"the store failed ({_word(error)})"
        tries = f", {TRIES} times" if is_transient(error) else ""
        said = ErrorCode.IO_ERROR, f"{what}: {why}{tries}"
    return said


def is_transient(error: BaseException) -> bool:
    """Whether another try may go better: time ran out, a connection broke, the store is busy."""
    if isinstance(error, FileNotFoundError | PermissionError):
        return False
    if isinstance(error, Cut | TimeoutError | ConnectionError) or _is_broken_off(error):
        return True
    status = _status(error)
    if status is not None:
        return status in _TRANSIENT_STATUS
    return isinstance(error, OSError) and error.errno in _TRANSIENT


def tried(work: Callable[[], R], stop: Callable[[], None] = lambda: None) -> R:
    """What `work` gives, tried again after growing waits while its errors are transient.

    Raises the last error of `work`, and what `stop` raises during a wait.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            stop()
            time.sleep(min(left, _STEP_S))

    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(TRIES),
        # at random below a bound that doubles: many readers must not all come back at once
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
        sleep=wait,
        reraise=True,
    )(work)


def _kind(error: Exception) -> type[BaseException]:
    """The built-in kind that the error is of, whatever library has raised it."""
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError):
        # gcsfs tells a refusal by this word alone
        if error.errno is None and str(error).startswith("Forbidden"):
            return PermissionError
        status = _status(error)
        return _STATUS.get(status, OSError) if status else OSError
    if _names(error) & _NO_CREDENTIALS:
        return PermissionError
    # an archive has no member of this name
    if isinstance(error, KeyError):
        return FileNotFoundError
    return _STATUS.get(_status(error) or 0, type(error))


def _status(error: BaseException) -> int | None:
    """The HTTP status behind an error, where there is one."""
    response = getattr(error, "response", None)  # botocore's
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return found if isinstance(found, int) else None
    for name in ("status", "code"):  # aiohttp's, gcsfs's
        found = getattr(error, name, None)
        if isinstance(found, int | str) and str(found).isdigit() and 300 <= int(found) <= 599:
            return int(found)
    return _status(error.__cause__) if error.__cause__ else None


def _is_broken_off(error: BaseException) -> bool:
    # aiohttp gives a body that ends early the status 400, which the server never said
    return bool(_names(error) & _TRANSIENT_NAMES)


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _word(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)
