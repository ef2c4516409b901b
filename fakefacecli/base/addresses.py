"""URLs that name inputs and reports: which words are URLs, and how they are written for others."""

import hashlib
import os
import re
from urllib.parse import unquote

# a scheme of two letters at least, perhaps several joined: zip::s3://bucket/key
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(::[A-Za-z][A-Za-z0-9+.\-]+)*://")
_PART = re.compile(r"(?P<scheme>[^:/]+://)(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)
WEB = ("http://", "https://")
_QUERY_DIGITS = 12
_HASHED = re.compile(rf"sha256=[0-9a-f]{{{_QUERY_DIGITS}}}")


def is_url(path: str) -> bool:
    """Whether a path is taken for a URL; ./s3://x is a path, and so is what names no place."""
    return _URL.match(path) is not None and not path.lower().startswith("file://")


def is_web(url: str) -> bool:
    """Whether it is a file of a web server, which has no listing."""
    return url.lower().startswith(WEB)


def is_chained(url: str) -> bool:
    """Whether it names something inside something else, as zip://a.jpg::s3://bucket/b.zip."""
    return "::" in url


def local_path(path: str) -> str:
    """The path that a file:// URL means; everything else as it is."""
    if not path.lower().startswith("file://"):
        return path
    plain = path[len("file://") :].removeprefix("localhost")
    # fsspec takes it as it stands, browsers write a blank as %20
    return plain if os.path.lexists(plain) else unquote(plain)


def shown(url: str) -> str:
    """The URL as reports and messages have it, without what lets others in; a path as it is.

    User names and passwords of servers are left out. Of a web address the query, which may be a
    signature, becomes the first digits of its sha256: two queries may name two pictures. What is
    written so stays as it is.
    """
    return "::".join(map(_shown_part, url.split("::"))) if is_url(url) else url


def _shown_part(part: str) -> str:
    found = _PART.fullmatch(part)
    if not found:
        return part
    scheme, host, rest = found.group("scheme", "host", "rest")
    who, at, server = host.rpartition("@")
    if at and (":" in who or is_web(scheme)):
        host = server
    if not is_web(scheme):
        return scheme + host + rest
    path, _, query = rest.partition("#")[0].partition("?")
    if query and not _HASHED.fullmatch(query):
        query = f"sha256={hashlib.sha256(query.encode()).hexdigest()[:_QUERY_DIGITS]}"
    return scheme + host + path + (query and f"?{query}")
