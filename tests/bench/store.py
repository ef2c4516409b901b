"""How fast a store is scanned: N small objects at s3:// on loopback, and the same files here.

    python -m tests.bench.store [--images N]

It says whether the rows are the same, and prints the images a second of both.
"""

import argparse
import os
import pathlib
import tempfile
import time

from tests.command import fakeface
from tests.remote.conftest import KEYS, Bucket
from tests.remote.objects import OTHERS, fill, relative


def main() -> None:
    import logging

    import boto3
    from moto.server import ThreadedMotoServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    count = parser.parse_args().images
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="images")
    bucket = Bucket("images", {}, client)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        fill(bucket, folder / "in", count)
        seen = []
        for name, place in (("s3", bucket.url("in")), ("here", str(folder / "in"))):
            report = folder / f"{name}.csv"
            began = time.monotonic()
            done = fakeface("scan", place, "--report", report, timeout=3000)
            seconds = time.monotonic() - began
            print(done.stderr)
            print(f"{name}: {(count + OTHERS) / seconds:.1f} images/s, {seconds:.0f} s in all")
            seen.append(relative(report, place))
        print("the same rows" if seen[0] == seen[1] else "OTHER ROWS")
    server.stop()


if __name__ == "__main__":
    main()
