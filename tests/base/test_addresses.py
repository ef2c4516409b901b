import pathlib

import pytest

from fakefacecli.base.addresses import is_url, local_path, shown


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/key", True),
        ("S3://bucket/key", True),
        ("zip://*.jpg::s3://b/a.zip", True),
        ("zip::s3://b/a.zip", True),
        ("https://host/a.jpg", True),
        ("./s3://bucket", False),
        ("/s3://bucket", False),
        ("file:///tmp/a.jpg", False),
        ("a::b.jpg", False),
        ("c:\\pictures", False),
        ("s3:/bucket", False),
        ("-://x", False),
    ],
)
def test_what_is_taken_for_a_url(path: str, expected: bool) -> None:
    assert is_url(path) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/a?b#c@d.jpg", "s3://bucket/a?b#c@d.jpg"),
        ("s3://key:secret@bucket/a.jpg", "s3://bucket/a.jpg"),
        ("sftp://anna@host/a.jpg", "sftp://anna@host/a.jpg"),
        ("sftp://anna:pw@host/a.jpg", "sftp://host/a.jpg"),
        ("https://token@host/a.jpg#part", "https://host/a.jpg"),
        ("photos/a.jpg?x=1", "photos/a.jpg?x=1"),
        ("zip://a.jpg::https://u:p@host/a.zip", "zip://a.jpg::https://host/a.zip"),
    ],
)
def test_what_lets_others_in_is_not_shown(url: str, expected: str) -> None:
    assert shown(url) == expected
    assert shown(shown(url)) == shown(url)


def test_a_query_is_shown_as_a_hash_that_tells_two_apart() -> None:
    one, other = (shown(f"https://host/image?id={number}&sig=abc") for number in (1, 2))
    assert one != other
    assert one.startswith("https://host/image?sha256=")
    assert "sig" not in one
    assert shown(one) == one


def test_a_file_url_is_a_path(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a b.jpg").touch()
    (tmp_path / "a%20c.jpg").touch()
    assert local_path(f"file://{tmp_path}/a%20b.jpg") == f"{tmp_path}/a b.jpg"
    assert local_path(f"file://localhost{tmp_path}/a%20c.jpg") == f"{tmp_path}/a%20c.jpg"
    assert local_path("s3://b/a%20b") == "s3://b/a%20b"
