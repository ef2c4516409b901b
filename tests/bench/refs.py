"""The memory of the scan's own process over very many inputs: nothing may grow with their number.

    python -m tests.bench.refs [--images N] [--shard I/N]

A server on loopback lists N objects (200,000 by default) in pages of 1,000, as S3 does. They go
through the real source, pipeline, journal and reports; decoder and judge answer at once, so nothing
is fetched. It prints a line of JSON: the resident set in MB at each tenth, after the reports were
written, and the images a second.
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psutil

from fakefacecli.base.options import JudgeOptions, ReportTarget, ScanOptions, SourceOptions
from fakefacecli.base.records import DecodedImage, Face, ImageRef
from fakefacecli.base.shard import parse_shard
from fakefacecli.models.bundled import find_model
from fakefacecli.models.window import WindowRule
from fakefacecli.scan.engine import Work
from fakefacecli.scan.inputs import input_source
from fakefacecli.scan.judging import PendingReports
from fakefacecli.scan.output import Output
from fakefacecli.scan.pipeline import Judge, Stages, scan
from tests.builders import FakeClassifier
from tests.command import SMALL

PAGE = 1000
_OBJECT = (
    "<Contents><Key>in/{:09}.jpg</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;{:032x}&quot;</ETag><Size>1000</Size></Contents>"
)


class Listing(http.server.BaseHTTPRequestHandler):
    """Answers list_objects_v2 with as many objects as `count` says, made up for each page."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_HEAD(self) -> None:  # in/ is a folder, not an object
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        start = int(asked.get("continuation-token", ["0"])[0])
        stop = min(self.count, start + min(PAGE, int(asked.get("max-keys", ["1000"])[0])))
        more = f"<NextContinuationToken>{stop}</NextContinuationToken>" if stop < self.count else ""
        body = (
            "<ListBucketResult><Name>bucket</Name>"
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}"
            f"<KeyCount>{stop - start}</KeyCount>"
            + "".join(_OBJECT.format(n, n) for n in range(start, stop))
            + "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class AtOnce:
    """A decoder that gives every ref the same picture, and a detector that finds no face."""

    pixels = np.zeros((8, 8, 3), np.uint8)

    def decode(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            yield DecodedImage(item, self.pixels) if isinstance(item, ImageRef) else item

    def close(self) -> None:
        pass

    def detect(self, images: Sequence[DecodedImage]) -> list[tuple[Face, ...]]:
        return [() for _ in images]


@contextlib.contextmanager
def at_once(*_: object) -> Iterator[Work]:
    """An engine that takes no time to judge."""
    parts = AtOnce()
    stages = Stages(parts, Judge(parts, FakeClassifier(), WindowRule(1.0)))
    yield Work("cpu", "fp32", lambda items: scan(items, stages, 16))


def measured(count: int, folder: pathlib.Path, shard: str | None) -> dict[str, Any]:
    process = psutil.Process()

    def megabytes() -> float:
        return round(process.memory_info().rss / (1 << 20), 1)

    options = ScanOptions(
        SourceOptions(("s3://bucket/in",), shard=parse_shard(shard) if shard else None),
        tuple(ReportTarget(str(folder / f"out.{e}"), e) for e in ("csv", "parquet", "sqlite")),
        judge=JudgeOptions(model=SMALL),
    )
    head = {"fingerprint": "0", "run_id": "0", "started": "now", "redaction": ""}
    output = Output(options, find_model(SMALL), head, lambda text: None)
    source = input_source(options.source)
    began, tenths, done = time.monotonic(), [], 0
    pending = PendingReports(source, output, None, lambda: None, engine=at_once)
    for done, report in enumerate(pending, 1):
        output.take(report)
        if done % (count // 10) == 0:
            tenths.append(megabytes())
    rate = done / (time.monotonic() - began)
    header = {
        "run_id": "0",
        "model": {"name": SMALL},
        "counts": output.tally.counts(Counter()),
    }
    output.commit(header)
    output.close()
    return {
        "images": done,
        "megabytes_at_tenths": tenths,
        "megabytes_with_reports": megabytes(),
        "images_per_second": round(rate),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--shard")
    flags = parser.parse_args()
    handler = type("Handler", (Listing,), {"count": flags.images})
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }
        print(json.dumps(measured(flags.images, pathlib.Path(folder), flags.shard)))
        server.shutdown()


if __name__ == "__main__":
    main()
